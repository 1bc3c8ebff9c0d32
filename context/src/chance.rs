//! Chance for choices that must be fair and need not be secret.
//!
//! Where several futures are polled in one task, the first to be polled wins
//! when several are ready. A fixed order starves the last one; an order that
//! only rotates resonates with loops that poll in the same rhythm. So the first
//! one is drawn.
//!
//! Each thread draws from a sequence of its own (xorshift64*), whose seed is
//! its number in the order of first draws: a program of one thread repeats
//! itself. A simulation sets the seed with [`seeded`].

use std::cell::Cell;
use std::marker::PhantomData;
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

/// Starts this thread's sequence anew from `seed`, until the guard is dropped;
/// then the sequence before goes on.
///
/// # Example
///
/// ```
/// use wakeline_context::chance;
///
/// let draw = || {
///     let _seeded = chance::seeded(7);
///     [(); 8].map(|()| chance::below(6))
/// };
/// assert_eq!(draw(), draw());
/// ```
#[must_use = "the sequence before goes on when this is dropped"]
pub fn seeded(seed: u64) -> Seeded {
    Seeded {
        before: STATE.replace(spread(seed)),
        of_this_thread: PhantomData,
    }
}

/// The guard of [`seeded`].
#[derive(Debug)]
pub struct Seeded {
    before: u64,
    of_this_thread: PhantomData<*const ()>,
}

impl Drop for Seeded {
    fn drop(&mut self) {
        // It fails while the thread is ending, and then nobody draws any more.
        let _ = STATE.try_with(|state| state.set(self.before));
    }
}

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
        let _seeded = seeded(1);
        for end in [2_usize, 3, 5, 64] {
            let mut drawn = vec![0_u32; end];
            for _ in 0..1_000 * end {
                drawn[below(end)] += 1;
            }
            for (number, times) in drawn.into_iter().enumerate() {
                assert!((800..1_200).contains(&times), "{number} of {end}: {times}");
            }
        }
    }

    #[test]
    fn there_is_nothing_to_draw_below_two() {
        assert_eq!((below(0), below(1)), (0, 0));
    }

    #[test]
    fn the_sequence_before_goes_on_after_a_seeded_one() {
        let expected = {
            let _seeded = seeded(3);
            [below(100), below(100), below(100)]
        };
        let _seeded = seeded(3);
        let first = below(100);
        {
            let _inner = seeded(4);
            let _ = below(100);
        }
        assert_eq!([first, below(100), below(100)], expected);
    }
}
