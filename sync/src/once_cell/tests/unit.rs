use super::super::*;
use crate::oneshot;
use crate::testing::{Count, poll, poll_with};
use std::future::{pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

fn got<T>(result: Poll<T>) -> T {
    match result {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it should be ready"),
    }
}

#[test]
fn the_value_is_made_once_and_all_who_waited_have_it() {
    let cell = OnceCell::new();
    let (send, receive) = oneshot::channel();
    let (woken, waker) = Count::new();
    let mut makes = cell.get_or_init(|| async { receive.await.unwrap() });
    assert!(poll(&mut makes).is_pending());
    let mut wait: Vec<_> = (0..2)
        .map(|_| cell.get_or_init(|| -> std::future::Ready<i32> { unreachable!("one is made") }))
        .collect();
    for waits in &mut wait {
        assert!(poll_with(waits, &waker).is_pending());
    }
    assert_eq!(cell.get(), None);
    send.send(7).unwrap();
    assert_eq!(*got(poll(&mut makes)), 7);
    assert_eq!(woken.get(), 2);
    assert!(wait.iter_mut().all(|waits| *got(poll(waits)) == 7));
    assert_eq!(*got(poll(&mut cell.get_or_init(|| ready(8)))), 7);
}

#[test]
fn when_the_one_that_makes_it_gives_up_the_next_makes_it_its_own_way() {
    let cell = OnceCell::new();
    let (woken, waker) = Count::new();
    let mut gives_up = cell.get_or_init(pending);
    let (mut also_gives_up, mut next) = (cell.get_or_init(pending), cell.get_or_init(|| ready(2)));
    assert!(poll(&mut gives_up).is_pending());
    assert!(poll(&mut also_gives_up).is_pending());
    assert!(poll_with(&mut next, &waker).is_pending());
    drop(gives_up); // to the second, which does not see it
    drop(also_gives_up);
    assert_eq!(woken.get(), 1);
    assert_eq!(*got(poll(&mut next)), 2);
}

#[test]
fn when_making_it_fails_the_next_is_tried() {
    let cell = OnceCell::new();
    let mut fails = cell.get_or_try_init(|| ready(Err("planned")));
    assert_eq!(poll(&mut fails), Poll::Ready(Err("planned")));
    let mut works = cell.get_or_try_init(|| ready(Ok::<_, ()>(1)));
    assert_eq!(poll(&mut works), Poll::Ready(Ok(&1)));
}

#[test]
fn when_making_it_panics_the_next_may_begin_at_once() {
    let cell = OnceCell::new();
    let mut panics = cell.get_or_init(|| async { panic!("planned") });
    assert!(catch_unwind(AssertUnwindSafe(|| poll(&mut panics))).is_err());
    let mut panics_early = cell.get_or_init(|| -> std::future::Ready<i32> { panic!("planned") });
    assert!(catch_unwind(AssertUnwindSafe(|| poll(&mut panics_early))).is_err());
    assert_eq!(*got(poll(&mut cell.get_or_init(|| ready(3)))), 3);
    drop((panics, panics_early));
}

#[test]
fn what_makes_it_is_dropped_before_the_next_begins() {
    struct Notes<'a>(&'a OnceCell<i32>, &'a AtomicUsize);
    impl Drop for Notes<'_> {
        fn drop(&mut self) {
            let at_it = self.0.set(9) == Err(SetError::Initializing(9));
            self.1
                .fetch_add(1 + 10 * usize::from(at_it), Ordering::Relaxed);
        }
    }
    let (cell, notes) = (OnceCell::new(), AtomicUsize::new(0));
    let makes = Notes(&cell, &notes);
    let mut gives_up = cell.get_or_init(|| async move {
        let _makes = makes;
        pending().await
    });
    assert!(poll(&mut gives_up).is_pending());
    drop(gives_up);
    assert_eq!(notes.load(Ordering::Relaxed), 11);
    assert_eq!(cell.set(1), Ok(()));
}

#[test]
fn a_value_can_be_set_while_nobody_makes_one() {
    let cell = OnceCell::new();
    let mut makes = cell.get_or_init(pending);
    assert!(poll(&mut makes).is_pending());
    assert_eq!(cell.set(1), Err(SetError::Initializing(1)));
    drop(makes);
    assert_eq!(format!("{cell:?}"), "OnceCell(<empty>)");
    assert_eq!(cell.set(2), Ok(()));
    assert_eq!(cell.set(3), Err(SetError::AlreadyInitialized(3)));
    assert_eq!(format!("{cell:?}"), "OnceCell(2)");
}

#[test]
fn the_value_is_dropped_with_the_cell_and_can_be_taken_out_and_made_again() {
    let value = Arc::new(());
    drop(OnceCell::from(Arc::clone(&value)));
    assert_eq!(Arc::strong_count(&value), 1);
    let mut cell = OnceCell::from(1);
    *cell.get_mut().unwrap() += 1;
    assert_eq!(cell.take(), Some(2));
    assert_eq!(*got(poll(&mut cell.get_or_init(|| ready(3)))), 3);
    assert_eq!(cell.into_inner(), Some(3));
}

#[test]
fn one_that_is_not_polled_calls_nothing() {
    let cell = OnceCell::<i32>::new();
    drop(cell.get_or_init(|| -> std::future::Ready<i32> { unreachable!("not polled") }));
    assert_eq!(cell.set(1), Ok(()));
}
