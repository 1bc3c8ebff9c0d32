use super::super::*;
use crate::testing::{Count, poll, poll_with};
use std::task::Poll;
use wakeline_context::replace_task;

fn got<T>(result: Poll<T>) -> T {
    match result {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it should be ready"),
    }
}

#[test]
fn the_lock_goes_round_in_the_order_of_arrival_and_nobody_barges_in() {
    let lock = Mutex::new(Vec::new());
    let held = lock.try_lock().unwrap();
    let (first_woken, first_waker) = Count::new();
    let (second_woken, second_waker) = Count::new();
    let (mut first, mut second) = (lock.lock(), lock.lock());
    assert!(poll_with(&mut first, &first_waker).is_pending());
    assert!(poll_with(&mut second, &second_waker).is_pending());

    drop(held);
    assert_eq!((first_woken.get(), second_woken.get()), (1, 0));
    assert!(lock.try_lock().is_err(), "it is the first one's already");
    assert!(poll_with(&mut second, &second_waker).is_pending());
    got(poll(&mut first)).push("first");
    got(poll(&mut second)).push("second");
    drop((first, second));
    assert_eq!(lock.into_inner(), ["first", "second"]);
}

#[test]
fn a_lock_granted_to_one_who_gives_up_goes_to_the_next_and_then_is_free() {
    let lock = Arc::new(Mutex::new(()));
    let held = lock.try_lock().unwrap();
    let (woken, waker) = Count::new();
    let (mut first, mut second) = (lock.lock(), lock.lock_owned());
    assert!(poll(&mut first).is_pending());
    assert!(poll_with(&mut second, &waker).is_pending());
    drop(held);
    drop(first);
    assert_eq!(woken.get(), 1);
    drop(second);
    assert!(lock.try_lock().is_ok());
}

#[test]
fn a_future_that_is_not_polled_does_nothing() {
    let lock = Mutex::new(());
    let unpolled = lock.lock();
    assert!(lock.try_lock().is_ok());
    drop(unpolled);
    assert!(lock.try_lock().is_ok());
}

#[test]
fn only_the_latest_waker_is_woken() {
    let lock = Mutex::new(());
    let held = lock.try_lock().unwrap();
    let ((old_woken, old), (new_woken, new)) = (Count::new(), Count::new());
    let mut waiting = lock.lock();
    assert!(poll_with(&mut waiting, &old).is_pending());
    assert!(poll_with(&mut waiting, &new).is_pending());
    drop(held);
    assert_eq!((old_woken.get(), new_woken.get()), (0, 1));
}

#[test]
fn the_owner_is_the_task_that_made_the_guard_and_nobody_afterwards() {
    let lock = Arc::new(Mutex::new(1));
    let outside = replace_task(7);
    let guard = lock.try_lock().unwrap();
    let mut next = lock.lock_owned();
    replace_task(8);
    assert!(poll(&mut next).is_pending());
    assert_eq!(lock.owner(), Some(7));
    assert_eq!(
        format!("{lock:?}"),
        "Mutex { owner: Some(7), value: <locked> }"
    );
    drop(guard);
    assert_eq!(lock.owner(), None, "granted, and not polled since");
    let guard = got(poll(&mut next));
    assert_eq!(lock.owner(), Some(8));
    replace_task(outside);
    drop(guard);
    assert_eq!(format!("{lock:?}"), "Mutex { owner: None, value: 1 }");
}

#[test]
fn a_leaked_guard_locks_for_ever_and_tells_who_leaked_it() {
    let lock = Mutex::new(());
    let outside = replace_task(9);
    std::mem::forget(lock.try_lock().unwrap());
    replace_task(outside);
    assert!(lock.try_lock().is_err());
    assert_eq!(lock.owner(), Some(9));
}

