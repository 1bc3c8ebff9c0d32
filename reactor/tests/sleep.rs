//! Sleeping: never early, by order, reset, dropped, and moved between threads.

mod common;

use common::{block_on, config, for_each_driver, join, poll_once, turn_until};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};
use wakeline_context::{Kind, Polling};
use wakeline_reactor::time::{Sleep, sleep, sleep_until};
use wakeline_reactor::{DriverKind, Reactor};

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3_600);

/// Writes its name when woken.
struct Named(&'static str, Arc<Mutex<Vec<&'static str>>>);

impl Wake for Named {
    fn wake(self: Arc<Self>) {
        self.1.lock().unwrap().push(self.0);
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<&'static str>>>);

impl Log {
    fn waker(&self, name: &'static str) -> Waker {
        Waker::from(Arc::new(Named(name, Arc::clone(&self.0))))
    }

    fn get(&self) -> Vec<&'static str> {
        self.0.lock().unwrap().clone()
    }
}

fn wait_for(reactor: &Reactor, sleep: &mut Sleep) {
    turn_until(reactor, || poll_once(sleep, Waker::noop()).is_ready());
}

#[test]
fn a_sleep_is_never_early() {
    for_each_driver(|reactor| {
        for micros in [1, 65, 66, 100, 999, 4_200, 20_000] {
            let deadline = Instant::now() + Duration::from_micros(micros);
            block_on(reactor, sleep_until(deadline));
            assert!(Instant::now() >= deadline, "{micros} us");
        }
    });
}

#[test]
fn a_zero_sleep_and_one_in_the_past_yield_exactly_once() {
    for_each_driver(|reactor| {
        let log = Log::default();
        let waker = log.waker("yield");
        let past = sleep_until(Instant::now() - MS);
        for mut sleep in [sleep(Duration::ZERO), past] {
            assert!(poll_once(&mut sleep, &waker).is_pending());
            assert_eq!(reactor.metrics().timers, 0, "it is not for the wheel");
            assert!(poll_once(&mut sleep, &waker).is_ready());
            assert!(poll_once(&mut sleep, &waker).is_ready(), "and stays so");
        }
        assert_eq!(log.get(), ["yield", "yield"]);
    });
}

#[test]
fn timers_fire_by_deadline_and_equal_ones_in_the_order_of_registration() {
    for_each_driver(|reactor| {
        let mut wait = 3 * MS;
        loop {
            let log = Log::default();
            let at = Instant::now() + wait;
            let mut sleeps = [
                ("third", sleep_until(at + MS)),
                ("first", sleep_until(at)),
                ("second", sleep_until(at)),
                ("fourth", sleep_until(at + MS)),
            ];
            for (name, sleep) in &mut sleeps {
                assert!(poll_once(sleep, &log.waker(name)).is_pending());
            }
            let all_in_time = Instant::now() < at;
            turn_until(reactor, || log.get().len() == 4);
            if all_in_time {
                assert_eq!(log.get(), ["first", "second", "third", "fourth"]);
                break;
            }
            wait *= 2; // what is over when it is polled is in no order
        }
    });
}

#[test]
fn forever_is_pending_and_can_be_dropped() {
    for_each_driver(|reactor| {
        let mut forever = sleep(Duration::MAX);
        assert_eq!(forever.deadline(), None);
        assert!(poll_once(&mut forever, Waker::noop()).is_pending());
        let turn = reactor.turn(Some(MS)).unwrap();
        assert_eq!(turn.timers, 0);
        assert!(!forever.is_elapsed());
        drop(forever);
        assert_eq!(reactor.metrics().timers, 0);
    });
}

#[test]
fn dropped_timers_are_gone_and_do_not_wake_the_loop() {
    for_each_driver(|reactor| {
        for _ in 0..3 {
            let mut sleeps: Vec<Sleep> = (1..5_000).map(|n| sleep(n * HOUR / 5_000)).collect();
            for sleep in &mut sleeps {
                assert!(poll_once(sleep, Waker::noop()).is_pending());
            }
            assert_eq!(reactor.metrics().timers, 4_999);
            drop(sleeps);
            assert_eq!(reactor.metrics().timers, 0);
        }
        let mut unpolled = sleep(HOUR);
        unpolled.reset(Instant::now() + MS);
        assert_eq!(
            reactor.metrics().timers,
            0,
            "nothing registers before a poll"
        );
    });
}

#[test]
fn a_reset_moves_the_deadline_anywhere() {
    for_each_driver(|reactor| {
        let mut sleep = sleep(HOUR);
        assert!(poll_once(&mut sleep, Waker::noop()).is_pending());
        sleep.reset(Instant::now() + MS); // earlier
        wait_for(reactor, &mut sleep);
        sleep.reset(Instant::now() + HOUR); // later, after it was ready
        assert!(poll_once(&mut sleep, Waker::noop()).is_pending());
        sleep.reset(Instant::now() + 2 * HOUR);
        assert!(poll_once(&mut sleep, Waker::noop()).is_pending());
        assert_eq!(reactor.metrics().timers, 1);
        sleep.reset(Instant::now() - MS); // the past: ready, without a yield
        assert!(sleep.is_elapsed());
        assert!(poll_once(&mut sleep, Waker::noop()).is_ready());
        assert_eq!(reactor.metrics().timers, 0);
    });
}

#[test]
fn a_reset_between_polls_still_wakes_the_task() {
    for_each_driver(|reactor| {
        let log = Log::default();
        let mut sleep = sleep(HOUR);
        assert!(poll_once(&mut sleep, &log.waker("woken")).is_pending());
        sleep.reset(Instant::now() + MS);
        turn_until(reactor, || log.get() == ["woken"]);
        assert!(poll_once(&mut sleep, Waker::noop()).is_ready());
    });
}

#[test]
fn only_the_latest_waker_is_woken() {
    for_each_driver(|reactor| {
        let log = Log::default();
        let mut sleep = sleep(HOUR);
        assert!(poll_once(&mut sleep, &log.waker("old")).is_pending());
        assert!(poll_once(&mut sleep, &log.waker("new")).is_pending());
        sleep.reset(Instant::now() + MS);
        turn_until(reactor, || !log.get().is_empty());
        assert_eq!(log.get(), ["new"]);
    });
}

#[test]
fn a_waker_may_drop_and_reset_other_sleeps() {
    struct Meddler(Mutex<Option<(Sleep, Sleep)>>, Mutex<Option<Sleep>>);
    impl Wake for Meddler {
        fn wake(self: Arc<Self>) {
            if let Some((dropped, mut reset)) = self.0.lock().unwrap().take() {
                drop(dropped);
                reset.reset(Instant::now() + HOUR);
                *self.1.lock().unwrap() = Some(reset);
            }
        }
    }
    for_each_driver(|reactor| {
        let log = Log::default();
        let (mut one, mut two, mut three) = (sleep(MS), sleep(2 * MS), sleep(HOUR));
        assert!(poll_once(&mut two, &log.waker("two")).is_pending());
        assert!(poll_once(&mut three, &log.waker("three")).is_pending());
        let meddler = Arc::new(Meddler(Mutex::new(Some((two, three))), Mutex::default()));
        assert!(poll_once(&mut one, &Waker::from(Arc::clone(&meddler))).is_pending());
        turn_until(reactor, || meddler.1.lock().unwrap().is_some());
        assert_eq!(reactor.metrics().timers, 1);
        let reset = meddler.1.lock().unwrap().take();
        assert!(!reset.expect("it was put there").is_elapsed());
    });
}

#[test]
fn a_sleep_moves_to_another_thread_with_its_task() {
    for_each_driver(|reactor| {
        let mut sleep = sleep(HOUR);
        assert!(poll_once(&mut sleep, Waker::noop()).is_pending());
        assert_eq!(reactor.metrics().timers, 1);
        let there = thread::spawn(move || {
            let reactor = Reactor::new(&config(DriverKind::Epoll)).unwrap();
            let _entered = reactor.enter();
            assert!(poll_once(&mut sleep, Waker::noop()).is_pending());
            assert_eq!(reactor.metrics().timers, 1);
            let deadline = Instant::now() + MS;
            sleep.reset(deadline);
            block_on(&reactor, sleep);
            assert!(Instant::now() >= deadline);
        });
        there.join().unwrap();
        reactor.turn(Some(Duration::ZERO)).unwrap();
        assert_eq!(reactor.metrics().timers, 0);
    });
}

#[test]
fn a_sleep_dropped_on_another_thread_leaves_the_wheel() {
    for_each_driver(|reactor| {
        let mut sleep = sleep(HOUR);
        assert!(poll_once(&mut sleep, Waker::noop()).is_pending());
        thread::spawn(move || drop(sleep)).join().unwrap();
        turn_until(reactor, || reactor.metrics().timers == 0);
    });
}

#[test]
fn a_reset_on_another_thread_wakes_the_task_at_home() {
    for_each_driver(|reactor| {
        let log = Log::default();
        let mut sleep = sleep(HOUR);
        assert!(poll_once(&mut sleep, &log.waker("woken")).is_pending());
        let (send, receive) = mpsc::channel();
        thread::spawn(move || {
            sleep.reset(Instant::now() + MS);
            send.send(sleep).unwrap();
        })
        .join()
        .unwrap();
        turn_until(reactor, || log.get() == ["woken"]);
        let mut sleep = receive.recv().unwrap();
        wait_for(reactor, &mut sleep);
    });
}

#[test]
fn the_end_of_a_reactor_wakes_its_sleepers_and_they_go_on_elsewhere() {
    for_each_driver(|reactor| {
        let log = Log::default();
        let deadline = Instant::now() + 5 * MS;
        let mut sleep = sleep_until(deadline);
        {
            let short_lived = Reactor::new(&config(DriverKind::Epoll)).unwrap();
            let _entered = short_lived.enter();
            assert!(poll_once(&mut sleep, &log.waker("woken")).is_pending());
        }
        assert_eq!(log.get(), ["woken"]);
        block_on(reactor, sleep);
        assert!(Instant::now() >= deadline);
    });
}

#[test]
fn two_sleeps_take_as_long_as_the_longer() {
    for_each_driver(|reactor| {
        let start = Instant::now();
        block_on(reactor, join(sleep(2 * MS), sleep(4 * MS)));
        assert!(start.elapsed() >= 4 * MS); // the promise: never early, by the real clock
        assert_eq!(reactor.metrics().timers, 0);
    });
}

#[test]
fn without_a_runtime_the_panic_names_the_line_and_what_to_do() {
    let mut nowhere = sleep(MS);
    let line = line!() - 1;
    let panic = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let _ = poll_once(&mut nowhere, Waker::noop());
    }))
    .unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(message.contains(&format!("sleep.rs:{line}")), "{message}");
    assert_eq!(message.matches("block_on").count(), 1, "{message}");
}

#[test]
fn a_parked_task_knows_the_line_of_its_sleep() {
    for_each_driver(|_| {
        let mut sleep = sleep(HOUR);
        let line = line!() - 1;
        let polling = Polling::begin();
        assert!(poll_once(&mut sleep, Waker::noop()).is_pending());
        let waiting = polling.end().unwrap();
        assert_eq!((waiting.kind, waiting.location.line()), (Kind::Timer, line));
    });
}

#[test]
fn a_sleep_may_go_anywhere() {
    fn anywhere<T: Send + Sync + Unpin + 'static>() {}
    anywhere::<Sleep>();
    anywhere::<wakeline_reactor::time::Interval>();
    anywhere::<wakeline_reactor::time::Timeout<std::future::Ready<()>>>();
    assert!(matches!(
        poll_once(&mut std::future::ready(()), Waker::noop()),
        Poll::Ready(())
    ));
}
