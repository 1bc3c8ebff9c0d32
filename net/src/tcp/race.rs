//! Which address is tried when (RFC 8305, "happy eyeballs"); pure.
//!
//! ```text
//!            ┌──────── 2, 3 ────────┐
//!            ▼                      │
//!   ──1──▶ Start(i) ──▶ waiting for: the delay, a failure, a success
//!                                   │
//!                     4 ──▶ Wait    5 ──▶ Lost
//! ```
//! 1 `Race::step` at the beginning: the first address
//! 2 `Event::DelayPassed`: the next address, while the earlier ones go on
//! 3 `Event::Failed`: the next address at once
//! 4 nothing is left to be started, but something is still under way
//! 5 nothing is left and nothing is under way
//!
//! A success needs no step: whoever sees it drops the race. No clock and no
//! socket here.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

/// How long an address is tried before the next one is tried beside it.
pub(crate) const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The beginning, or the delay of the youngest attempt is over.
    DelayPassed,
    /// An attempt failed.
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a `Start` that is dropped is an address that is never tried"]
pub(crate) enum Step {
    /// Try the address with this index now, and restart the delay.
    Start(usize),
    /// Wait for what is under way; the delay is of no more use.
    Wait,
    /// Every address has failed.
    Lost,
}

#[derive(Debug)]
pub(crate) struct Race {
    total: usize,
    started: usize,
    failed: usize,
}

impl Race {
    /// A race of `total` addresses.
    pub(crate) fn new(total: usize) -> Race {
        Race {
            total,
            started: 0,
            failed: 0,
        }
    }

    pub(crate) fn step(&mut self, event: Event) -> Step {
        if event == Event::Failed {
            self.failed += 1;
            debug_assert!(self.failed <= self.started);
        }
        if self.started < self.total {
            self.started += 1;
            Step::Start(self.started - 1)
        } else if self.failed < self.started {
            Step::Wait
        } else {
            Step::Lost
        }
    }

    /// Whether there is an address left for when the delay is over.
    pub(crate) fn has_more(&self) -> bool {
        self.started < self.total
    }
}

/// Alternates the families, beginning with that of the first address: so a
/// family that does not work costs one delay and not one for each address.
pub(crate) fn interleave(addrs: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let Some(first) = addrs.first() else {
        return addrs;
    };
    let first_is_v6 = first.is_ipv6();
    let (mut a, mut b): (VecDeque<_>, VecDeque<_>) = addrs
        .into_iter()
        .partition(|addr| addr.is_ipv6() == first_is_v6);
    let mut all = Vec::with_capacity(a.len() + b.len());
    while !a.is_empty() || !b.is_empty() {
        all.extend(a.pop_front());
        all.extend(b.pop_front());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use Event::{DelayPassed, Failed};
    use Step::{Lost, Start, Wait};

    #[test]
    fn addresses_are_tried_in_order_after_the_delay_or_a_failure() {
        // (addresses, events, steps)
        let table: &[(usize, &[Event], &[Step])] = &[
            (0, &[DelayPassed], &[Lost]),
            (1, &[DelayPassed, Failed], &[Start(0), Lost]),
            (
                2,
                &[DelayPassed, DelayPassed, Failed, Failed],
                &[Start(0), Start(1), Wait, Lost],
            ),
            (
                3,
                &[DelayPassed, Failed, Failed, Failed],
                &[Start(0), Start(1), Start(2), Lost],
            ),
            (
                3,
                &[DelayPassed, DelayPassed, Failed, Failed, Failed],
                &[Start(0), Start(1), Start(2), Wait, Lost],
            ),
        ];
        for (total, events, steps) in table {
            let mut race = Race::new(*total);
            let got: Vec<Step> = events.iter().map(|event| race.step(*event)).collect();
            assert_eq!(&got, steps, "{total} addresses, {events:?}");
        }
    }

    #[test]
    fn families_alternate_and_each_keeps_its_order() {
        // 4 and 6 for the family, then a digit that tells them apart.
        let table = [
            ("", ""),
            ("41", "41"),
            ("61 62 63 41 42", "61 41 62 42 63"),
            ("41 42 61", "41 61 42"),
            ("41 61 42 62", "41 61 42 62"),
        ];
        for (given, expected) in table {
            let addrs = given.split_whitespace().map(|name| {
                let port = name[1..].parse().unwrap();
                match &name[..1] {
                    "4" => SocketAddr::from(([127, 0, 0, 1], port)),
                    _ => SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], port)),
                }
            });
            let names: Vec<String> = interleave(addrs.collect())
                .iter()
                .map(|addr| format!("{}{}", if addr.is_ipv6() { 6 } else { 4 }, addr.port()))
                .collect();
            assert_eq!(names.join(" "), expected, "{given}");
        }
    }
}
