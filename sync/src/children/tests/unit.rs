//! One thread: what the set promises.

use super::super::*;
use crate::testing::Count;
use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn, ready};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use wakeline_context::Polling;

type Local<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

fn next<F: Future + Unpin>(children: &mut Children<F>, waker: &Waker) -> Next<F::Output> {
    children.poll_next(&mut Context::from_waker(waker))
}

/// A future that shows its waker and counts its polls.
fn parked<'a>(waker: &'a RefCell<Option<Waker>>, polls: &'a Cell<u32>) -> Local<'a, ()> {
    Box::pin(poll_fn(move |cx| {
        polls.set(polls.get() + 1);
        *waker.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }))
}

#[test]
fn only_the_woken_are_polled() {
    let (count, waker) = Count::new();
    let wakers: Vec<RefCell<Option<Waker>>> = (0..100).map(|_| RefCell::default()).collect();
    let polls: Vec<Cell<u32>> = (0..100).map(|_| Cell::new(0)).collect();
    let mut children = Children::new();
    for (waker, polls) in wakers.iter().zip(&polls) {
        children.insert(parked(waker, polls));
    }
    while polls.iter().any(|polls| polls.get() == 0) {
        assert!(next(&mut children, &waker).is_pending());
    }
    let woken = count.get();
    for child in [7, 7, 30] {
        wakers[child].borrow().as_ref().unwrap().wake_by_ref();
    }
    assert_eq!(
        count.get() - woken,
        1,
        "many wakes are one wake of the task"
    );
    assert!(next(&mut children, &waker).is_pending());
    for (child, polls) in polls.iter().enumerate() {
        let expected = if [7, 30].contains(&child) { 2 } else { 1 };
        assert_eq!(polls.get(), expected, "child {child}");
    }
}

#[test]
fn outputs_come_in_the_order_of_the_wakes() {
    let wakers: Vec<RefCell<Option<Waker>>> = (0..3).map(|_| RefCell::default()).collect();
    let mut children: Children<Local<'_, usize>> = Children::new();
    for (n, waker) in wakers.iter().enumerate() {
        let mut first = true;
        children.insert(Box::pin(poll_fn(move |cx| {
            *waker.borrow_mut() = Some(cx.waker().clone());
            if std::mem::take(&mut first) {
                Poll::Pending
            } else {
                Poll::Ready(n)
            }
        })));
    }
    assert!(next(&mut children, Waker::noop()).is_pending());
    for n in [2, 0, 1] {
        wakers[n].borrow().as_ref().unwrap().wake_by_ref();
    }
    let mut outputs = Vec::new();
    while let Poll::Ready(Some((_, output))) = next(&mut children, Waker::noop()) {
        outputs.push(output.unwrap());
    }
    assert_eq!(outputs, [2, 0, 1]);
    assert!(children.is_empty());
}

#[test]
fn a_child_that_wakes_itself_does_not_keep_the_task_nor_the_others() {
    let (count, waker) = Count::new();
    let polls = Cell::new(0);
    let mut children: Children<Local<'_, u8>> = Children::new();
    children.insert(Box::pin(poll_fn(|cx| {
        polls.set(polls.get() + 1);
        cx.waker().wake_by_ref();
        Poll::Pending
    })));
    children.insert(Box::pin(ready(9)));
    assert!(matches!(
        next(&mut children, &waker),
        Poll::Ready(Some((_, Ok(9))))
    ));
    assert!(next(&mut children, &waker).is_pending());
    assert_eq!(polls.get(), POLLS_PER_TURN);
    assert_eq!(count.get(), 1, "it comes back");
}

#[test]
fn a_spent_budget_ends_the_turn_and_outputs_cost() {
    let (count, waker) = Count::new();
    let mut children: Children<std::future::Ready<()>> = Children::new();
    for _ in 0..1_000 {
        children.insert(ready(()));
    }
    let mut turns = 0;
    while !children.is_empty() {
        let _poll = Polling::begin();
        let before = children.len();
        while let Poll::Ready(Some(_)) = next(&mut children, &waker) {}
        assert!(before - children.len() <= usize::from(budget::PER_POLL));
        turns += 1;
    }
    assert_eq!(turns, 1_000_usize.div_ceil(usize::from(budget::PER_POLL)));
    assert_eq!(count.get(), turns - 1);
}

#[test]
fn a_panic_drops_only_the_child_that_panicked() {
    struct Loud(Rc<Cell<u32>>);
    impl Drop for Loud {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
            panic!("in the destructor");
        }
    }
    let drops = Rc::new(Cell::new(0));
    let mut children: Children<Local<'_, u8>> = Children::new();
    children.insert(Box::pin(async { panic!("in the poll") }));
    let loud = Loud(drops.clone());
    children.insert(Box::pin({
        let mut loud = Some(loud);
        poll_fn(move |_| {
            let _ = &mut loud; // lives until the future is dropped
            Poll::Ready(1)
        })
    }));
    children.insert(Box::pin(ready(2)));
    let mut next = || match next(&mut children, Waker::noop()) {
        Poll::Ready(Some((_, output))) => output.map_err(|p| *p.downcast::<&str>().unwrap()),
        other => panic!("{other:?}"),
    };
    assert_eq!(next(), Err("in the poll"));
    assert_eq!(next(), Err("in the destructor"), "its output goes with it");
    assert_eq!(next(), Ok(2));
    assert_eq!(drops.get(), 1);
}

