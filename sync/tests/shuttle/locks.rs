//! Locks and permits under threads that give up: never two where one may be, and
//! never nobody where somebody waits.

use crate::{Arc, AtomicUsize, Relaxed, block_on, coin, explore, perhaps, thread, with_patience};
use wakeline_sync::{Condvar, Limiter, Mutex, RwLock, Semaphore};

/// Finds `a-lock-dies-with-its-waiter`, `a-release-looks-past-the-waiters`.
#[test]
fn a_mutex_goes_from_hand_to_hand_and_is_free_in_the_end() {
    explore(|| {
        let mutex = Arc::new(Mutex::new(0));
        let turns = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let (mutex, turns) = (Arc::clone(&mutex), Arc::clone(&turns));
                thread::spawn(move || {
                    for _ in 0..2 {
                        let Some(mut value) = perhaps(mutex.lock()) else {
                            continue;
                        };
                        let before = *value;
                        thread::yield_now();
                        *value = before + 1;
                        turns.fetch_add(1, Relaxed);
                    }
                    // Who waits to the end gets it, whoever gave up before.
                    drop(block_on(mutex.lock()));
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(
            *mutex.try_lock().expect("all are done"),
            turns.load(Relaxed)
        );
    });
}

/// Finds `a-writer-leaves-permits`, `reading-on-gives-all`,
/// `a-lock-dies-with-its-waiter`.
#[test]
fn readers_share_and_a_writer_is_alone() {
    explore(|| {
        let lock = Arc::new(RwLock::new((0, 0)));
        let writers: Vec<_> = (0..2)
            .map(|_| {
                let lock = Arc::clone(&lock);
                thread::spawn(move || {
                    for _ in 0..2 {
                        let Some(mut both) = perhaps(lock.write()) else {
                            continue;
                        };
                        both.0 += 1;
                        thread::yield_now();
                        both.1 += 1;
                        if coin() {
                            let both = wakeline_sync::RwLockWriteGuard::downgrade(both);
                            thread::yield_now();
                            assert_eq!(both.0, both.1);
                        }
                    }
                    drop(block_on(lock.write()));
                })
            })
            .collect();
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let lock = Arc::clone(&lock);
                thread::spawn(move || {
                    for _ in 0..2 {
                        let Some(both) = perhaps(lock.read()) else {
                            continue;
                        };
                        let first = both.0;
                        thread::yield_now();
                        assert_eq!(first, both.1);
                    }
                    drop(block_on(lock.read()));
                })
            })
            .collect();
        for thread in writers.into_iter().chain(readers) {
            thread.join().unwrap();
        }
        drop(lock.try_write().expect("all are done"));
    });
}

/// Finds `a-grant-dies-with-its-waiter`, `a-part-dies-with-its-waiter`,
/// `collected-permits-stay-available`, `a-release-looks-past-the-waiters`.
#[test]
fn permits_of_all_sizes_are_never_more_and_in_the_end_not_fewer() {
    const PERMITS: usize = 3;
    explore(|| {
        let semaphore = Arc::new(Semaphore::new(PERMITS));
        let held = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (1..=PERMITS)
            .map(|size| {
                let (semaphore, held) = (Arc::clone(&semaphore), Arc::clone(&held));
                thread::spawn(move || {
                    for _ in 0..2 {
                        let Some(permit) = perhaps(semaphore.acquire_many(size)) else {
                            continue;
                        };
                        let permit = permit.expect("it is open");
                        assert!(held.fetch_add(size, Relaxed) + size <= PERMITS);
                        thread::yield_now();
                        held.fetch_sub(size, Relaxed);
                        drop(permit);
                    }
                    drop(block_on(semaphore.acquire_many(size)));
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(semaphore.available(), PERMITS);
    });
}

/// Finds `close-overwrites-the-permits`, `no-second-look-for-close`.
#[test]
fn a_semaphore_that_closes_turns_all_away_and_takes_all_back() {
    explore(|| {
        let semaphore = Arc::new(Semaphore::new(2));
        let threads: Vec<_> = (1..=2)
            .map(|size| {
                let semaphore = Arc::clone(&semaphore);
                thread::spawn(move || {
                    loop {
                        match perhaps(semaphore.acquire_many(size)) {
                            Some(Ok(permit)) => {
                                thread::yield_now();
                                drop(permit);
                            }
                            Some(Err(_)) => break,
                            None => thread::yield_now(),
                        }
                    }
                })
            })
            .collect();
        thread::yield_now();
        semaphore.close();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(semaphore.available(), 2);
    });
}

/// Finds `the-mutex-is-unlocked-before-the-place-is-taken`,
/// `a-notification-not-seen-is-not-handed-on`,
/// `a-notification-not-used-is-not-handed-on`.
#[test]
fn a_notification_for_one_who_gives_up_reaches_the_one_who_stays() {
    explore(|| {
        let stock = Arc::new((Mutex::new(0), Condvar::new()));
        let stays = thread::spawn({
            let stock = Arc::clone(&stock);
            move || {
                let (mutex, filled) = &*stock;
                block_on(async {
                    let mut left = mutex.lock().await;
                    while *left == 0 {
                        left = filled.wait(left).await;
                    }
                    *left -= 1;
                });
            }
        });
        let others = [2, 3].map(|patience| {
            let stock = Arc::clone(&stock);
            thread::spawn(move || {
                let (mutex, filled) = &*stock;
                let heard = with_patience(patience, async {
                    let left = mutex.lock().await;
                    if *left == 0 {
                        drop(filled.wait(left).await);
                    }
                });
                // It takes nothing, so what it heard is for another.
                if heard.is_some() {
                    filled.notify_one();
                }
            })
        });
        let (mutex, filled) = &*stock;
        let mut left = block_on(mutex.lock());
        *left += 1;
        // Who hears it while the mutex is locked is on its way, and may give up there.
        filled.notify_one();
        thread::yield_now();
        drop(left);
        stays.join().unwrap();
        for thread in others {
            thread.join().unwrap();
        }
        assert_eq!(*mutex.try_lock().expect("all are done"), 0);
    });
}

/// Finds `no-second-look-for-room`, `room-dies-with-its-waiter`.
#[test]
fn a_limit_that_changes_while_places_are_taken_holds() {
    explore(|| {
        let limiter = Arc::new(Limiter::new(1));
        let inside = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let (limiter, inside) = (Arc::clone(&limiter), Arc::clone(&inside));
                thread::spawn(move || {
                    for _ in 0..2 {
                        let Some(place) = perhaps(limiter.acquire()) else {
                            continue;
                        };
                        assert!(
                            inside.fetch_add(1, Relaxed) < 2,
                            "2 is the most it ever was"
                        );
                        thread::yield_now();
                        inside.fetch_sub(1, Relaxed);
                        drop(place);
                    }
                    drop(block_on(limiter.acquire()));
                })
            })
            .collect();
        limiter.set_total(0);
        thread::yield_now();
        limiter.set_total(2);
        thread::yield_now();
        limiter.set_total(1);
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!((limiter.borrowed(), limiter.available()), (0, 1));
    });
}
