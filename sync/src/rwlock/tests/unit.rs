use super::super::*;
use crate::testing::{Count, poll, poll_with};
use std::task::Poll;

fn got<T>(result: Poll<T>) -> T {
    match result {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it should be ready"),
    }
}

#[test]
fn readers_read_together_and_a_writer_writes_alone() {
    let lock = RwLock::new(1);
    let (one, two) = (got(poll(&mut lock.read())), got(poll(&mut lock.read())));
    let mut write = lock.write();
    assert!(poll(&mut write).is_pending());
    assert_eq!(*one + *two, 2);
    drop(one);
    assert!(poll(&mut write).is_pending());
    drop(two);
    *got(poll(&mut write)) = 2;
    assert_eq!(*lock.try_read().unwrap(), 2);
}

#[test]
fn a_writer_in_the_queue_holds_up_later_readers_and_lets_them_in_when_it_gives_up() {
    let lock = RwLock::new(());
    let reads = lock.try_read().unwrap();
    let (woken, waker) = Count::new();
    let mut write = lock.write();
    let mut later = [lock.read(), lock.read()];
    assert!(poll(&mut write).is_pending());
    for read in &mut later {
        assert!(poll_with(read, &waker).is_pending());
    }
    assert!(lock.try_read().is_err(), "it came after the writer");
    drop(write);
    assert_eq!(woken.get(), 2, "both at once");
    let guards = later.each_mut().map(|read| got(poll(read)));
    assert!(lock.try_write().is_err());
    drop((reads, guards));
    assert!(lock.try_write().is_ok());
}

#[test]
fn those_who_read_between_two_writers_go_on_together() {
    let lock = RwLock::new(());
    let held = lock.try_write().unwrap();
    let (woken, waker) = Count::new();
    let (mut one, mut two, mut next_write, mut last) =
        (lock.read(), lock.read(), lock.write(), lock.read());
    for read in [&mut one, &mut two] {
        assert!(poll_with(read, &waker).is_pending());
    }
    assert!(poll(&mut next_write).is_pending());
    assert!(poll(&mut last).is_pending());
    drop(held);
    assert_eq!(woken.get(), 2);
    let reads = (got(poll(&mut one)), got(poll(&mut two)));
    assert!(poll(&mut last).is_pending() && poll(&mut next_write).is_pending());
    drop(reads);
    let writes = got(poll(&mut next_write));
    assert!(poll(&mut last).is_pending());
    drop(writes);
    let _ = got(poll(&mut last));
}

#[test]
fn what_was_granted_and_not_seen_goes_to_the_next() {
    let lock = Arc::new(RwLock::new(()));
    let held = lock.try_write().unwrap();
    let (mut first, mut second) = (lock.write_owned(), lock.read_owned());
    assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
    drop(held);
    assert!(poll(&mut second).is_pending());
    drop(first); // it had been granted all
    let reads = got(poll(&mut second));
    assert!(lock.try_write_owned().is_err());
    drop(reads);
    let held = lock.try_write_owned().unwrap();
    let mut never_seen = lock.read();
    assert!(poll(&mut never_seen).is_pending());
    drop(held);
    drop(never_seen);
    assert!(lock.try_write().is_ok());
}

#[test]
fn a_writer_that_only_reads_on_lets_in_the_readers_before_the_next_writer() {
    let lock = Arc::new(RwLock::new(0));
    let mut writes = lock.try_write().unwrap();
    *writes = 1;
    let (mut near, mut next_write, mut far) = (lock.read(), lock.write(), lock.read());
    assert!(poll(&mut near).is_pending());
    assert!(poll(&mut next_write).is_pending());
    assert!(poll(&mut far).is_pending());
    let reads = RwLockWriteGuard::downgrade(writes);
    assert_eq!(*got(poll(&mut near)), 1);
    assert!(poll(&mut far).is_pending());
    assert!(poll(&mut next_write).is_pending());
    drop(reads);
    drop(got(poll(&mut next_write)));
    drop(got(poll(&mut far)));

    let reads = OwnedRwLockWriteGuard::downgrade(lock.try_write_owned().unwrap());
    assert!(lock.try_read().is_ok() && lock.try_write().is_err());
    drop(reads);
    assert!(lock.try_write().is_ok());
}

#[test]
fn a_panic_unlocks_and_does_not_poison() {
    let lock = Arc::new(RwLock::new(1));
    let caught = std::panic::catch_unwind({
        let lock = std::panic::AssertUnwindSafe(Arc::clone(&lock));
        move || {
            let mut guard = lock.try_write().unwrap();
            *guard = 2;
            panic!("planned");
        }
    });
    assert!(caught.is_err());
    assert_eq!(*lock.try_read().unwrap(), 2);
}

#[test]
fn it_shows_its_value_unless_somebody_writes() {
    let mut lock: RwLock<i32> = 1.into();
    *lock.get_mut() += 1;
    let reads = lock.try_read().unwrap();
    assert_eq!(format!("{lock:?} {reads:?}"), "RwLock { value: 2 } 2");
    drop(reads);
    let writes = lock.try_write().unwrap();
    assert_eq!(format!("{lock:?} {writes}"), "RwLock { value: <locked> } 2");
    drop(writes);
    assert_eq!(lock.into_inner(), 2);
}

#[test]
fn an_owned_guard_keeps_the_lock_alive_and_the_value_may_be_unsized() {
    let lock: Arc<RwLock<[u8]>> = Arc::new(RwLock::new([1, 2]));
    let mut writes = lock.try_write_owned().unwrap();
    drop(lock);
    writes[0] = 7;
    let reads = OwnedRwLockWriteGuard::downgrade(writes);
    assert_eq!(Arc::strong_count(OwnedRwLockReadGuard::rwlock(&reads)), 1);
    assert_eq!(&*reads, [7, 2]);
}
