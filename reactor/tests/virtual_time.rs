//! Paused time against a sorted map: every timer fires at its deadline, in
//! order, whatever is reset, dropped, advanced or jumped to.

mod common;

use common::{config, drivers, poll_once};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};
use wakeline_reactor::time::{self, Sleep};
use wakeline_reactor::{Clock, Reactor};

/// Who was woken, and when.
type Log = Arc<Mutex<Vec<(usize, Instant)>>>;

struct Notes(usize, Log);

impl Wake for Notes {
    fn wake(self: Arc<Self>) {
        self.1.lock().unwrap().push((self.0, time::now()));
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Sleep(u64),
    /// Of the sleep with this number, counted in nanoseconds from the start.
    Reset(usize, u64),
    Drop(usize),
    Advance(u64),
    /// A turn that may sleep: time goes to the first deadline.
    Jump,
}

fn nanos() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 1_u64..20, 2 => 1_u64..200_000, 1 => 1_u64..1 << 40]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => nanos().prop_map(Step::Sleep),
        2 => (any::<usize>(), nanos()).prop_map(|(which, at)| Step::Reset(which, at)),
        1 => any::<usize>().prop_map(Step::Drop),
        2 => nanos().prop_map(Step::Advance),
        3 => Just(Step::Jump),
    ];
    proptest::collection::vec(step, 1..100)
}

struct Run<'a> {
    reactor: &'a Reactor,
    start: Instant,
    log: Log,
    sleeps: Vec<Option<Sleep>>,
    /// (deadline, how many registrations came before) -> sleep
    map: BTreeMap<(Duration, usize), usize>,
    registrations: usize,
    now: Duration,
}

impl Run<'_> {
    fn register(&mut self, which: usize, deadline: Duration) {
        self.map.retain(|_, sleep| *sleep != which);
        self.registrations += 1;
        let due = deadline.max(self.now);
        self.map.insert((due, self.registrations), which);
    }

    fn poll(&mut self, which: usize) -> bool {
        let waker = Waker::from(Arc::new(Notes(which, Arc::clone(&self.log))));
        let sleep = self.sleeps[which].as_mut().expect("it is there");
        poll_once(sleep, &waker).is_ready()
    }

    /// Those who have fired are the next of the map, each at its deadline.
    fn check(&mut self) {
        for (which, at) in self.log.lock().unwrap().drain(..) {
            let ((due, _), next) = self.map.pop_first().expect("a timer waits");
            assert_eq!((which, at), (next, self.start + due));
            self.now = due;
            let mut sleep = self.sleeps[which].take().expect("it is there");
            assert!(poll_once(&mut sleep, Waker::noop()).is_ready());
        }
    }

    fn step(&mut self, step: Step) {
        let existing = |sleeps: &[Option<Sleep>], which: usize| {
            let which = which.checked_rem(sleeps.len())?;
            sleeps[which].is_some().then_some(which)
        };
        match step {
            Step::Sleep(nanos) => {
                let which = self.sleeps.len();
                let sleep = Duration::from_nanos(nanos);
                self.sleeps.push(Some(time::sleep(sleep)));
                assert!(!self.poll(which));
                self.register(which, self.now + sleep);
            }
            Step::Reset(which, at) => {
                if let Some(which) = existing(&self.sleeps, which) {
                    let at = Duration::from_nanos(at);
                    let sleep = self.sleeps[which].as_mut().expect("it is there");
                    sleep.reset(self.start + at);
                    self.register(which, at);
                }
            }
            Step::Drop(which) => {
                if let Some(which) = existing(&self.sleeps, which) {
                    self.sleeps[which] = None;
                    self.map.retain(|_, sleep| *sleep != which);
                }
            }
            Step::Advance(nanos) => {
                let mut advance = pin!(time::advance(Duration::from_nanos(nanos)));
                let target = self.now + Duration::from_nanos(nanos);
                while poll_once(&mut advance, Waker::noop()).is_pending() {
                    self.reactor.turn(None).unwrap();
                    self.check();
                }
                self.now = target;
                assert!(
                    self.map
                        .first_key_value()
                        .is_none_or(|((due, _), _)| *due > target)
                );
            }
            Step::Jump => {
                if let Some(((due, _), _)) = self.map.first_key_value() {
                    let due = *due;
                    self.reactor.turn(None).unwrap();
                    self.check();
                    assert_eq!(self.now, due, "nobody woke");
                    let next = self.map.first_key_value();
                    assert!(
                        next.is_none_or(|((next, _), _)| *next > due),
                        "not all at once"
                    );
                }
            }
        }
        assert_eq!(time::now(), self.start + self.now);
        assert_eq!(self.reactor.metrics().timers, self.map.len() as u64);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn paused_time_does_what_a_sorted_map_does(steps in steps()) {
        for kind in drivers() {
            let reactor = Reactor::new(&config(kind).clock(Clock::stopped())).unwrap();
            let _entered = reactor.enter();
            let mut run = Run {
                reactor: &reactor,
                start: time::now(),
                log: Log::default(),
                sleeps: Vec::new(),
                map: BTreeMap::new(),
                registrations: 0,
                now: Duration::ZERO,
            };
            for step in &steps {
                run.step(*step);
            }
            while !run.map.is_empty() {
                run.step(Step::Jump);
            }
            assert_eq!(reactor.metrics().timers, 0);
        }
    }
}

