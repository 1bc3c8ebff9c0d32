//! How large a buffer the next read of one stream should borrow.
//!
//! ```text
//!                       what came, and a little more, decides
//!    unknown, reads 64 KiB ────────────────────────────▶ 4 │ 16 │ 64 KiB
//!        ▲                                                │  ▲
//!        └────────────────── a read filled it ────────────┘  └ four small ones
//!                                                              in a row: less
//! ```
//!
//! The unknown is read into a large buffer, which goes back at once. It is not
//! the calls alone that this spares: Linux sizes the window of a TCP stream by
//! its first reads, and if they were small, most of the large messages that come
//! later are acknowledged in their reads, not as they arrive: 4 % of a message
//! of 64 KiB.
//!
//! Who cannot exchange the buffer starts with a small one and [`learn`]s.
//!
//! [`learn`]: SizeHint::learn

use super::{Class, PooledBuf, take};
use std::sync::atomic::{AtomicU8, Ordering};

/// Grows when a read fills the buffer, shrinks when some reads in a row leave
/// most of it empty. One alone may be the end of a message that came in parts.
#[derive(Debug, Default)]
pub(crate) struct SizeHint(AtomicU8);

/// So many reads in a row that leave most of their buffer empty.
const SMALL_IN_A_ROW: u8 = 4;

impl SizeHint {
    /// The number of the class below, that of small reads in a row above.
    const ROW: u8 = 4;
    /// In the place of a class.
    const UNKNOWN: u8 = 3;

    /// For [`take`](SizeHint::take) and [`settle`](SizeHint::settle).
    pub(crate) const fn unknown() -> SizeHint {
        SizeHint(AtomicU8::new(Self::UNKNOWN))
    }

    /// A buffer to read into.
    #[inline]
    pub(crate) fn take(&self) -> PooledBuf {
        take(self.get())
    }

    /// What was read into `buf`, all of a buffer from [`take`](SizeHint::take),
    /// to be handed out; learns from it.
    #[inline]
    pub(crate) fn settle(&self, buf: PooledBuf) -> PooledBuf {
        let before = self.0.load(Ordering::Relaxed);
        if before == Class::Small as u8 && buf.len() < Class::Small.bytes() {
            return buf; // by far the most
        }
        self.settle_large(before, buf)
    }

    #[inline(never)]
    fn settle_large(&self, before: u8, buf: PooledBuf) -> PooledBuf {
        let n = buf.len();
        if before == Self::UNKNOWN {
            let class = Class::holding(n + 1).unwrap_or(Class::Large);
            self.0.store(class as u8, Ordering::Relaxed);
            return buf.fitted(class);
        }
        self.learn(n);
        if n == buf.bytes.len() && n < Class::Large.memory() {
            self.0.store(Self::UNKNOWN, Ordering::Relaxed);
        }
        buf
    }

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
    fn the_unknown_is_read_at_once_and_handed_out_in_what_it_needs() {
        let hint = SizeHint::unknown();
        for (n, handed_kib, next_kib) in [
            (100, 4, 4),
            (4_096, 4, 64), // it may have been more
            (4_096, 16, 16),
            (9_000, 16, 16),
            (16_384, 16, 64),
            (65_536, 64, 64),
            (65_600, 64, 64),
            (9_000, 64, 64),
        ] {
            let mut buf = hint.take();
            buf.space()[..n].fill(7);
            buf.advance(n);
            let buf = hint.settle(buf);
            assert_eq!(&buf[..], &vec![7; n]);
            assert_eq!(buf.bytes.len() >> 10, handed_kib, "{n}");
            assert_eq!(hint.get().bytes() >> 10, next_kib, "{n}");
        }
    }
}
