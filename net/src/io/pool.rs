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
use std::sync::atomic::{AtomicU8, Ordering};

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
            _ if bytes <= Class::Small.bytes() => Some(Class::Small),
            _ if bytes <= Class::Medium.bytes() => Some(Class::Medium),
            _ if bytes <= Class::Large.bytes() => Some(Class::Large),
            _ => None,
        }
    }
}

/// How large a buffer the next read of one stream should borrow: grows when a
/// read fills it, shrinks when some reads in a row leave most of it empty. One
/// alone may be the end of a message that came in parts.
#[derive(Debug, Default)]
pub(crate) struct SizeHint(AtomicU8);

/// So many reads in a row that leave most of their buffer empty.
const SMALL_IN_A_ROW: u8 = 4;

impl SizeHint {
    /// The number of the class below, that of small reads in a row above.
    const ROW: u8 = 4;

    #[inline]
    pub(crate) fn get(&self) -> Class {
        // Relaxed, here and below: a hint, and nothing depends on it.
        Class::of_number(self.0.load(Ordering::Relaxed) % Self::ROW)
    }

    /// A read into a buffer of this hint's size gave `n` bytes.
    #[inline]
    pub(crate) fn learn(&self, n: usize) {
        let before = self.0.load(Ordering::Relaxed);
        let next = match Class::of_number(before % Self::ROW) {
            Class::Small if n >= Class::Small.bytes() => Class::Medium as u8,
            Class::Medium if n >= Class::Medium.bytes() => Class::Large as u8,
            Class::Medium if n <= Class::Small.bytes() / 2 => small(before),
            Class::Large if n <= Class::Medium.bytes() / 2 => small(before),
            class => class as u8,
        };
        if next != before {
            self.0.store(next, Ordering::Relaxed);
        }
    }
}

/// One small read more than `before`.
fn small(before: u8) -> u8 {
    if before / SizeHint::ROW + 1 < SMALL_IN_A_ROW {
        before + SizeHint::ROW
    } else {
        before % SizeHint::ROW - 1
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
    vec![0; class.bytes()].into_boxed_slice()
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
        let Some(class) = Class::holding(bytes.len()).filter(|class| class.bytes() == bytes.len())
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
    fn a_hint_grows_when_filled_and_shrinks_when_mostly_empty_for_a_while() {
        let hint = SizeHint::default();
        for (n, times, expected_kib) in [
            (4_096, 1, 16),
            (100, 3, 16),
            (100, 1, 4),
            (4_096, 1, 16),
            (9_000, 9, 16),
            (16_384, 1, 64),
            (65_536, 2, 64),
            (9_000, 9, 64),
            (8_192, 3, 64),
            (65_483, 1, 64), // a message in two parts, and again
            (53, 3, 64),
            (65_483, 1, 64),
            (53, 4, 16),
            (53, 4, 4),
            (53, 9, 4),
        ] {
            (0..times).for_each(|_| hint.learn(n));
            assert_eq!(hint.get().bytes() >> 10, expected_kib, "{times} times {n}");
        }
    }

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