#[test]
fn timers_survive_a_pause_and_a_resume_and_none_is_early() {
    for kind in drivers() {
        let reactor = Reactor::new(&config(kind).clock(Clock::new())).unwrap();
        let _entered = reactor.enter();
        let log = Log::default();
        let waker = |n| Waker::from(Arc::new(Notes(n, Arc::clone(&log))));
        let start = time::now();
        let near = start + Duration::from_secs(60);
        let mut sleep = time::sleep_until(near);
        let mut never = time::sleep(Duration::MAX);
        assert!(poll_once(&mut sleep, &waker(0)).is_pending());
        assert!(poll_once(&mut never, &waker(1)).is_pending());
        for _ in 0..3 {
            // Each change wakes who has a timer, by deadline; nobody is ready.
            time::pause();
            let woken: Vec<usize> = log.lock().unwrap().drain(..).map(|(n, _)| n).collect();
            assert_eq!(woken, [0, 1]);
            assert!(poll_once(&mut sleep, &waker(0)).is_pending());
            assert!(poll_once(&mut never, &waker(1)).is_pending());
            time::resume();
            assert_eq!(log.lock().unwrap().drain(..).count(), 2);
            assert!(poll_once(&mut sleep, &waker(0)).is_pending());
            assert!(poll_once(&mut never, &waker(1)).is_pending());
        }
        time::pause();
        assert!(poll_once(&mut sleep, &waker(0)).is_pending());
        log.lock().unwrap().clear();
        reactor.turn(None).unwrap();
        assert_eq!(*log.lock().unwrap(), [(0, near)]);
        assert!(poll_once(&mut sleep, Waker::noop()).is_ready());
        // One that was not polled since the clock changed is looked up there, too.
        let mut old = time::sleep(Duration::from_millis(1));
        assert!(poll_once(&mut old, Waker::noop()).is_pending());
        time::resume();
        while time::now() < old.deadline().unwrap() {
            std::thread::yield_now();
        }
        assert!(poll_once(&mut old, Waker::noop()).is_ready());
        drop(never);
        assert_eq!(reactor.metrics().timers, 0);
    }
}

/// On each driver: somebody sleeps for a minute from the start of a clock that stands.
fn beside_a_sleeper(test: impl Fn(&Reactor, Instant)) {
    for kind in drivers() {
        let reactor = Reactor::new(&config(kind).clock(Clock::stopped())).unwrap();
        let _entered = reactor.enter();
        let start = time::now();
        let mut sleep = time::sleep(Duration::from_secs(60));
        assert!(poll_once(&mut sleep, Waker::noop()).is_pending());
        test(&reactor, start);
    }
}

#[test]
fn time_waits_for_a_file_that_is_read() {
    use std::fs::File;
    use wakeline_reactor::op;

    beside_a_sleeper(|reactor, start| {
        let fd = Arc::new(File::open("/proc/self/status").unwrap().into());
        let buf = Vec::with_capacity(4_096);
        let mut read = pin!(op::submit(op::Read { fd, buf, offset: 0 }));
        let flag = common::Flag::new(reactor);
        let waker = Waker::from(Arc::clone(&flag));
        // The threads of this test's pool are not counted: only the ring's reads are.
        while poll_once(&mut read, &waker).is_pending() {
            if reactor.metrics().ops_in_flight > 0 {
                assert_eq!(time::now(), start);
            }
            reactor.turn_beside(None, &|| true).unwrap();
        }
        assert_eq!(time::now(), start);
        // The read's wake has interrupted the reactor: that is looked after first.
        while time::now() == start {
            reactor.turn(None).unwrap();
        }
        assert_eq!(time::now(), start + Duration::from_secs(60));
    });
}

#[test]
fn time_does_not_wait_for_a_peer() {
    use wakeline_reactor::op;

    beside_a_sleeper(|reactor, start| {
        let (full, _reader) = common::full_pipe();
        let mut write = common::stuck_write(&full);
        assert!(poll_once(&mut write, Waker::noop()).is_pending());
        let (reader, mut writer) = std::io::pipe().unwrap();
        let fd = Arc::new(op::Descriptor::from(reader));
        let readable = op::submit(op::Readable {
            fd: Arc::clone(&fd),
        });
        let buf = Vec::with_capacity(8);
        let mut read = op::submit(op::Read { fd, buf, offset: 0 });
        assert!(poll_once(&mut read, Waker::noop()).is_pending());
        for _ in 0..100 {
            reactor.turn(Some(Duration::from_millis(1))).unwrap();
        }
        assert_eq!(time::now(), start + Duration::from_secs(60));
        // What comes in time is there before time goes on.
        let mut later = time::sleep(Duration::from_secs(60));
        assert!(poll_once(&mut later, Waker::noop()).is_pending());
        std::io::Write::write_all(&mut writer, b"byte").unwrap();
        common::turn_until(reactor, || poll_once(&mut read, Waker::noop()).is_ready());
        assert_eq!(time::now(), start + Duration::from_secs(60));
        drop(readable);
    });
}
