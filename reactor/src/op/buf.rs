//! Buffers that an operation may own while the kernel reads or fills them.
//!
//! A future may be dropped or forgotten at any time, so memory that is merely
//! borrowed cannot be lent to the kernel. These buffers are given away instead,
//! and come back with the result.
//!
//! | buffer              | a read fills                   | its length then | a write sends |
//! |---------------------|--------------------------------|-----------------|---------------|
//! | `Vec<u8>`           | the capacity behind its bytes  | grows by `n`    | its bytes     |
//! | `BytesMut`          | the same                       | grows by `n`    | its bytes     |
//! | `Box<[u8]>`         | from its first byte on         | stays           | its bytes     |
//! | [`Slice`] of these  | from the range's first byte on | stays           | the range     |
//! | `Bytes`, `String`, `&'static [u8]`, `&'static str` | cannot be read into | | its bytes |
//!
//! No buffer is ever grown: there would be no end of it. A read into a buffer
//! without room yields 0, as at the end of a file.
//!
//! | memory         | who may touch it                | until                     |
//! |----------------|---------------------------------|---------------------------|
//! | of an `IoBuf`  | its owner; lent: the kernel reads | `OpCell::complete` is run |
//! | of an `IoBufMut` | its owner; lent: the kernel alone | `OpCell::complete` is run |

#![allow(
    unsafe_code,
    reason = "the traits are promises about memory; see the table"
)]

use bytes::{Bytes, BytesMut};
use std::fmt;
use std::ops::{Bound, Deref, RangeBounds};

/// Bytes that may be given to an operation which sends them.
///
/// # Safety
///
/// From `as_ptr` on, `len` bytes are initialized. Until a method that takes
/// `&mut self` is called or the buffer is dropped, they stay where they are and
/// do not change, *also while the value itself is moved*: so an array is no
/// `IoBuf`, and a `Box` of one is.
///
/// `as_ptr` and `len` only tell: they call nothing of this crate and wait for
/// nothing, since they are asked while the reactor is borrowed and the operation
/// is locked. The default value, the drop and `filled` may do what they like.
///
/// The default value stands for a buffer that the kernel did not let go of
/// before the runtime ended; the buffer itself is leaked then.
pub unsafe trait IoBuf: Send + Unpin + Default + 'static {
    /// Where its bytes begin.
    fn as_ptr(&self) -> *const u8;

    /// How many bytes it has.
    fn len(&self) -> usize;

    /// Whether it has no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its bytes.
    fn bytes(&self) -> &[u8] {
        // SAFETY: the trait's promise: `len` initialized bytes, which do not
        // move or change while `self` is borrowed.
        unsafe { std::slice::from_raw_parts(self.as_ptr(), self.len()) }
    }

    /// A part of its bytes, as a buffer of its own: what a write sends, and
    /// where a read puts what comes.
    ///
    /// [`Slice::into_inner`] gives the whole back. With this trait in scope,
    /// the method of the same name that `Bytes` has is `Bytes::slice(&b, ..)`.
    ///
    /// # Panics
    ///
    /// If the range ends before it begins, or behind the last byte.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_reactor::op::IoBuf;
    ///
    /// let part = b"hello world".to_vec().slice(6..);
    /// assert_eq!(part.bytes(), b"world");
    /// assert_eq!(part.into_inner(), b"hello world");
    /// ```
    #[track_caller]
    fn slice(self, range: impl RangeBounds<usize>) -> Slice<Self> {
        Slice::new(self, range)
    }
}

/// Memory that may be given to an operation which fills it.
///
/// # Safety
///
/// As of [`IoBuf`]; and the bytes from `as_mut_ptr` on, and the memory that
/// `room` tells, belong to this value alone, stay where they are, and may be
/// written until a method that takes `&mut self` is called or the buffer is
/// dropped. Until such a method other than these two is called, they tell the
/// same each time; and they only tell, as `as_ptr` and `len` do.
pub unsafe trait IoBufMut: IoBuf {
    /// Where its bytes begin, `len` of them; the same place as `as_ptr`.
    fn as_mut_ptr(&mut self) -> *mut u8;

    /// Where a read puts its first byte, and for how many there is memory,
    /// initialized or not.
    fn room(&mut self) -> (*mut u8, usize);

    /// A read has put `n` bytes where `room` says.
    ///
    /// # Safety
    ///
    /// It has: they are initialized now, and not more than there was room for.
    unsafe fn filled(&mut self, n: usize);
}

// SAFETY: the bytes are in an allocation that moves with none of its owners,
// and of which a `Vec` is the only one.
unsafe impl IoBuf for Vec<u8> {
    fn as_ptr(&self) -> *const u8 {
        Vec::as_ptr(self)
    }

    fn len(&self) -> usize {
        Vec::len(self)
    }
}

// SAFETY: as above; the room is the rest of that allocation.
unsafe impl IoBufMut for Vec<u8> {
    fn as_mut_ptr(&mut self) -> *mut u8 {
        Vec::as_mut_ptr(self)
    }

    fn room(&mut self) -> (*mut u8, usize) {
        let spare = self.spare_capacity_mut();
        (spare.as_mut_ptr().cast(), spare.len())
    }

    unsafe fn filled(&mut self, n: usize) {
        let len = Vec::len(self) + n;
        // SAFETY: the caller has filled the `n` bytes behind the others.
        unsafe { self.set_len(len) };
    }
}

// SAFETY: the bytes are the box's own allocation.
unsafe impl IoBuf for Box<[u8]> {
    fn as_ptr(&self) -> *const u8 {
        <[u8]>::as_ptr(self)
    }

