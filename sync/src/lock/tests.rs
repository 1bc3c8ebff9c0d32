use super::Lock;

#[cfg(not(loom))]
#[test]
fn a_panic_opens_the_lock() {
    let lock = Lock::new(1);
    let caught = std::panic::catch_unwind(|| {
        *lock.lock() += 1;
        let _guard = lock.lock();
        panic!("planned");
    });
    assert!(caught.is_err());
    assert_eq!(*lock.lock(), 2);
    assert_eq!(lock.into_inner(), 2);
}

/// More threads than processors: holders are interrupted, and nobody waits forever.
#[cfg(not(loom))]
#[test]
fn a_crowd_comes_through_one_at_a_time() {
    let (threads, rounds) = if cfg!(miri) { (3, 20) } else { (16, 20_000) };
    let lock = Lock::new((0_u64, 0_u64));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                for _ in 0..rounds {
                    let mut pair = lock.lock();
                    pair.0 += 1;
                    assert_eq!(pair.0, pair.1 + 1);
                    pair.1 += 1;
                }
            });
        }
    });
    assert_eq!(lock.into_inner(), (threads * rounds, threads * rounds));
}

/// A holder that is away for long does not keep a processor busy, nor is the
/// lock lost.
#[cfg(not(loom))]
#[test]
fn who_waits_for_long_gets_it_in_the_end() {
    let lock = Lock::new(1);
    let (about_to, waits) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let guard = lock.lock();
        let waiter = scope.spawn({
            let lock = &lock;
            move || {
                about_to.send(()).expect("it is received");
                std::mem::replace(&mut *lock.lock(), 2)
            }
        });
        waits.recv().expect("it is sent");
        for _ in 0..1_000 {
            std::thread::yield_now(); // into the spinning, perhaps into the sleep
        }
        drop(guard);
        assert_eq!(waiter.join().expect("no panic"), 1);
    });
    assert_eq!(*lock.lock(), 2);
}

/// Two come in every order: one at a time (loom's cell sees to that), and the
/// second sees what the first did.
#[cfg(loom)]
#[test]
fn loom_the_lock_is_for_one_at_a_time() {
    use loom::sync::Arc;

    loom::model(|| {
        let lock = Arc::new(Lock::new(0));
        let other = loom::thread::spawn({
            let lock = lock.clone();
            move || *lock.lock() += 1
        });
        *lock.lock() += 1;
        other.join().unwrap();
        assert_eq!(*lock.lock(), 2);
    });
}
