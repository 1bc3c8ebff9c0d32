use super::*;

const BODIES: [BodyEnd; 5] = [
    BodyEnd::Cut,
    BodyEnd::Before,
    BodyEnd::Since,
    BodyEnd::Failed,
    BodyEnd::Panicked,
];

/// Everything that can come together.
fn all() -> impl Iterator<Item = Facts> {
    (0..1_u32 << 7).flat_map(|bits| {
        let bit = move |n: u32| bits & (1 << n) != 0;
        BODIES.into_iter().map(move |body| Facts {
            body,
            errors: bit(0),
            panics: bit(1),
            unfinished: bit(2),
            cut: bit(3),
            own_deadline: bit(4),
            outer: bit(5),
            on_panic: if bit(6) {
                OnPanic::Collect
            } else {
                OnPanic::Resume
            },
        })
    })
}

fn failure(facts: &Facts) -> bool {
    facts.errors || facts.unfinished || facts.body == BodyEnd::Failed
}

fn panic(facts: &Facts) -> bool {
    facts.panics || facts.body == BodyEnd::Panicked
}

#[test]
fn a_panic_wins_over_all_if_it_is_resumed_and_is_a_failure_if_not() {
    for facts in all() {
        let expected = panic(&facts) && facts.on_panic == OnPanic::Resume;
        assert_eq!(exit(facts) == Exit::Panic, expected, "{facts:?}");
        if panic(&facts) && !expected {
            assert_eq!(exit(facts), Exit::Failed, "{facts:?}");
        }
    }
}

#[test]
fn a_failure_wins_over_every_cancel_and_over_the_value() {
    for facts in all().filter(|facts| !panic(facts)) {
        assert_eq!(exit(facts) == Exit::Failed, failure(&facts), "{facts:?}");
    }
}

#[test]
fn without_a_failure_the_rest_is_this_table() {
    use BodyEnd::{Before, Cut, Since};
    use Exit::{CancelledInside, CancelledOutside, Elapsed, Value};
    // (body, a child was cut, own deadline, outer cancel), outcome
    let table = [
        ((Cut, false, false, false), CancelledInside),
        ((Cut, false, false, true), CancelledOutside),
        ((Cut, false, true, false), Elapsed),
        ((Cut, false, true, true), CancelledOutside),
        ((Cut, true, false, false), CancelledInside),
        ((Cut, true, false, true), CancelledOutside),
        ((Cut, true, true, false), Elapsed),
        ((Cut, true, true, true), CancelledOutside),
        // The body had its value before: it counts unless the cancel came from
        // elsewhere and cost a child its end.
        ((Before, false, false, false), Value),
        ((Before, false, false, true), Value),
        ((Before, false, true, false), Value),
        ((Before, false, true, true), Value),
        ((Before, true, false, false), Value),
        ((Before, true, false, true), CancelledOutside),
        ((Before, true, true, false), Elapsed),
        ((Before, true, true, true), CancelledOutside),
        // It had it in the turn of the cancel: completion wins.
        ((Since, false, false, false), Value),
        ((Since, false, false, true), Value),
        ((Since, false, true, false), Value),
        ((Since, false, true, true), Value),
        ((Since, true, false, false), Value),
        ((Since, true, false, true), Value),
        ((Since, true, true, false), Value),
        ((Since, true, true, true), Value),
    ];
    let mut rows = 0;
    for facts in all().filter(|facts| !panic(facts) && !failure(facts)) {
        let key = (facts.body, facts.cut, facts.own_deadline, facts.outer);
        let (_, expected) = table
            .iter()
            .find(|(row, _)| *row == key)
            .unwrap_or_else(|| panic!("no row for {key:?}"));
        assert_eq!(exit(facts), *expected, "{facts:?}");
        rows += 1;
    }
    assert_eq!(rows, 2 * table.len(), "each row, with each way of panics");
}