    fn len(&self) -> usize {
        <[u8]>::len(self)
    }
}

// SAFETY: as above; all of it is initialized.
unsafe impl IoBufMut for Box<[u8]> {
    fn as_mut_ptr(&mut self) -> *mut u8 {
        <[u8]>::as_mut_ptr(self)
    }

    fn room(&mut self) -> (*mut u8, usize) {
        (<[u8]>::as_mut_ptr(self), <[u8]>::len(self))
    }

    unsafe fn filled(&mut self, _: usize) {}
}

// SAFETY: the bytes are shared and never written, and this value counts as one
// of their owners.
unsafe impl IoBuf for Bytes {
    fn as_ptr(&self) -> *const u8 {
        <[u8]>::as_ptr(self)
    }

    fn len(&self) -> usize {
        Bytes::len(self)
    }
}

// SAFETY: the bytes are in an allocation of which this value has a part for
// itself; they move in methods that take `&mut self` only.
unsafe impl IoBuf for BytesMut {
    fn as_ptr(&self) -> *const u8 {
        <[u8]>::as_ptr(self)
    }

    fn len(&self) -> usize {
        BytesMut::len(self)
    }
}

// SAFETY: as above; the room is the rest of that part.
unsafe impl IoBufMut for BytesMut {
    fn as_mut_ptr(&mut self) -> *mut u8 {
        <[u8]>::as_mut_ptr(self)
    }

    fn room(&mut self) -> (*mut u8, usize) {
        let spare = self.spare_capacity_mut();
        (spare.as_mut_ptr().cast(), spare.len())
    }

    unsafe fn filled(&mut self, n: usize) {
        let len = BytesMut::len(self) + n;
        // SAFETY: the caller has filled the `n` bytes behind the others.
        unsafe { self.set_len(len) };
    }
}

// SAFETY: as of `Vec<u8>`, which is inside.
unsafe impl IoBuf for String {
    fn as_ptr(&self) -> *const u8 {
        str::as_ptr(self)
    }

    fn len(&self) -> usize {
        String::len(self)
    }
}

// SAFETY: what is borrowed for ever neither moves nor changes nor goes.
unsafe impl IoBuf for &'static [u8] {
    fn as_ptr(&self) -> *const u8 {
        <[u8]>::as_ptr(self)
    }

    fn len(&self) -> usize {
        <[u8]>::len(self)
    }
}

// SAFETY: as above.
unsafe impl IoBuf for &'static str {
    fn as_ptr(&self) -> *const u8 {
        str::as_ptr(self)
    }

    fn len(&self) -> usize {
        str::len(self)
    }
}

/// A part of a buffer's bytes; made by [`IoBuf::slice`].
///
/// # Example
///
/// ```
/// use wakeline_reactor::op::{IoBuf, Slice};
///
/// let part: Slice<&'static str> = "hello".slice(1..3);
/// assert_eq!(&part[..], b"el");
/// assert_eq!(part.range(), 1..3);
/// ```
#[derive(Default, PartialEq, Eq)]
pub struct Slice<B> {
    buf: B,
    start: usize,
    end: usize,
}

impl<B: IoBuf> Slice<B> {
    #[track_caller]
    fn new(buf: B, range: impl RangeBounds<usize>) -> Slice<B> {
        let start = match range.start_bound() {
            Bound::Included(&start) => start,
            Bound::Excluded(&before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(&last) => last.saturating_add(1),
            Bound::Excluded(&end) => end,
            Bound::Unbounded => buf.len(),
        };
        let len = buf.len();
        assert!(
            start <= end && end <= len,
            "the part {start}..{end} is not within the buffer's {len} bytes"
        );
        Slice { buf, start, end }
    }

    /// Which part of the buffer it is.
    #[must_use]
    pub fn range(&self) -> std::ops::Range<usize> {
        self.start..self.end
    }

    /// The whole buffer.
    #[must_use]
    pub fn get_ref(&self) -> &B {
        &self.buf
    }

    /// Gives the whole buffer back.
    #[must_use]
    pub fn into_inner(self) -> B {
        self.buf
    }
}

// SAFETY: `new`, the only way to a range that is not empty, has seen that it
// is within the initialized bytes of this very buffer, and
// they do not become fewer: nothing here gives out the buffer mutably. The rest
// is the buffer's own promise.
unsafe impl<B: IoBuf> IoBuf for Slice<B> {
    fn as_ptr(&self) -> *const u8 {
        self.buf.as_ptr().wrapping_add(self.start)
    }

    fn len(&self) -> usize {
        self.end - self.start
    }
}

// SAFETY: as above; a part of what is the buffer's alone is, too.
unsafe impl<B: IoBufMut> IoBufMut for Slice<B> {
    fn as_mut_ptr(&mut self) -> *mut u8 {
        self.buf.as_mut_ptr().wrapping_add(self.start)
    }

    fn room(&mut self) -> (*mut u8, usize) {
        (self.as_mut_ptr(), self.end - self.start)
    }

    unsafe fn filled(&mut self, _: usize) {}
}

/// Panics if the clone of the buffer is too short for the range: a buffer's
/// `Clone` promises nothing, and all that reads a part relies on its range.
impl<B: IoBuf + Clone> Clone for Slice<B> {
    fn clone(&self) -> Slice<B> {
        Slice::new(self.buf.clone(), self.range())
    }
}

impl<B: IoBuf> Deref for Slice<B> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes()
    }
}

impl<B> fmt::Debug for Slice<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slice")
            .field("range", &(self.start..self.end))
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
