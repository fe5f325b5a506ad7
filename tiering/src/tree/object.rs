//! A value of one or more trees: small, as bytes inside its entry; large, as an object that owns its pages.
//!
//! ```text
//!   small, in its entry and in its cold record alike
//!     byte 0      number of trees (1..=15), and 0x40 if the head is there
//!     head        u32 LE length of the extra bytes, the extra bytes, u32 LE length of each page but the last
//!     pages       one leaf each
//!
//!   large, in its cold record
//!     byte 0      number of trees, and 0x80
//!     u64 LE      object id
//!     u64 LE      epoch in which it was written
//!     u32 u32     page numbers used so far, pages there are
//!     u16, u32 …  free page numbers
//!     per tree    u8 flavour, u8 height, u32 root page, u64 length, u32 shifts
//!     extra       the rest
//!
//!   large, in its entry
//!     byte 0      0x80
//!     8 bytes     address of the `Object`
//! ```
//!
//! The extra bytes are the type's own (a stream's last id). One tree without extra bytes has no head.

use std::sync::OnceLock;

use super::leaf::{self, Flavour};
use super::pages::PageTable;
use super::read::{Single, View};
use super::write::Editor;
use super::{PageId, Shape, inner};
use crate::page::Page;

/// Identity of a large value's pages; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ObjectId(pub(crate) u64);

/// Values longer than this become objects …
pub(crate) const SMALL_MAX: usize = 2048;
/// … and objects shorter than this become small again.
pub(crate) const SMALL_AGAIN: usize = 1024;

/// In byte 0: it is an object.
pub(crate) const LARGE: u8 = 0x80;
const HEAD: u8 = 0x40;
const TREES: u8 = 0x0F;

/// A small value, in parts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Small<'a> {
    pub(crate) extra: &'a [u8],
    pages: [&'a [u8]; 4],
    trees: usize,
}

impl<'a> Small<'a> {
    /// A value of these pages.
    pub(crate) fn of_pages(pages: impl Iterator<Item = &'a [u8]>) -> Small<'a> {
        let mut small = Small::default();
        for page in pages {
            small.pages[small.trees] = page;
            small.trees += 1;
        }
        small
    }

    /// Takes a small value apart; `None` if it is none.
    pub(crate) fn parse(value: &'a [u8]) -> Option<Small<'a>> {
        let (&first, mut rest) = value.split_first()?;
        let trees = usize::from(first & TREES);
        let mut small = Small {
            trees,
            ..Small::default()
        };
        if first & LARGE != 0 || trees == 0 || trees > small.pages.len() {
            return None;
        }
        let mut lens = [0; 4];
        if first & HEAD != 0 {
            let extra = take_u32(&mut rest)? as usize;
            small.extra = rest.get(..extra)?;
            rest = &rest[extra..];
            for len in &mut lens[..trees - 1] {
                *len = take_u32(&mut rest)? as usize;
            }
        } else if trees != 1 {
            return None;
        }
        for (page, len) in small.pages[..trees - 1].iter_mut().zip(lens) {
            *page = rest.get(..len)?;
            rest = &rest[len..];
        }
        small.pages[trees - 1] = rest;
        Some(small)
    }

    /// True if its pages are those of a value of these trees, of which it has at least `least`.
    pub(crate) fn is_sound(&self, flavours: &[Flavour], least: usize) -> bool {
        (least..=flavours.len()).contains(&self.trees)
            && self.pages[..self.trees]
                .iter()
                .zip(flavours)
                .all(|(page, flavour)| leaf::is_sound(page, *flavour))
    }

    pub(crate) fn trees(&self) -> usize {
        self.trees
    }

    /// The page of a tree.
    pub(crate) fn page(&self, tree: usize) -> &'a [u8] {
        self.pages[tree]
    }

    /// A tree, to be read.
    pub(crate) fn view(&self, tree: usize, flavour: Flavour) -> View<Single<'a>> {
        let page = self.pages[tree];
        View::new(Single(page), Single::shape(page, flavour))
    }
}

/// Bytes of a small value of these pages.
pub(crate) fn small_bytes(extra: &[u8], pages: &[Vec<u8>]) -> usize {
    let head = if pages.len() == 1 && extra.is_empty() {
        0
    } else {
        extra.len() + 4 * pages.len()
    };
    1 + head + pages.iter().map(Vec::len).sum::<usize>()
}

