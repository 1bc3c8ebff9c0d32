//! Dropping futures at moments of all kinds.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::{Chance, setting};
use wakeline::sync::Semaphore;
use wakeline::time::sleep_until;
use wakeline::yield_now;

/// How many drops a test makes per backend: so many percent of
/// `WAKELINE_TEST_DROPS` (100,000 without it).
pub(crate) fn share(percent: u64) -> u64 {
    setting("WAKELINE_TEST_DROPS", 100_000) * percent / 100
}

/// Polls once, without a wake to come of it.
pub(crate) fn poll_idly<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Polls once, in the current task.
pub(crate) async fn poll_once<F: Future + ?Sized>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

/// Uses up what the poll in progress may spend.
pub(crate) fn spend_share() {
    let semaphore = Semaphore::new(1);
    while poll_idly(pin!(semaphore.acquire())).is_ready() {}
}

/// Drives `future` for a while and drops it at a random moment, `event` having
/// been made to happen at another. Returns what the future gave, if it was
/// quicker than the drop.
///
/// The moments differ in what the reactor has seen by then: nothing, the
/// future's interest, the event, or the event and the deadline in one turn, of
/// which the deadline is looked at first.
pub(crate) async fn drop_at_random<F: Future>(
    chance: &mut Chance,
    future: F,
    event: impl FnOnce(),
) -> Option<F::Output> {
    let mut future = pin!(future);
    match chance.below(6) {
        // Never polled.
        0 => {
            event();
            None
        }
        // Interest told, perhaps to the kernel too; the event comes after the drop.
        1 => {
            let early = poll_once(future.as_mut()).await;
            if chance.one_in(2) {
                yield_now().await;
            }
            drop(event);
            ready(early)
        }
        // The event is there, perhaps seen by the reactor; nobody polled since.
        2 | 3 => {
            let early = poll_once(future.as_mut()).await;
            if chance.one_in(2) {
                yield_now().await;
            }
            event();
            for _ in 0..chance.below(3) {
                yield_now().await;
            }
            ready(early)
        }
        // Event and deadline in the same turn, the timer polled first.
        4 => {
            let deadline = Instant::now() + Duration::from_micros(chance.below(200));
            let mut timer = pin!(sleep_until(deadline));
            let mut event = Some(event);
            poll_fn(|cx| {
                if timer.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(None);
                }
                let early = future.as_mut().poll(cx);
                if let Some(event) = event.take() {
                    event();
                    // Until the deadline is over, so that one turn meets both.
                    while Instant::now() < deadline {
                        std::hint::spin_loop();
                    }
                }
                early.map(Some)
            })
            .await
        }
        // Not dropped before it is ready: the normal way must work in between.
        _ => {
            event();
            Some(future.await)
        }
    }
}

fn ready<T>(poll: Poll<T>) -> Option<T> {
    match poll {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// The descriptors of the process, once this thread has all that it needs to
/// wait: its reactor is made by the first wait. And the process what the first
/// pipe leaves for good, which stands in for closed ones.
pub(crate) async fn descriptors_before() -> usize {
    drop(wakeline::pipe::pipe().expect("a pipe"));
    // A deadline that is over when it is polled, as a near one may be, needs none.
    let far = pin!(sleep_until(Instant::now() + Duration::from_secs(3_600)));
    assert!(poll_once(far).await.is_pending());
    sleep_until(Instant::now() + Duration::from_millis(1)).await;
    super::open_descriptors()
}

/// Waits until the process has as many descriptors as `before`; the last ones
/// may be on their way through a cancel.
pub(crate) async fn descriptors_back_to(before: usize) {
    for _ in 0..1_000 {
        if super::open_descriptors() <= before {
            return;
        }
        sleep_until(Instant::now() + Duration::from_millis(1)).await;
    }
    panic!(
        "{} descriptors, before {before}: {:#?}",
        super::open_descriptors(),
        super::describe_descriptors()
    );
}
