//! A signal wakes every listener, once at least, also while the loop sleeps.

use std::io::{ErrorKind, Result};
use std::pin::pin;
use std::sync::Mutex;
use std::thread;
use wakeline_net::signal::ctrl_c;
use wakeline_net::signal::unix::{SignalKind, signal};
use wakeline_net::testing::{both, on_each_driver, poll_now};

/// A signal is for the whole process, so these tests take turns.
static TURN: Mutex<()> = Mutex::new(());

fn raise(kind: SignalKind) -> Result<()> {
    signal_hook::low_level::raise(kind.as_raw())
}

#[test]
fn every_listener_is_woken_and_a_dropped_one_takes_nothing_along() {
    let _turn = TURN.lock();
    on_each_driver(|| async {
        let mut first = signal(SignalKind::user_defined1())?;
        let mut second = signal(SignalKind::user_defined1())?;
        let third = signal(SignalKind::user_defined1())?;
        raise(SignalKind::user_defined1())?;
        let (a, b) = both(first.recv(), second.recv()).await;
        a?;
        b?;
        drop((first, third));
        raise(SignalKind::user_defined1())?;
        second.recv().await
    });
}

#[test]
fn signals_that_nobody_polled_for_are_kept_as_one() {
    let _turn = TURN.lock();
    on_each_driver(|| async {
        let mut listener = signal(SignalKind::user_defined2())?;
        for _ in 0..100 {
            raise(SignalKind::user_defined2())?;
        }
        listener.recv().await?;
        assert!(
            poll_now(pin!(listener.recv())).is_pending(),
            "all of them were one"
        );
        raise(SignalKind::user_defined2())?;
        listener.recv().await
    });
}

#[test]
fn a_signal_wakes_a_loop_that_sleeps() {
    let _turn = TURN.lock();
    on_each_driver(|| async {
        let mut listener = signal(SignalKind::hangup())?;
        let thread = thread::spawn(|| raise(SignalKind::hangup()));
        listener.recv().await?;
        thread.join().expect("the thread raised the signal")
    });
}

#[test]
fn control_c_is_a_future() {
    let _turn = TURN.lock();
    on_each_driver(|| async {
        let mut wait = pin!(ctrl_c());
        assert!(
            poll_now(wait.as_mut()).is_pending(),
            "it listens from here on"
        );
        raise(SignalKind::interrupt())?;
        wait.await
    });
}

#[test]
fn a_signal_that_cannot_be_handled_is_an_error_and_no_panic() {
    for number in [9, 11, 19] {
        let error = signal(SignalKind::from_raw(number)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    }
    assert!(signal(SignalKind::from_raw(1000)).is_err());
}