/// Puts a small value together.
pub(crate) fn encode_small<P: AsRef<[u8]>>(extra: &[u8], pages: &[P], out: &mut Vec<u8>) {
    out.clear();
    let trees = pages.len() as u8;
    if pages.len() == 1 && extra.is_empty() {
        out.push(trees);
    } else {
        out.push(trees | HEAD);
        out.extend_from_slice(&(extra.len() as u32).to_le_bytes());
        out.extend_from_slice(extra);
        for page in &pages[..pages.len() - 1] {
            out.extend_from_slice(&(page.as_ref().len() as u32).to_le_bytes());
        }
    }
    for page in pages {
        out.extend_from_slice(page.as_ref());
    }
}

/// A large value.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) id: ObjectId,
    pub(crate) trees: Vec<Shape>,
    pub(crate) table: PageTable,
    pub(crate) extra: Vec<u8>,
}

impl Object {
    /// An object of single pages.
    pub(crate) fn of_pages(
        id: ObjectId,
        flavours: &[Flavour],
        pages: Vec<Vec<u8>>,
        extra: Vec<u8>,
    ) -> Object {
        let mut table = PageTable::new();
        let trees = flavours.iter().zip(pages).map(|(flavour, page)| {
            let shape = Single::shape(&page, *flavour);
            Shape {
                root: table.add(&page),
                ..shape
            }
        });
        let trees = trees.collect();
        Object {
            id,
            trees,
            table,
            extra,
        }
    }

    /// A tree, to be read.
    pub(crate) fn view(&self, tree: usize) -> View<&PageTable> {
        View::new(&self.table, self.trees[tree])
    }

    /// A tree, to be changed.
    pub(crate) fn editor(&mut self, tree: usize) -> Editor<'_> {
        Editor {
            pages: &mut self.table,
            shape: &mut self.trees[tree],
        }
    }

    /// Adds a tree without elements.
    pub(crate) fn add_tree(&mut self, flavour: Flavour) {
        let page = leaf::empty(flavour);
        let shape = Single::shape(&page, flavour);
        let root = self.table.add(&page);
        self.trees.push(Shape { root, ..shape });
    }

    /// Drops the second tree, which is empty, and the extra bytes. Not while it has more than a page, as it may where a
    /// neighbour was absent when the last element went.
    pub(crate) fn drop_second(&mut self) {
        if let [_, shape] = self.trees[..]
            && shape.height == 0
        {
            self.table.free(shape.root);
            self.trees.truncate(1);
            self.extra.clear();
        }
    }

    /// The same value as another object, which shares the pages until one of them is written. All pages must be in
    /// memory.
    pub(crate) fn share(&self, id: ObjectId) -> Object {
        assert!(
            self.table.is_whole(),
            "a value is in memory as a whole before it is copied"
        );
        Object {
            id,
            trees: self.trees.clone(),
            table: self.table.share(),
            extra: self.extra.clone(),
        }
    }

    /// The value as a small one, if it has become one.
    pub(crate) fn as_small(&self) -> Option<Vec<u8>> {
        if self.trees.iter().any(|tree| tree.height > 0) {
            return None;
        }
        let pages: Option<Vec<&[u8]>> = self
            .trees
            .iter()
            .map(|tree| {
                use super::Pages as _;
                self.table.page(tree.root)
            })
            .collect();
        let pages = pages?;
        if pages.iter().map(|page| page.len()).sum::<usize>() + self.extra.len() > SMALL_AGAIN {
            return None;
        }
        let mut out = Vec::new();
        encode_small(&self.extra, &pages, &mut out);
        Some(out)
    }

    /// Bytes in memory.
    pub(crate) fn memory(&self) -> usize {
        size_of::<Object>()
            + self.table.memory()
            + self.extra.capacity()
            + self.trees.capacity() * size_of::<Shape>()
    }

    /// About what all its pages take, in memory or not: for the most part they are full.
    pub(crate) fn whole_bytes(&self) -> u64 {
        const PAGE_BYTES: u64 = 1536;
        u64::from(self.table.stored().1) * PAGE_BYTES
    }

    /// Appends what the cold record holds of it.
    pub(crate) fn encode_root(&self, out: &mut Vec<u8>) {
        out.push(LARGE | self.trees.len() as u8);
        out.extend_from_slice(&self.id.0.to_le_bytes());
        out.extend_from_slice(&self.table.epoch().to_le_bytes());
        let (next, live, free) = self.table.stored();
        out.extend_from_slice(&next.to_le_bytes());
        out.extend_from_slice(&live.to_le_bytes());
        out.extend_from_slice(&(free.len() as u16).to_le_bytes());
        for id in free {
            out.extend_from_slice(&id.0.to_le_bytes());
        }
        for tree in &self.trees {
            out.extend_from_slice(&[tree.flavour as u8, tree.height]);
            out.extend_from_slice(&tree.root.0.to_le_bytes());
            out.extend_from_slice(&tree.len.to_le_bytes());
            out.extend_from_slice(&tree.shifts.to_le_bytes());
        }
        out.extend_from_slice(&self.extra);
    }

    /// The object whose root a cold record holds; its pages are absent. `None` if it is no root.
    pub(crate) fn decode_root(payload: &[u8]) -> Option<Object> {
        let (&first, mut rest) = payload.split_first()?;
        if first & LARGE == 0 {
            return None;
        }
        let id = ObjectId(take_u64(&mut rest)?);
        let epoch = take_u64(&mut rest)?;
        let (next, live) = (take_u32(&mut rest)?, take_u32(&mut rest)?);
        let free = u16::from_le_bytes(take(&mut rest)?);
        let free: Option<Vec<PageId>> =
            (0..free).map(|_| take_u32(&mut rest).map(PageId)).collect();
        let mut trees = Vec::new();
        for _ in 0..first & TREES {
            let [flavour, height] = take(&mut rest)?;
            trees.push(Shape {
                flavour: Flavour::from_code(flavour)?,
                height,
                root: PageId(take_u32(&mut rest)?),
                len: take_u64(&mut rest)?,
                shifts: take_u32(&mut rest)?,
            });
        }
        Some(Object {
            id,
            trees,
            table: PageTable::of(next, live, free?, epoch),
            extra: rest.to_vec(),
        })
    }

    /// The object a payload belongs to, if it is a large value's root.
    pub(crate) fn id_of(payload: &[u8]) -> Option<ObjectId> {
        let (&first, mut rest) = payload.split_first()?;
        if first & LARGE == 0 {
            return None;
        }
        take_u64(&mut rest).map(ObjectId)
    }
}

