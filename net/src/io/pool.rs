//! Buffers that are borrowed only while there is something in them.
//!
//! A connection that waits needs no buffer: it takes one when there is data and
//! gives it back when the data is gone. So ten thousand idle connections cost
//! no buffer at all, and the few that are in use stay in the cache.
//!
//! ```text
//!   free list of this thread ──take──▶ PooledBuf ──drop──▶ free list of the
//!    4 KiB │ 16 KiB │ 64 KiB                               dropping thread
//! ```
//!
//! A buffer is zeroed once, when it is made; later users may see old bytes in
//! [`PooledBuf::space`] before they overwrite them, but never through `Deref`,
//! which shows what was received and nothing else.

use std::cell::RefCell;
use std::fmt;
use std::ops::Deref;

mod hint;

pub(crate) use hint::SizeHint;

/// A message of 64 KiB leaves that much of a large buffer, so that its read is
/// short: that tells that there is no more, which else costs another call.
const ROOM: usize = 64;

/// The sizes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Class {
    #[default]
    Small,
    Medium,
    Large,
}

impl Class {
    const COUNT: usize = 3;

    #[inline]
    pub(crate) const fn bytes(self) -> usize {
        match self {
            Class::Small => 4 << 10,
            Class::Medium => 16 << 10,
            Class::Large => 64 << 10,
        }
    }

    /// What a buffer has in fact.
    #[inline]
    const fn memory(self) -> usize {
        match self {
            Class::Large => self.bytes() + ROOM,
            class => class.bytes(),
        }
    }

    /// How many free ones a thread keeps.
    const fn kept(self) -> usize {
        match self {
            Class::Small => 64,
            Class::Medium => 16,
            Class::Large => 8,
        }
    }

    #[inline]
    const fn of_number(number: u8) -> Class {
        match number {
            0 => Class::Small,
            1 => Class::Medium,
            _ => Class::Large,
        }
    }

    /// The smallest that holds `bytes`, if one does.
    #[inline]
    fn holding(bytes: usize) -> Option<Class> {
        match bytes {
            _ if bytes <= Class::Small.memory() => Some(Class::Small),
            _ if bytes <= Class::Medium.memory() => Some(Class::Medium),
            _ if bytes <= Class::Large.memory() => Some(Class::Large),
            _ => None,
        }
    }
}

type Free = [Vec<Box<[u8]>>; Class::COUNT];

thread_local! {
    static FREE: RefCell<Free> = const { RefCell::new([const { Vec::new() }; Class::COUNT]) };
}

/// Borrows a buffer of this size.
#[inline]
pub(crate) fn take(class: Class) -> PooledBuf {
    let free = FREE.try_with(|free| free.borrow_mut()[class as usize].pop());
    let bytes = match free {
        Ok(Some(bytes)) => bytes,
        // None is free, or the thread is ending.
        _ => make(class),
    };
    PooledBuf {
        bytes,
        start: 0,
        end: 0,
    }
}

#[cold]
fn make(class: Class) -> Box<[u8]> {
    vec![0; class.memory()].into_boxed_slice()
}

/// Bytes in a borrowed buffer, which goes back to its pool on drop.
///
/// It shows what was received: `&buf[..]`.
///
/// # Example
///
/// ```
/// # wakeline_net::testing::block_on(async {
/// # let (stream, mut peer) = wakeline_net::testing::tcp_pair().await?;
/// use wakeline_net::io::AsyncWriteExt;
///
/// peer.write_all(b"hello").await?;
/// let buf = stream.read_pooled().await?;
/// assert_eq!(&buf[..], b"hello");
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct PooledBuf {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

impl PooledBuf {
    /// No memory at all.
    pub(crate) fn none() -> PooledBuf {
        PooledBuf {
            bytes: Box::default(),
            start: 0,
            end: 0,
        }
    }

    pub(crate) fn is_none(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The unused end, to be received into.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        &mut self.bytes[self.end..]
    }

    /// `n` bytes of the space were filled.
    pub(crate) fn advance(&mut self, n: usize) {
        self.end += n;
        debug_assert!(self.end <= self.bytes.len());
    }

    /// The first `n` bytes are done with.
    pub(crate) fn consume(&mut self, n: usize) {
        debug_assert!(n <= self.len());
        self.start = (self.start + n).min(self.end);
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// The same bytes, in a buffer that is no larger than this, which holds them.
    fn fitted(self, class: Class) -> PooledBuf {
        if self.bytes.len() <= class.memory() {
            return self;
        }
        let mut fitting = take(class);
        fitting.space()[..self.len()].copy_from_slice(&self);
        fitting.advance(self.len());
        fitting
    }

    /// Makes room for at least one byte more, and for `total` in all if that
    /// is possible without copying into a larger size than a pool has.
    pub(crate) fn make_room(&mut self, total: usize) {
        if self.start > 0 && (self.end == self.bytes.len() || self.start + total > self.bytes.len())
        {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let wanted = total.max(self.end + 1);
        if wanted <= self.bytes.len() {
            return;
        }
        let mut larger = match Class::holding(wanted) {
            Some(class) => take(class),
            None => PooledBuf {
                bytes: vec![0; wanted.next_power_of_two()].into_boxed_slice(),
                start: 0,
                end: 0,
            },
        };
        larger.space()[..self.len()].copy_from_slice(self);
        larger.advance(self.len());
        *self = larger;
    }
}

impl Deref for PooledBuf {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }
}

impl AsRef<[u8]> for PooledBuf {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Drop for PooledBuf {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        let Some(class) = Class::holding(bytes.len()).filter(|class| class.memory() == bytes.len())
        else {
            return;
        };
        // The thread may be ending; then the buffer is simply freed.
        let _ = FREE.try_with(|free| {
            let free = &mut free.borrow_mut()[class as usize];
            if free.len() < class.kept() {
                free.push(bytes);
            }
        });
    }
}

impl fmt::Debug for PooledBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PooledBuf")
            .field("len", &self.len())
            .field("capacity", &self.bytes.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_buffer_is_the_next_one_taken() {
        let mut buf = take(Class::default());
        buf.space()[0] = 7;
        let at = buf.bytes.as_ptr();
        drop(buf);
        let buf = take(Class::default());
        assert_eq!(buf.bytes.as_ptr(), at);
        assert!(buf.is_empty(), "old bytes are not shown");
    }

    #[test]
    fn room_is_made_by_moving_first_and_by_growing_then() {
        let mut buf = take(Class::default());
        let n = buf.space().len();
        buf.space().fill(1);
        buf.advance(n);
        buf.consume(n - 2);
        buf.make_room(0);
        assert_eq!((buf.len(), buf.bytes.len()), (2, n), "moved");
        buf.make_room(n + 1);
        assert_eq!((buf.len(), buf.bytes.len()), (2, 16 << 10), "grown");
        buf.make_room(100 << 10);
        assert_eq!(
            (buf.len(), buf.bytes.len()),
            (2, 128 << 10),
            "beyond the pool"
        );
        assert_eq!(&buf[..], [1, 1]);
    }
}
