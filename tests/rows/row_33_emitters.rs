//! Emitters that were carried out of their generator: who waits is woken, and who gives up
//! leaves nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;
use std::task::{Context, Poll, Wake, Waker};

use wakeline::stream::{Emitter, Stream, gen_stream};

/// Counts its calls.
#[derive(Default)]
struct Calls(AtomicUsize);

impl Wake for Calls {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("planned");
    }
}

fn counted() -> (Arc<Calls>, Waker) {
    let calls = Arc::new(Calls::default());
    (Arc::clone(&calls), Waker::from(calls))
}

/// A generator whose body does nothing itself, and its emitter.
fn carried_out() -> (Pin<Box<impl Stream<Item = u32>>>, Emitter<u32>) {
    let (give, given) = mpsc::channel();
    let mut numbers = Box::pin(gen_stream(move |y| async move {
        give.send(y).expect("somebody takes it");
        std::future::pending::<()>().await;
    }));
    let cx = &mut Context::from_waker(Waker::noop());
    assert!(numbers.as_mut().poll_next(cx).is_pending());
    (numbers, given.recv().expect("it has begun"))
}

#[test]
fn one_beside_the_consumer_in_its_task_is_woken() {
    let (mut numbers, y) = carried_out();
    let (calls, waker) = counted();
    let cx = &mut Context::from_waker(&waker);
    let mut emits = pin!(y.emit(1));
    assert!(emits.as_mut().poll(cx).is_pending());
    assert_eq!(numbers.as_mut().poll_next(cx), Poll::Ready(Some(1)));
    assert_eq!(calls.0.load(SeqCst), 1, "nobody polls it else");
    assert!(emits.poll(cx).is_ready());
}

#[test]
fn one_in_the_body_is_polled_by_the_consumer_and_not_woken() {
    let mut numbers = pin!(gen_stream(|y| async move {
        for n in 0..3 {
            y.emit(n).await;
        }
    }));
    let (calls, waker) = counted();
    let cx = &mut Context::from_waker(&waker);
    for n in 0..3 {
        assert_eq!(numbers.as_mut().poll_next(cx), Poll::Ready(Some(n)));
    }
    assert_eq!(calls.0.load(SeqCst), 0);
}

#[test]
fn a_waker_that_panics_costs_no_item_and_nobody_his_wake() {
    let (mut numbers, y) = carried_out();
    let (calls, waker) = counted();
    let (mut first, mut second) = (pin!(y.emit(1)), pin!(y.emit(2)));
    let panics = Waker::from(Arc::new(Panics));
    let polled = first.as_mut().poll(&mut Context::from_waker(&panics));
    assert!(polled.is_pending());
    assert!(
        second
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    let cx = &mut Context::from_waker(Waker::noop());
    let taken = catch_unwind(AssertUnwindSafe(|| numbers.as_mut().poll_next(cx)));
    assert_eq!(
        taken.expect("it is nobody's of these"),
        Poll::Ready(Some(1))
    );
    assert_eq!(calls.0.load(SeqCst), 1);
    assert!(second.as_mut().poll(cx).is_pending(), "placed");
    assert_eq!(numbers.as_mut().poll_next(cx), Poll::Ready(Some(2)));
}

#[test]
fn who_gives_up_leaves_no_waker() {
    let (mut numbers, y) = carried_out();
    let cx = &mut Context::from_waker(Waker::noop());
    let mut placed = pin!(y.emit(1));
    assert!(placed.as_mut().poll(cx).is_pending());
    let (calls, waker) = counted();
    for _ in 0..100 {
        let mut waits = Box::pin(y.emit(2));
        assert!(
            waits
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
    }
    assert_eq!(Arc::strong_count(&calls), 2, "this one's, and its waker's");
    assert_eq!(numbers.as_mut().poll_next(cx), Poll::Ready(Some(1)));
    assert_eq!(calls.0.load(SeqCst), 0);
}

#[test]
fn there_is_room_when_the_one_that_was_placed_is_given_up() {
    let (mut numbers, y) = carried_out();
    let cx = &mut Context::from_waker(Waker::noop());
    let mut placed = Box::pin(y.emit(1));
    assert!(placed.as_mut().poll(cx).is_pending());
    let (calls, waker) = counted();
    let mut waits = pin!(y.emit(2));
    assert!(
        waits
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    drop(placed);
    assert_eq!(calls.0.load(SeqCst), 1);
    assert!(waits.as_mut().poll(cx).is_pending());
    assert_eq!(numbers.as_mut().poll_next(cx), Poll::Ready(Some(2)));
}