/// True if the bytes are a page of some tree that can be read without surprises.
pub(crate) fn is_sound_page(page: &[u8]) -> bool {
    match page.first() {
        Some(flags) if flags & leaf::INNER != 0 => inner::is_sound(page, flags & leaf::KEYS != 0),
        Some(flags) => Flavour::from_code(flags & (leaf::KEYS | leaf::VALUES))
            .is_some_and(|flavour| leaf::is_sound(page, flavour)),
        None => false,
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (field, behind) = rest.split_first_chunk::<N>()?;
    *rest = behind;
    Some(*field)
}

fn take_u32(rest: &mut &[u8]) -> Option<u32> {
    take(rest).map(u32::from_le_bytes)
}

fn take_u64(rest: &mut &[u8]) -> Option<u64> {
    take(rest).map(u64::from_le_bytes)
}

/// Frees an object: one of many pages on a thread of its own, so that no command waits for it.
pub(crate) fn discard(object: Box<Object>) {
    const INLINE_PAGES: usize = 256;
    static DISCARDER: OnceLock<Option<crossbeam_channel::Sender<Box<Object>>>> = OnceLock::new();
    if object.table.resident() <= INLINE_PAGES {
        return;
    }
    let sender = DISCARDER.get_or_init(|| {
        let (sender, receiver) = crossbeam_channel::unbounded::<Box<Object>>();
        let thread = std::thread::Builder::new().name("discarder".to_owned());
        thread
            .spawn(move || receiver.into_iter().for_each(drop))
            .ok()
            .map(|_| sender)
    });
    // Whoever cannot hand it over frees it here: `send` gives it back.
    if let Some(sender) = sender {
        let _ = sender.send(object);
    }
}

/// A page read from the cold tier; `None` if it is damaged.
pub(crate) fn page_of(bytes: &[u8]) -> Option<Page> {
    is_sound_page(bytes).then(|| Page::new(bytes))
}