#[test]
fn a_panic_unlocks_and_does_not_poison() {
    let lock = Arc::new(Mutex::new(1));
    let caught = std::panic::catch_unwind({
        let lock = std::panic::AssertUnwindSafe(Arc::clone(&lock));
        move || {
            let mut guard = lock.try_lock().unwrap();
            *guard = 2;
            panic!("planned");
        }
    });
    assert!(caught.is_err());
    assert_eq!(*lock.try_lock().unwrap(), 2);
    assert_eq!(lock.owner(), None);
}

#[test]
fn an_owned_guard_keeps_the_lock_alive() {
    let lock = Arc::new(Mutex::new(String::from("kept")));
    let guard = got(poll(&mut lock.lock_owned()));
    assert!(lock.try_lock_owned().is_err());
    drop(lock);
    assert_eq!(Arc::strong_count(OwnedMutexGuard::mutex(&guard)), 1);
    assert_eq!(&*guard, "kept");
}

#[test]
fn the_value_may_be_of_unknown_size() {
    let lock: Arc<Mutex<[u8]>> = Arc::new(Mutex::new([1, 2, 3]));
    got(poll(&mut lock.lock()))[1] = 7;
    assert_eq!(&*lock.try_lock_owned().unwrap(), [1, 7, 3]);
}

#[test]
fn a_waker_may_take_the_lock_and_a_value_may_have_waited_for_it() {
    use std::sync::Mutex as Slot;
    use std::task::{Wake, Waker};

    struct TriesTheLock(Arc<Mutex<u32>>, Slot<Option<bool>>);
    impl Wake for TriesTheLock {
        fn wake(self: Arc<Self>) {
            *self.1.lock().unwrap() = Some(self.0.try_lock().is_ok());
        }
    }
    let lock = Arc::new(Mutex::new(0));
    let held = lock.try_lock().unwrap();
    let tries = Arc::new(TriesTheLock(Arc::clone(&lock), Slot::new(None)));
    let mut waiting = lock.lock();
    assert!(poll_with(&mut waiting, &Waker::from(Arc::clone(&tries))).is_pending());
    drop(held);
    assert_eq!(*tries.1.lock().unwrap(), Some(false), "it is granted");

    // A value whose destructor gives the place in another lock's queue up.
    let inner: Arc<Mutex<()>> = Arc::default();
    let held = inner.try_lock().unwrap();
    let mut queued = inner.lock_owned();
    assert!(poll(&mut queued).is_pending());
    let outer = Mutex::new(Some(queued));
    *outer.try_lock().unwrap() = None;
    drop(held);
    assert!(inner.try_lock().is_ok());
}

#[test]
#[should_panic(expected = "polled after")]
fn a_lock_is_given_once() {
    let lock = Mutex::new(());
    let mut once = lock.lock();
    drop(got(poll(&mut once)));
    let _ = poll(&mut once);
}

#[test]
fn a_waiting_future_tells_where_it_waits() {
    let polling = wakeline_context::Polling::begin();
    let lock = Mutex::new(());
    let _held = lock.try_lock().unwrap();
    let line = line!() + 1;
    let mut waiting = lock.lock();
    assert!(poll(&mut waiting).is_pending());
    let waits = polling.end().expect("it waits");
    assert_eq!(waits.kind, wakeline_context::Kind::Lock);
    assert_eq!(
        (waits.location.file(), waits.location.line()),
        (file!(), line)
    );
}

#[test]
fn who_waits_for_a_mutex_of_a_task_tells_which_task_that_is() {
    let before = wakeline_context::replace_task(7);
    let lock = Mutex::new(());
    let held = lock.try_lock().unwrap();
    wakeline_context::replace_task(8);
    let polling = wakeline_context::Polling::begin();
    let line = line!() + 1;
    let mut waiting = lock.lock();
    assert!(poll(&mut waiting).is_pending());
    let waits = polling.end().expect("it waits");
    wakeline_context::replace_task(before);
    assert_eq!((waits.kind, waits.id), (wakeline_context::Kind::Mutex, 7));
    assert_eq!(waits.location.line(), line);
    assert!(waits.to_string().starts_with("a mutex held by #7 at "));
    drop(held);
    drop(got(poll(&mut waiting)));
}