#[test]
fn a_removed_child_is_given_back_and_its_waker_wakes_nothing() {
    let (count, waker) = Count::new();
    let (child_waker, polls) = (RefCell::default(), Cell::new(0));
    let mut children = Children::new();
    let key = children.insert(parked(&child_waker, &polls));
    children.insert(Box::pin(pending()));
    assert!(next(&mut children, &waker).is_pending());
    assert!(children.contains(key));
    let child = children.remove(key).expect("it is there");
    assert!(children.remove(key).is_none());
    child_waker.borrow().as_ref().unwrap().wake_by_ref();
    assert_eq!(count.get(), 0);

    // Another one at the same place: the old key names nothing.
    let again = children.insert(child);
    assert_eq!(again.index, key.index);
    assert_ne!(again, key);
    assert!(children.remove(key).is_none());
    assert!(children.get_mut(key).is_none());
    assert!(children.get_mut(again).is_some());
}

#[test]
fn a_waker_that_outlives_the_set_wakes_nothing() {
    let (count, waker) = Count::new();
    let (child_waker, polls) = (RefCell::default(), Cell::new(0));
    let mut children = Children::new();
    children.insert(parked(&child_waker, &polls));
    assert!(next(&mut children, &waker).is_pending());
    drop(children);
    assert_eq!(Arc::strong_count(&count), 2, "the task's waker is let go");
    child_waker.borrow().as_ref().unwrap().wake_by_ref();
    assert_eq!(count.get(), 0);
}

#[test]
fn the_latest_waker_of_the_task_is_woken() {
    let (first, waker_1) = Count::new();
    let (second, waker_2) = Count::new();
    let (child_waker, polls) = (RefCell::default(), Cell::new(0));
    let mut children = Children::new();
    children.insert(parked(&child_waker, &polls));
    assert!(next(&mut children, &waker_1).is_pending());
    assert!(next(&mut children, &waker_2).is_pending());
    child_waker.borrow().as_ref().unwrap().wake_by_ref();
    assert_eq!((first.get(), second.get()), (0, 1));
}

#[test]
fn a_nudge_wakes_the_task_also_of_an_empty_set_and_during_its_poll() {
    let (count, waker) = Count::new();
    let mut children: Children<Local<'_, ()>> = Children::new();
    let nudge = children.nudge();
    assert!(matches!(next(&mut children, &waker), Poll::Ready(None)));
    nudge.wake();
    nudge.wake();
    assert_eq!(count.get(), 1);
    children.insert(Box::pin(poll_fn(move |_| {
        nudge.wake();
        Poll::Pending
    })));
    assert!(next(&mut children, &waker).is_pending());
    assert_eq!(count.get(), 2);
}

#[test]
fn dropping_the_set_drops_all_also_if_one_panics() {
    struct Counts<'a>(&'a Cell<u32>, bool);
    impl Drop for Counts<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
            assert!(!self.1, "planned");
        }
    }
    let drops = Cell::new(0);
    let mut children: Children<Local<'_, ()>> = Children::new();
    for panics in [false, true, false, true] {
        let counts = Counts(&drops, panics);
        children.insert(Box::pin(async move {
            let _counts = counts;
            pending().await
        }));
    }
    assert!(drop_caught(children).is_some());
    assert_eq!(drops.get(), 4);
}

/// A child may drop a waker of its own whose drop wakes, and so on: nothing
/// foreign runs under the list's lock.
#[test]
fn a_task_waker_that_wakes_a_child_when_it_is_dropped_does_not_hang() {
    use std::task::Wake;
    struct Chained(std::sync::Mutex<Option<Waker>>, Arc<AtomicBool>);
    impl Wake for Chained {
        fn wake(self: Arc<Self>) {}
    }
    impl Drop for Chained {
        fn drop(&mut self) {
            self.1.store(true, Ordering::Relaxed);
            if let Some(waker) = self.0.get_mut().unwrap().take() {
                waker.wake();
            }
        }
    }
    let (child_waker, polls) = (RefCell::default(), Cell::new(0));
    let mut children = Children::new();
    children.insert(parked(&child_waker, &polls));
    assert!(next(&mut children, Waker::noop()).is_pending());
    let dropped = Arc::new(AtomicBool::new(false));
    let chained = Arc::new(Chained(
        std::sync::Mutex::new(child_waker.borrow().clone()),
        dropped.clone(),
    ));
    assert!(next(&mut children, &Waker::from(chained)).is_pending());
    assert!(next(&mut children, Waker::noop()).is_pending());
    assert!(dropped.load(Ordering::Relaxed));
    assert!(next(&mut children, Waker::noop()).is_pending());
    assert_eq!(polls.get(), 2);
}
