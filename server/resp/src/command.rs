//! Writing commands: an array of bulk strings in its one canonical form. Used for the effects in
//! the log, towards replicas and masters, and by every client of ours.

use crate::encode::{push_bulk, push_header};

/// Appends a command made of `args`.
#[inline]
pub fn encode_command<A: AsRef<[u8]>>(out: &mut Vec<u8>, args: &[A]) {
    push_header(out, b'*', args.len());
    for arg in args {
        push_bulk(out, arg.as_ref());
    }
}

/// Appends a command argument by argument, for those that are computed on the way.
///
/// ```
/// let mut log = Vec::new();
/// basalt_resp::CommandWriter::begin(&mut log, 3).arg(b"PEXPIREAT").arg(b"k").arg_int(1234).finish();
/// assert_eq!(log, b"*3\r\n$9\r\nPEXPIREAT\r\n$1\r\nk\r\n$4\r\n1234\r\n");
/// ```
#[must_use = "a command is complete only after finish()"]
#[derive(Debug)]
pub struct CommandWriter<'a> {
    out: &'a mut Vec<u8>,
    remaining: usize,
}

impl<'a> CommandWriter<'a> {
    /// Starts a command of `argc` arguments, its name included.
    #[inline]
    pub fn begin(out: &'a mut Vec<u8>, argc: usize) -> Self {
        push_header(out, b'*', argc);
        CommandWriter {
            out,
            remaining: argc,
        }
    }

    /// Appends an argument.
    ///
    /// # Panics
    /// If there were `argc` already.
    #[inline]
    pub fn arg(mut self, bytes: &[u8]) -> Self {
        assert!(self.remaining > 0, "more arguments than announced");
        self.remaining -= 1;
        push_bulk(self.out, bytes);
        self
    }

    /// Appends an integer argument.
    #[inline]
    pub fn arg_int(self, value: i64) -> Self {
        self.arg(itoa::Buffer::new().format(value).as_bytes())
    }

    /// Appends several arguments.
    #[inline]
    pub fn args<A: AsRef<[u8]>>(self, args: impl IntoIterator<Item = A>) -> Self {
        args.into_iter()
            .fold(self, |writer, arg| writer.arg(arg.as_ref()))
    }

    /// Ends the command.
    ///
    /// # Panics
    /// If fewer than `argc` arguments were given: what was written would swallow the next command.
    #[inline]
    pub fn finish(self) {
        assert_eq!(self.remaining, 0, "fewer arguments than announced");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writer_and_slice_give_the_same_bytes() {
        let (mut one, mut other) = (Vec::new(), Vec::new());
        encode_command(&mut one, &[&b"SET"[..], b"", b"-12", &[0, 255]]);
        CommandWriter::begin(&mut other, 4)
            .args(["SET", ""])
            .arg_int(-12)
            .arg(&[0, 255])
            .finish();
        assert_eq!(one, other);
        assert_eq!(
            one,
            b"*4\r\n$3\r\nSET\r\n$0\r\n\r\n$3\r\n-12\r\n$2\r\n\x00\xff\r\n"
        );
    }

    #[test]
    #[should_panic(expected = "fewer arguments")]
    fn a_short_command_is_our_bug() {
        CommandWriter::begin(&mut Vec::new(), 2)
            .arg(b"GET")
            .finish();
    }

    #[test]
    #[should_panic(expected = "more arguments")]
    fn a_long_command_is_our_bug() {
        CommandWriter::begin(&mut Vec::new(), 1)
            .arg(b"GET")
            .arg(b"k")
            .finish();
    }
}
