use super::super::*;
use crate::mutex::Mutex;
use crate::testing::{Count, panics, poll, poll_with};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;

fn got<T>(result: Poll<T>) -> T {
    match result {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it should be ready"),
    }
}

/// A wait that was polled once, with its mutex unlocked by that.
fn waiting<'a>(condvar: &'a Condvar, mutex: &'a Mutex<u32>) -> CondvarWait<'a, 'a, u32> {
    let mut wait = condvar.wait(mutex.try_lock().expect("nobody has it"));
    assert!(poll(&mut wait).is_pending());
    wait
}

#[test]
fn a_wait_unlocks_by_its_first_poll_and_locks_again_after_the_notification() {
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    let (woken, waker) = Count::new();
    let mut wait = condvar.wait(mutex.try_lock().unwrap());
    assert!(mutex.try_lock().is_err(), "not polled yet");
    assert!(poll_with(&mut wait, &waker).is_pending());
    let mut guard = mutex.try_lock().expect("unlocked");
    condvar.notify_one();
    assert_eq!(woken.get(), 1);
    assert!(poll_with(&mut wait, &waker).is_pending(), "it is locked");
    *guard = 7;
    drop(guard);
    assert_eq!(woken.get(), 2);
    assert_eq!(*got(poll(&mut wait)), 7);
}

#[test]
fn a_notification_for_nobody_is_not_stored() {
    let (mutex, condvar) = (Mutex::new(0), Condvar::default());
    condvar.notify_one();
    condvar.notify(3);
    condvar.notify_all();
    let mut wait = waiting(&condvar, &mutex);
    assert!(poll(&mut wait).is_pending());
}

#[test]
fn notifications_go_to_those_who_waited_longest_one_each() {
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    let mut waits: Vec<_> = (0..4).map(|_| waiting(&condvar, &mutex)).collect();
    let guard = mutex.try_lock().unwrap();
    condvar.notify_one(); // two in one critical section: two waiters
    condvar.notify(1);
    drop(guard);
    fn ready(wait: &mut CondvarWait<'_, '_, u32>) -> bool {
        poll(wait).is_ready()
    }
    assert_eq!(
        waits.iter_mut().map(ready).collect::<Vec<_>>(),
        [true, true, false, false]
    );
    condvar.notify(9);
    assert!(waits[2..].iter_mut().all(ready));
}

#[test]
fn notify_all_lets_everyone_go_one_after_the_other() {
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    let mut waits: Vec<_> = (0..3).map(|_| waiting(&condvar, &mutex)).collect();
    condvar.notify_all();
    for wait in &mut waits {
        *got(poll(wait)) += 1;
    }
    assert_eq!(*mutex.try_lock().unwrap(), 3);
}

#[test]
fn a_notification_that_was_not_seen_goes_to_the_next() {
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    let (first, mut second) = (waiting(&condvar, &mutex), waiting(&condvar, &mutex));
    condvar.notify_one();
    assert!(poll(&mut second).is_pending());
    drop(first);
    assert!(poll(&mut second).is_ready());
    assert!(condvar.list.lock().state().is_empty());
}

#[test]
fn a_notification_that_was_seen_but_not_used_goes_to_the_next() {
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    let (mut first, mut second) = (waiting(&condvar, &mutex), waiting(&condvar, &mutex));
    let held = mutex.try_lock().unwrap();
    condvar.notify_one();
    assert!(poll(&mut first).is_pending()); // waits for the mutex now
    drop(first);
    assert!(poll(&mut second).is_pending()); // and so does this
    drop(held);
    drop(got(poll(&mut second)));
    assert!(mutex.try_lock().is_ok());
}

#[test]
fn a_notification_for_all_is_not_handed_to_one_who_came_later() {
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    let (first, mut second) = (waiting(&condvar, &mutex), waiting(&condvar, &mutex));
    condvar.notify_all();
    let held = mutex.try_lock().unwrap();
    assert!(poll(&mut second).is_pending()); // on its way to the mutex
    drop(held);
    drop(second);
    let mut later = waiting(&condvar, &mutex);
    drop(first);
    assert!(poll(&mut later).is_pending());
}

#[test]
fn a_wait_that_is_dropped_leaves_the_mutex_unlocked_wherever_it_was() {
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    drop(condvar.wait(mutex.try_lock().unwrap())); // not polled
    assert!(mutex.try_lock().is_ok());
    drop(waiting(&condvar, &mutex)); // in the queue
    assert!(mutex.try_lock().is_ok());
    let mut granted = waiting(&condvar, &mutex);
    let held = mutex.try_lock().unwrap();
    condvar.notify_one();
    assert!(poll(&mut granted).is_pending());
    drop(held); // the mutex is granted to it
    drop(granted);
    assert!(mutex.try_lock().is_ok());
}

#[test]
fn only_the_latest_waker_is_woken() {
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    let ((old_woken, old), (new_woken, new)) = (Count::new(), Count::new());
    let mut wait = condvar.wait(mutex.try_lock().unwrap());
    assert!(poll_with(&mut wait, &old).is_pending());
    assert!(poll_with(&mut wait, &new).is_pending());
    condvar.notify_one();
    assert_eq!((old_woken.get(), new_woken.get()), (0, 1));
}

#[test]
fn a_condition_is_looked_at_first_and_after_each_notification() {
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    let mut wait = condvar.wait_while(mutex.try_lock().unwrap(), |value| *value < 2);
    assert!(poll(&mut wait).is_pending());
    *mutex.try_lock().unwrap() = 1;
    condvar.notify_all();
    assert!(poll(&mut wait).is_pending(), "not yet");
    assert!(mutex.try_lock().is_ok(), "unlocked again");
    *mutex.try_lock().unwrap() = 2;
    condvar.notify_all();
    let guard = got(poll(&mut wait));
    // The same the other way round, and true from the start.
    let mut at_once = condvar.wait_until(guard, |value| *value == 2);
    assert!(poll(&mut at_once).is_ready());
}

#[test]
fn a_condition_that_panics_unlocks_the_mutex() {
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    let mut wait = condvar.wait_while(mutex.try_lock().unwrap(), |_| panic!("planned"));
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| poll(&mut wait)));
    assert!(caught.is_err());
    assert!(mutex.try_lock().is_ok(), "though the future is still there");
    drop(wait);
}

#[test]
fn a_condition_that_panics_hands_its_notification_on() {
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    let mut looks = 0;
    let mut first = condvar.wait_while(mutex.try_lock().unwrap(), |value| {
        looks += 1;
        assert!(looks == 1, "planned");
        *value == 0
    });
    assert!(poll(&mut first).is_pending());
    let mut second = condvar.wait_while(mutex.try_lock().unwrap(), |value| *value == 0);
    assert!(poll(&mut second).is_pending());
    *mutex.try_lock().unwrap() = 7;
    condvar.notify_one();
    assert!(catch_unwind(AssertUnwindSafe(|| poll(&mut first))).is_err());
    assert_eq!(*got(poll(&mut second)), 7);
}

#[test]
fn a_wait_whose_unlock_panics_leaves_the_queue_when_it_is_dropped() {
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    let mut gone = condvar.wait(mutex.try_lock().unwrap());
    let mut lock = mutex.lock();
    assert!(poll_with(&mut lock, &panics()).is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| poll(&mut gone))).is_err());
    drop(gone);
    drop(lock);
    let mut next = waiting(&condvar, &mutex);
    condvar.notify_one();
    drop(got(poll(&mut next)));
}
