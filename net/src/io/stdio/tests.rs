//! The state that is shared with the threads, which the tests take step by step.

use super::output::Output;
use super::thread_out::ThreadOut;
use std::io;
use std::task::{Context, Poll, Waker};

fn written(poll: Poll<io::Result<usize>>) -> usize {
    match poll {
        Poll::Ready(result) => result.expect("no error"),
        Poll::Pending => panic!("there is room"),
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
