//! The bytes of an echo stream: any part of it can be made, and checked, from
//! its place alone.

use std::sync::OnceLock;

/// A prime, so that no power of two repeats with it: a byte that is lost,
/// doubled or swapped by a whole buffer shows at once.
const PERIOD: usize = 65_521;

/// The stream of one connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pattern {
    /// Where the connection's stream begins in the table.
    start: usize,
}

/// A byte that is not what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// Its place in the stream.
    pub(crate) at: u64,
    pub(crate) sent: u8,
    pub(crate) came: u8,
}

/// Twice the period, so that one period can be read from any place in the first.
fn table() -> &'static [u8] {
    static TABLE: OnceLock<Vec<u8>> = OnceLock::new();
    TABLE.get_or_init(|| {
        // xorshift64 (Marsaglia 2003), of a fixed seed: two runs send the same.
        let mut x = 0x9e37_79b9_7f4a_7c15_u64;
        let period: Vec<u8> = std::iter::repeat_with(|| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            (x >> 56) as u8
        })
        .take(PERIOD)
        .collect();
        [period.as_slice(), &period].concat()
    })
}

impl Pattern {
    pub(crate) fn of(connection: usize) -> Pattern {
        // Two connections that are mixed up have different bytes at one place.
        Pattern {
            start: connection.wrapping_mul(7919) % PERIOD,
        }
    }

    /// What stands at `at`, at most a period of it.
    fn piece(self, at: u64, length: usize) -> &'static [u8] {
        let from = (self.start + (at % PERIOD as u64) as usize) % PERIOD;
        &table()[from..from + length.min(PERIOD)]
    }

    /// Appends `length` bytes of the stream from `at` on.
    pub(crate) fn append(self, at: u64, length: usize, out: &mut Vec<u8>) {
        let mut done = 0;
        while done < length {
            let piece = self.piece(at + done as u64, length - done);
            out.extend_from_slice(piece);
            done += piece.len();
        }
    }

    /// Whether `bytes` is what stands at `at`.
    pub(crate) fn check(self, at: u64, bytes: &[u8]) -> Result<(), Wrong> {
        let mut done = 0;
        while done < bytes.len() {
            let here = at + done as u64;
            let piece = self.piece(here, bytes.len() - done);
            let came = &bytes[done..done + piece.len()];
            if came != piece {
                let pairs = piece.iter().zip(came).enumerate();
                let mut wrong = pairs.filter(|(_, (sent, came))| sent != came);
                if let Some((n, (&sent, &came))) = wrong.next() {
                    return Err(Wrong {
                        at: here + n as u64,
                        sent,
                        came,
                    });
                }
            }
            done += piece.len();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_part_is_found_right_and_any_change_is_seen() {
        let pattern = Pattern::of(3);
        let mut all = Vec::new();
        pattern.append(0, 3 * PERIOD, &mut all);
        for (from, length) in [(0, 1), (PERIOD - 1, 2), (12_345, 2 * PERIOD), (7, 0)] {
            let mut part = Vec::new();
            pattern.append(from as u64, length, &mut part);
            assert_eq!(part, all[from..from + length]);
            assert_eq!(pattern.check(from as u64, &part), Ok(()));
        }
        let place = PERIOD + 17;
        all[place] ^= 1;
        let wrong = pattern.check(0, &all).expect_err("one bit");
        assert_eq!((wrong.at, wrong.sent ^ wrong.came), (place as u64, 1));
    }

    #[test]
    fn a_byte_that_is_lost_or_of_another_connection_is_seen() {
        let mut sent = Vec::new();
        Pattern::of(0).append(0, 64, &mut sent);
        assert!(Pattern::of(0).check(0, &sent[1..]).is_err());
        assert!(Pattern::of(1).check(0, &sent).is_err());
    }
}
