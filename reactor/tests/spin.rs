//! A turn that looks again instead of sleeping, where that was asked for.

mod common;
use common::*;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::panic::Location;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;
use wakeline_context::Kind;
use wakeline_reactor::{Config, Direction, Reactor, Source};

/// Longer than any test takes: what does not sleep does not because of events.
const LONG: Duration = Duration::from_secs(3_600);

fn for_each_spinning(spin: Duration, test: impl Fn(&Reactor)) {
    for driver in drivers() {
        eprintln!("-- on {driver:?}");
        let config = Config::default().driver(driver).spin(spin);
        test(&Reactor::new(&config).unwrap());
    }
}

#[test]
fn an_event_is_found_without_a_sleep() {
    for_each_spinning(LONG, |reactor| {
        let _entered = reactor.enter();
        let (here, mut there) = UnixStream::pair().unwrap();
        here.set_nonblocking(true).unwrap();
        let source = Source::new(OwnedFd::from(here));
        let mut ready = pin!(source.ready(Direction::Read, Kind::Read, Location::caller()));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(ready.as_mut().poll(&mut cx).is_pending());
        let (go, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            told.recv().unwrap();
            there.write_all(b"x").unwrap();
            there
        });
        go.send(()).unwrap();
        while ready.as_mut().poll(&mut cx).is_pending() {
            assert!(!reactor.turn(None).unwrap().slept);
        }
        assert_eq!(reactor.metrics().sleeps, 0);
        drop(thread.join().unwrap());
    });
}

#[test]
fn an_interrupt_is_found_without_a_ring() {
    for_each_spinning(LONG, |reactor| {
        for _ in 0..100 {
            let remote = reactor.remote();
            let thread = std::thread::spawn(move || remote.interrupt());
            while !reactor.turn(None).unwrap().interrupted {}
            thread.join().unwrap();
        }
        let metrics = reactor.metrics();
        assert_eq!((metrics.sleeps, metrics.rings), (0, 0));
    });
}

#[test]
fn a_limit_and_a_turn_that_must_not_sleep_end_it() {
    for_each_spinning(LONG, |reactor| {
        let turn = reactor.turn(Some(Duration::ZERO)).unwrap();
        assert!(!turn.slept);
        // It has looked until then; the sleep that follows is over at once.
        assert!(reactor.turn(Some(Duration::from_millis(1))).unwrap().slept);
    });
}

#[test]
fn who_finds_nothing_sleeps() {
    for_each_spinning(Duration::from_micros(1), |reactor| {
        for _ in 0..20 {
            let turn = reactor.turn(Some(Duration::from_millis(2))).unwrap();
            assert!(turn.slept);
        }
    });
}
