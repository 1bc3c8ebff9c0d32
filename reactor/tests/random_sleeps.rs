//! Sleeps that are made, polled, reset and dropped in any order, also from
//! inside of their wakers: none is early, none is forgotten, nothing stays.

mod common;

use common::{config, drivers, poll_once};
use proptest::prelude::*;
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};
use wakeline_reactor::Reactor;
use wakeline_reactor::time::{Sleep, sleep};

const TABLE: usize = 6;

type Table = Arc<Mutex<Vec<Option<Sleep>>>>;

/// What a waker does to another sleep than its own.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Nothing,
    Drop(usize),
    Reset(usize, u64),
}

struct Meddler(Table, Deed);

impl Wake for Meddler {
    fn wake(self: Arc<Self>) {
        // Out of the table first: its lock is not to be held by a drop.
        let (Deed::Drop(at) | Deed::Reset(at, _)) = self.1 else {
            return;
        };
        let taken = self.0.lock().unwrap()[at].take();
        if let (Deed::Reset(_, micros), Some(mut sleep)) = (self.1, taken) {
            sleep.reset(Instant::now() + Duration::from_micros(micros));
            self.0.lock().unwrap()[at] = Some(sleep);
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Make(usize, u64),
    Poll(usize, Deed),
    Reset(usize, u64),
    Drop(usize),
    Turn,
}

fn micros() -> impl Strategy<Value = u64> {
    prop_oneof![0_u64..300, 0_u64..3_000]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let deed = prop_oneof![
        2 => Just(Deed::Nothing),
        1 => (0..TABLE).prop_map(Deed::Drop),
        1 => (0..TABLE, micros()).prop_map(|(at, micros)| Deed::Reset(at, micros)),
    ];
    let step = prop_oneof![
        3 => (0..TABLE, micros()).prop_map(|(at, micros)| Step::Make(at, micros)),
        5 => (0..TABLE, deed).prop_map(|(at, deed)| Step::Poll(at, deed)),
        1 => (0..TABLE, micros()).prop_map(|(at, micros)| Step::Reset(at, micros)),
        1 => (0..TABLE).prop_map(Step::Drop),
        3 => Just(Step::Turn),
    ];
    proptest::collection::vec(step, 1..80)
}

/// Polls one sleep of the table; a ready one leaves it, not before its time.
fn poll(table: &Table, at: usize, deed: Deed) {
    let Some(mut sleep) = table.lock().unwrap()[at].take() else {
        return;
    };
    let waker = Waker::from(Arc::new(Meddler(Arc::clone(table), deed)));
    if poll_once(&mut sleep, &waker).is_ready() {
        assert!(sleep.deadline().unwrap() <= Instant::now(), "too early");
        return;
    }
    // A waker may run within the poll, and find this place empty.
    table.lock().unwrap()[at] = Some(sleep);
}

fn replace(table: &Table, at: usize, with: Option<Sleep>) {
    let old = std::mem::replace(&mut table.lock().unwrap()[at], with);
    drop(old);
}

fn run(reactor: &Reactor, steps: &[Step]) {
    let table: Table = Arc::new(Mutex::new((0..TABLE).map(|_| None).collect()));
    for step in steps {
        match *step {
            Step::Make(at, micros) => {
                replace(&table, at, Some(sleep(Duration::from_micros(micros))));
            }
            Step::Poll(at, deed) => poll(&table, at, deed),
            Step::Reset(at, micros) => {
                if let Some(sleep) = &mut table.lock().unwrap()[at] {
                    sleep.reset(Instant::now() + Duration::from_micros(micros));
                }
            }
            Step::Drop(at) => replace(&table, at, None),
            Step::Turn => {
                reactor.turn(Some(Duration::ZERO)).unwrap();
            }
        }
        assert!(reactor.metrics().timers <= TABLE as u64);
    }
    // Whatever is left comes to its end, woken by its timer.
    while table.lock().unwrap().iter().any(Option::is_some) {
        for at in 0..TABLE {
            poll(&table, at, Deed::Nothing);
        }
        if reactor.metrics().timers > 0 {
            reactor.turn(None).unwrap();
        }
    }
    assert_eq!(reactor.metrics().timers, 0);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(150) })]

    #[test]
    fn sleeps_survive_any_treatment(steps in steps()) {
        for kind in drivers() {
            let reactor = Reactor::new(&config(kind)).unwrap();
            let _entered = reactor.enter();
            run(&reactor, &steps);
        }
    }
}
