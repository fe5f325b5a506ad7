//! The arguments of one command: where they lie ([`ArgRanges`], reused from command to command),
//! a view of them ([`Args`], copied freely, what a handler gets), and a copy that outlives the
//! input buffer ([`OwnedArgs`], for a `MULTI` queue or a blocked client).
//!
//! ```text
//!   input buffer   *2\r\n$3\r\nGET\r\n$1\r\nk\r\n
//!   ArgRanges               └8,3┘        └17,1
//! ```
//!
//! The ranges of an inline command point into `ArgRanges`' own text instead, since unquoting
//! changes bytes; [`Args::new`] knows which.

use std::fmt;
use std::ops::Index;

use crate::command::encode_command;
use crate::decode::Decoder;
use crate::limits::Limits;

/// Position and length of one argument. A pair of `usize`, not of `u32`: with a million arguments
/// of up to 512 MB a command may pass 4 GiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) len: usize,
}

impl Span {
    #[inline]
    fn of(self, bytes: &[u8]) -> &[u8] {
        // In bounds by construction, unless the caller changed the buffer under the ranges: then
        // the slice panics, which is right, as it is our bug.
        &bytes[self.start..self.start + self.len]
    }
}

/// Where the arguments of a command lie. Filled by [`Decoder::decode`], which keeps the allocation
/// from one command to the next.
#[derive(Debug, Default)]
pub struct ArgRanges {
    pub(crate) spans: Vec<Span>,
    /// The unquoted text of an inline command; `spans` point here when `is_inline`.
    pub(crate) inline_text: Vec<u8>,
    pub(crate) is_inline: bool,
    pub(crate) is_canonical: bool,
}

impl ArgRanges {
    /// No arguments, no allocation.
    pub const fn new() -> Self {
        ArgRanges {
            spans: Vec::new(),
            inline_text: Vec::new(),
            is_inline: false,
            is_canonical: false,
        }
    }

    /// How many arguments there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// True for `*0\r\n` and for an empty inline line: the server reads on without a reply.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Gives back the memory of an unusually large command. To be called now and then, for
    /// instance when a session goes idle; forgets the arguments.
    pub fn trim(&mut self) {
        const KEEP: usize = 256;
        self.clear();
        self.spans.shrink_to(KEEP);
        self.inline_text.shrink_to(KEEP);
    }

    #[inline]
    pub(crate) fn clear(&mut self) {
        self.spans.clear();
        self.inline_text.clear();
        self.is_inline = false;
        self.is_canonical = false;
    }
}

/// A command's arguments, the name included. Borrowed and `Copy`.
#[derive(Clone, Copy)]
pub struct Args<'a> {
    text: &'a [u8],
    spans: &'a [Span],
    raw: &'a [u8],
    is_canonical: bool,
}

impl<'a> Args<'a> {
    /// The view after [`Decoder::decode`] returned `Some(consumed)`: `command` is
    /// `&buf[..consumed]` of the buffer that was decoded.
    ///
    /// The result is meaningless, and access may panic, with any other slice.
    #[inline]
    pub fn new(command: &'a [u8], ranges: &'a ArgRanges) -> Self {
        Args {
            text: if ranges.is_inline {
                &ranges.inline_text
            } else {
                command
            },
            spans: &ranges.spans,
            raw: command,
            is_canonical: ranges.is_canonical,
        }
    }

    /// How many arguments there are, the command's name included.
    #[inline]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// True for an empty request.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Argument `i`; 0 is the command's name.
    #[inline]
    pub fn get(&self, i: usize) -> Option<&'a [u8]> {
        self.spans.get(i).map(|span| span.of(self.text))
    }

    /// All arguments in order.
    #[inline]
    pub fn iter(&self) -> ArgsIter<'a> {
        ArgsIter {
            text: self.text,
            spans: self.spans.iter(),
        }
    }

    /// The arguments from `first` on (none if there are fewer), for a subcommand or a variadic
    /// tail. The view has no [`raw`](Self::raw) form of its own and is never canonical.
    #[inline]
    pub fn tail(&self, first: usize) -> Args<'a> {
        let spans = self.spans.get(first..).unwrap_or(&[]);
        Args {
            text: self.text,
            spans,
            raw: &[],
            is_canonical: false,
        }
    }

    /// The command as it came in, header and line ends included.
    #[inline]
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// True if [`raw`](Self::raw) is exactly what [`encode_command`] makes of these arguments, so
    /// that it may be copied into the log. False for inline commands, empty requests, and
    /// multibulk requests whose separators were sloppy (which Redis tolerates).
    #[inline]
    pub fn is_canonical(&self) -> bool {
        self.is_canonical
    }

    /// A copy that does not borrow.
    pub fn to_owned_args(&self) -> OwnedArgs {
        if !self.is_canonical {
            return OwnedArgs::from_slices(&self.iter().collect::<Vec<_>>());
        }
        OwnedArgs {
            bytes: self.raw.into(),
            spans: self.spans.into(),
        }
    }
}

impl Index<usize> for Args<'_> {
    type Output = [u8];

    /// Argument `i`, for callers that have checked the arity.
    #[inline]
    fn index(&self, i: usize) -> &[u8] {
        self.spans[i].of(self.text)
    }
}

impl<'a> IntoIterator for Args<'a> {
    type Item = &'a [u8];
    type IntoIter = ArgsIter<'a>;

    #[inline]
    fn into_iter(self) -> ArgsIter<'a> {
        self.iter()
    }
}

impl fmt::Debug for Args<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.iter().map(|arg| arg.escape_ascii().to_string()))
            .finish()
    }
}

/// Iterator over the arguments of a command.
#[derive(Clone)]
pub struct ArgsIter<'a> {
    text: &'a [u8],
    spans: std::slice::Iter<'a, Span>,
}

impl<'a> Iterator for ArgsIter<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        self.spans.next().map(|span| span.of(self.text))
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.spans.size_hint()
    }
}

impl DoubleEndedIterator for ArgsIter<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        self.spans.next_back().map(|span| span.of(self.text))
    }
}

impl ExactSizeIterator for ArgsIter<'_> {}

/// A command that owns its bytes, always in canonical form.
#[derive(Clone, PartialEq, Eq)]
pub struct OwnedArgs {
    bytes: Box<[u8]>,
    spans: Box<[Span]>,
}

impl OwnedArgs {
    /// Builds a command from its arguments: what a script calls, or a test.
    pub fn from_slices<A: AsRef<[u8]>>(args: &[A]) -> Self {
        let mut bytes = Vec::new();
        encode_command(&mut bytes, args);
        let mut ranges = ArgRanges::new();
        let limits = Limits {
            max_bulk_bytes: usize::MAX,
            max_args: usize::MAX,
            ..Limits::default()
        };
        let read = Decoder::new().decode(&bytes, &limits, &mut ranges);
        assert_eq!(read, Ok(Some(bytes.len())), "our own encoding must decode");
        OwnedArgs {
            bytes: bytes.into(),
            spans: ranges.spans.into(),
        }
    }

    /// The view handlers take.
    #[inline]
    pub fn as_args(&self) -> Args<'_> {
        let is_canonical = !self.spans.is_empty();
        Args {
            text: &self.bytes,
            spans: &self.spans,
            raw: &self.bytes,
            is_canonical,
        }
    }

    /// Memory held, for the accounting of queued commands.
    pub fn heap_bytes(&self) -> usize {
        self.bytes.len() + size_of_val::<[Span]>(&self.spans)
    }
}

impl fmt::Debug for OwnedArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_args().fmt(f)
    }
}
