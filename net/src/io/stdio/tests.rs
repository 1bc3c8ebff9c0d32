//! The state that is shared with the threads, which the tests take step by step.

use super::input::Stdin;
use super::output::Output;
use super::thread_in::ThreadIn;
use super::thread_out::ThreadOut;
use futures_io::AsyncRead;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Panics when it is woken; and what it panics with panics when it is dropped.
struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        std::panic::panic_any(PanicsToo);
    }
}

struct PanicsToo;

impl Drop for PanicsToo {
    fn drop(&mut self) {
        panic!("planned, after the first");
    }
}

#[derive(Default)]
struct Counts(AtomicUsize);

impl Wake for Counts {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A panic out of this would be the end of the thread.
fn goes_on(step: impl FnOnce()) {
    let stepped = catch_unwind(AssertUnwindSafe(step)).map_err(std::mem::forget);
    assert!(stepped.is_ok(), "the thread has ended");
}

/// How many bytes it was.
fn written(poll: Poll<io::Result<usize>>) -> usize {
    match poll {
        Poll::Ready(result) => result.expect("no error"),
        Poll::Pending => panic!("it need not wait"),
    }
}

#[test]
fn a_flush_waits_for_what_was_accepted_after_one_that_was_dropped() {
    let thread = ThreadOut::without_thread();
    let mut out = Output::by_thread_only(thread);
    let cx = &mut Context::from_waker(Waker::noop());
    assert_eq!(written(out.poll_write(cx, &[0; 100])), 100);
    assert!(out.poll_flush(cx).is_pending());
    thread.step();
    assert_eq!(written(out.poll_write(cx, &[0; 50])), 50);
    assert!(out.poll_flush(cx).is_pending(), "the 50 are not written");
    thread.step();
    assert!(out.poll_flush(cx).is_ready());
}

#[test]
fn a_waker_that_panics_ends_no_thread_and_keeps_nobody_asleep() {
    let (panics, counts) = (Waker::from(Arc::new(Panics)), Arc::new(Counts::default()));
    let well = Waker::from(Arc::clone(&counts));
    let all = [&panics, &well, &panics];

    let thread = ThreadOut::without_thread();
    let mut outs = [(); 3].map(|()| Output::by_thread_only(thread));
    assert_eq!(
        written(outs[0].poll_write(&mut Context::from_waker(&well), &[0; 100])),
        100
    );
    for (out, waker) in outs.iter_mut().zip(all) {
        assert!(out.poll_flush(&mut Context::from_waker(waker)).is_pending());
    }
    goes_on(|| thread.step());
    assert_eq!(counts.0.load(Ordering::Relaxed), 1);
    for (out, waker) in outs.iter_mut().zip(all) {
        assert!(out.poll_flush(&mut Context::from_waker(waker)).is_ready());
    }

    let thread = ThreadIn::without_thread();
    let mut ins = [(); 3].map(|()| Stdin::by_thread_only(thread));
    for (stdin, waker) in ins.iter_mut().zip(all) {
        let cx = &mut Context::from_waker(waker);
        assert!(Pin::new(stdin).poll_read(cx, &mut [0; 8]).is_pending());
    }
    goes_on(|| thread.step(b"hello"));
    assert_eq!(counts.0.load(Ordering::Relaxed), 2);
    let cx = &mut Context::from_waker(&well);
    let n = written(Pin::new(&mut ins[1]).poll_read(cx, &mut [0; 8]));
    assert_eq!(n, 5);
}

#[test]
fn one_waker_a_handle_is_kept_and_goes_with_it() {
    /// A waker, and how often there is one like it.
    fn waker() -> (Waker, impl Fn() -> usize) {
        let counts = Arc::new(Counts::default());
        let held = Arc::clone(&counts);
        (Waker::from(counts), move || Arc::strong_count(&held) - 1)
    }

    let thread = ThreadOut::without_thread();
    let mut one = Output::by_thread_only(thread);
    let mut other = Output::by_thread_only(thread);
    let (theirs, kept) = waker();
    let cx = &mut Context::from_waker(&theirs);
    assert_eq!(written(other.poll_write(cx, &[0; 64 << 10])), 64 << 10);
    assert!(other.poll_write(cx, b"x").is_pending());
    for _ in 0..100 {
        // Each is a task of its own that gives up.
        let (waker, listed) = waker();
        let cx = &mut Context::from_waker(&waker);
        assert!(one.poll_write(cx, b"x").is_pending());
        assert!(one.poll_flush(cx).is_pending());
        assert_eq!((thread.waiting(), listed()), (2, 2));
    }
    drop(one);
    assert_eq!((thread.waiting(), kept()), (1, 2));
    drop(other);
    assert_eq!((thread.waiting(), kept()), (0, 1));

    let thread = ThreadIn::without_thread();
    let mut one = Stdin::by_thread_only(thread);
    let mut other = Stdin::by_thread_only(thread);
    let cx = &mut Context::from_waker(&theirs);
    assert!(Pin::new(&mut other).poll_read(cx, &mut [0]).is_pending());
    for _ in 0..100 {
        let (waker, listed) = waker();
        let cx = &mut Context::from_waker(&waker);
        assert!(Pin::new(&mut one).poll_read(cx, &mut [0]).is_pending());
        assert_eq!((thread.waiting(), listed()), (2, 2));
    }
    drop(one);
    assert_eq!((thread.waiting(), kept()), (1, 2));
    thread.step(b"hello");
    assert_eq!((thread.waiting(), kept()), (0, 1));
    let cx = &mut Context::from_waker(Waker::noop());
    let n = written(Pin::new(&mut other).poll_read(cx, &mut [0; 8]));
    assert_eq!(n, 5);
}

/// A waker may be used by its last owner's destructor.
#[test]
fn no_waker_is_dropped_under_the_lock() {
    struct Writes(&'static ThreadOut);
    impl Wake for Writes {
        fn wake(self: Arc<Self>) {}
    }
    impl Drop for Writes {
        fn drop(&mut self) {
            let cx = &mut Context::from_waker(Waker::noop());
            let mut out = Output::by_thread_only(self.0);
            assert!(out.poll_flush(cx).is_pending());
        }
    }

    let thread = ThreadOut::without_thread();
    let mut out = Output::by_thread_only(thread);
    let noop = &mut Context::from_waker(Waker::noop());
    assert_eq!(written(out.poll_write(noop, b"x")), 1);
    for _ in 0..2 {
        let waker = Waker::from(Arc::new(Writes(thread)));
        assert!(
            out.poll_flush(&mut Context::from_waker(&waker))
                .is_pending()
        );
    }
    assert!(out.poll_flush(noop).is_pending());
}
