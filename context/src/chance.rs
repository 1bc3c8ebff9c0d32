//! Chance for choices that must be fair and need not be secret.
//!
//! Where several futures are polled in one task, the first to be polled wins
//! when several are ready. A fixed order starves the last one; an order that
//! only rotates resonates with loops that poll in the same rhythm. So the first
//! one is drawn.
//!
//! Each thread draws from a sequence of its own (xorshift64*), whose seed is
//! its number in the order of first draws: a program of one thread repeats
//! itself. A simulation sets the seed with [`replace_seed`].

use std::cell::Cell;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};

thread_local! {
    static STATE: Cell<u64> = Cell::new(fresh_seed());
}

/// A seed for the next thread.
fn fresh_seed() -> u64 {
    static THREADS: AtomicU64 = AtomicU64::new(0);
    // Relaxed: each thread needs a number of its own, nothing is handed over.
    spread(THREADS.fetch_add(1, Ordering::Relaxed))
}

/// Neighbouring numbers to seeds far apart (splitmix64), none of them zero.
fn spread(number: u64) -> u64 {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    NonZeroU64::new(z ^ (z >> 31)).map_or(1, NonZeroU64::get)
}

/// Starts this thread's sequence anew from `seed`; gives what continues the
/// one before, for [`restore`].
///
/// # Example
///
/// ```
/// use wakeline_context::chance;
///
/// let before = chance::replace_seed(7);
/// let first: Vec<usize> = (0..8).map(|_| chance::below(6)).collect();
/// drop(chance::replace_seed(7));
/// let again: Vec<usize> = (0..8).map(|_| chance::below(6)).collect();
/// assert_eq!(first, again);
/// chance::restore(before);
/// ```
#[must_use = "what it gives continues the sequence before"]
pub fn replace_seed(seed: u64) -> Sequence {
    Sequence(STATE.replace(spread(seed)))
}

/// Goes on with the sequence that [`replace_seed`] took away.
pub fn restore(sequence: Sequence) {
    STATE.set(sequence.0);
}

/// Where a thread's sequence stands.
#[derive(Debug)]
pub struct Sequence(u64);

/// A number below `end`; 0 if there is none, and while the thread is ending.
#[must_use]
#[inline]
pub fn below(end: usize) -> usize {
    if end < 2 {
        return 0;
    }
    let drawn = STATE.try_with(|state| {
        let mut x = state.get();
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        state.set(x);
        x.wrapping_mul(0x2545_f491_4f6c_dd1d)
    });
    // The high bits are the better ones. The modulus favours small numbers by
    // one part in billions.
    drawn.map_or(0, |x| (x >> 32) as usize % end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_drawn_about_as_often() {
        let before = replace_seed(1);
        for end in [2_usize, 3, 5, 64] {
            let mut drawn = vec![0_u32; end];
            for _ in 0..1_000 * end {
                drawn[below(end)] += 1;
            }
            for (number, times) in drawn.into_iter().enumerate() {
                assert!((800..1_200).contains(&times), "{number} of {end}: {times}");
            }
        }
        restore(before);
    }

    #[test]
    fn there_is_nothing_to_draw_below_two() {
        assert_eq!((below(0), below(1)), (0, 0));
    }

    #[test]
    fn a_restored_sequence_goes_on_where_it_was() {
        let before = replace_seed(3);
        let expected: Vec<_> = (0..4).map(|_| below(100)).collect();
        drop(replace_seed(3));
        assert_eq!(below(100), expected[0]);
        let paused = replace_seed(4);
        let _ = below(100);
        restore(paused);
        assert_eq!([below(100), below(100), below(100)], expected[1..]);
        restore(before);
    }
}
