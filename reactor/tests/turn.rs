//! A turn: when it sleeps, what ends that, and what it costs.

mod common;
use common::*;
use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;
use wakeline_context::Kind;
use wakeline_reactor::{Config, Direction, Reactor, Turn, enter_lazy};

/// Turns without limit until one was interrupted. A wait may end early with
/// nothing: the end of a ring in this process, like a signal, ends it so.
fn turn_until_interrupted(reactor: &Reactor) -> Turn {
    loop {
        let turn = reactor.turn(None).unwrap();
        if turn.interrupted {
            return turn;
        }
    }
}

#[test]
fn an_interrupt_is_sticky_and_ends_one_sleep() {
    for_each_driver(|reactor| {
        reactor.remote().interrupt();
        // A turn that would not sleep leaves the mark for one that would.
        assert!(!reactor.turn(Some(Duration::ZERO)).unwrap().interrupted);
        let turn = reactor.turn(None).unwrap();
        assert!(turn.interrupted);
        assert!(!turn.slept);
        assert_eq!(reactor.metrics().rings, 0, "nobody slept, so nobody rang");
        let turn = reactor.turn(Some(Duration::from_millis(1))).unwrap();
        assert!(turn.slept);
        assert!(!turn.interrupted);
    });
}

#[test]
fn an_interrupt_from_another_thread_ends_every_sleep() {
    for_each_driver(|reactor| {
        for _ in 0..100 {
            let remote = reactor.remote();
            let thread = std::thread::spawn(move || remote.interrupt());
            turn_until_interrupted(reactor);
            thread.join().unwrap();
        }
    });
}

#[test]
fn a_limit_ends_the_sleep() {
    for_each_driver(|reactor| {
        for micros in [1, 300, 1_000, 2_500] {
            let limit = Duration::from_micros(micros);
            let turn = reactor.turn(Some(limit)).unwrap();
            assert!(turn.slept, "{micros} us");
            assert_eq!(turn.events, 0);
        }
    });
}

#[test]
fn a_turn_of_limit_zero_never_sleeps() {
    for_each_driver(|reactor| {
        for _ in 0..10 {
            assert!(!reactor.turn(Some(Duration::ZERO)).unwrap().slept);
        }
        assert_eq!(reactor.metrics().sleeps, 0);
    });
}

#[test]
fn turns_that_never_sleep_see_what_comes() {
    for_each_driver(|reactor| {
        let (source, other) = half_pair();
        let flag = Flag::new(reactor);
        let mut wait = source.ready(Direction::Read, Kind::Read, Location::caller());
        assert!(poll_once(&mut wait, &Waker::from(Arc::clone(&flag))).is_pending());
        reactor.turn(Some(Duration::ZERO)).unwrap();
        drop(other);
        // As a busy worker turns; the kernel must be asked to look in time.
        for _ in 0..1_000_000 {
            if flag.count() == 1 {
                break;
            }
            reactor.turn(Some(Duration::ZERO)).unwrap();
        }
        assert_eq!(flag.count(), 1);
        assert_eq!(reactor.metrics().sleeps, 0);
    });
}

#[test]
fn wakers_run_when_nothing_is_borrowed() {
    struct Turns(RefCell<Vec<usize>>);
    for_each_driver(|reactor| {
        // A waker that uses the reactor it is called from.
        let (source, other) = half_pair();
        let seen = Rc::new(Turns(RefCell::new(Vec::new())));
        let (inner, log) = (reactor.clone(), Rc::clone(&seen));
        let waker = local_waker(move || {
            let turn = inner.turn(Some(Duration::ZERO)).unwrap();
            log.0.borrow_mut().push(turn.woken);
        });
        let mut wait = source.ready(Direction::Read, Kind::Read, Location::caller());
        assert!(poll_once(&mut wait, &waker).is_pending());
        drop(other);
        turn_until(reactor, || !seen.0.borrow().is_empty());
    });
}

/// A waker that runs a closure; it stays on this thread.
fn local_waker(f: impl Fn() + 'static) -> Waker {
    struct Local(std::thread::ThreadId, Box<dyn Fn()>);
    // SAFETY: `wake` asserts that it is called on the thread that made it, and
    // the tests drop it there.
    unsafe impl Send for Local {}
    // SAFETY: as above.
    unsafe impl Sync for Local {}
    impl std::task::Wake for Local {
        fn wake(self: Arc<Self>) {
            assert_eq!(self.0, std::thread::current().id());
            (self.1)();
        }
    }
    Waker::from(Arc::new(Local(std::thread::current().id(), Box::new(f))))
}

#[test]
fn a_panicking_waker_does_not_cost_the_others_their_wake() {
    for_each_driver(|reactor| {
        let (source, other) = half_pair();
        let flag = Flag::new(reactor);
        let called = Rc::new(Cell::new(false));
        let call = Rc::clone(&called);
        let bad = local_waker(move || {
            call.set(true);
            panic!("planned");
        });
        let mut first = source.ready(Direction::Read, Kind::Read, Location::caller());
        let mut second = source.ready(Direction::Read, Kind::Read, Location::caller());
        assert!(poll_once(&mut first, &bad).is_pending());
        assert!(poll_once(&mut second, &Waker::from(Arc::clone(&flag))).is_pending());
        drop(other);
        // Nor does it come out of the turn: who turns has nothing to do with it.
        turn_until(reactor, || called.get());
        assert_eq!(flag.count(), 1);
    });
}

#[test]
fn a_lazy_reactor_is_made_by_the_first_wait() {
    for kind in drivers() {
        let made = Rc::new(RefCell::new(None));
        let note = Rc::clone(&made);
        let entered = enter_lazy(
            Arc::new(config(kind)),
            Box::new(move |reactor| *note.borrow_mut() = Some(reactor.clone())),
        );
        assert!(entered.reactor().is_none());
        let (a, b) = pair();
        let mut wait = a.ready(Direction::Read, Kind::Read, Location::caller());
        assert!(poll_once(&mut wait, Waker::noop()).is_pending());
        let reactor = entered.reactor().expect("the wait needed one");
        assert!(made.borrow().is_some());
        drop(b);
        block_on(&reactor, wait).unwrap();
    }
}

#[test]
fn a_guard_restores_the_reactor_before_it() {
    for kind in drivers() {
        let outer = wakeline_reactor::Reactor::new(&config(kind)).unwrap();
        let _outer = outer.enter();
        let (source, _other) = half_pair();
        {
            let inner = wakeline_reactor::Reactor::new(&config(kind)).unwrap();
            let _inner = inner.enter();
        }
        let mut wait = source.ready(Direction::Read, Kind::Read, Location::caller());
        assert!(poll_once(&mut wait, Waker::noop()).is_pending());
        assert_eq!(outer.metrics().armed, 1);
    }
}

#[test]
fn an_unknown_name_in_the_environment_is_told() {
    // Only `Auto` looks at it; the other tests name their driver.
    let error = "kqueue"
        .parse::<wakeline_reactor::DriverKind>()
        .unwrap_err();
    assert!(error.to_string().contains("auto, uring, epoll"));
    assert!(Config::default().ring_entries >= 8);
}
