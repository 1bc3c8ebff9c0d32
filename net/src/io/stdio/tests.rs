//! The state that is shared with the threads, which the tests take step by step.

use super::output::Output;
use super::thread_in::ThreadIn;
use super::thread_out::ThreadOut;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
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
    for waker in all {
        let cx = &mut Context::from_waker(waker);
        assert!(thread.poll_read(cx, &mut [0; 8]).is_pending());
    }
    goes_on(|| thread.step(b"hello"));
    assert_eq!(counts.0.load(Ordering::Relaxed), 2);
    let cx = &mut Context::from_waker(&well);
    assert_eq!(written(thread.poll_read(cx, &mut [0; 8])), 5);
}
