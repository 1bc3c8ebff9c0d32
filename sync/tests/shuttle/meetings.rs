//! Threads that wait for each other, or for a sign.

use crate::{Arc, AtomicUsize, Relaxed, block_on, coin, explore, perhaps, thread, with_patience};
use std::future::poll_fn;
use std::pin::Pin;
use wakeline_sync::{Barrier, Event, Notify, OnceCell};

/// Finds `the-last-to-come-wakes-nobody`, `one-who-left-is-still-counted`.
#[test]
fn a_barrier_opens_for_four_who_stay_and_tells_one_of_them() {
    explore(|| {
        let barrier = Arc::new(Barrier::new(4));
        let leaders = Arc::new(AtomicUsize::new(0));
        let stay = || {
            let (barrier, leaders) = (Arc::clone(&barrier), Arc::clone(&leaders));
            move || {
                let result = block_on(barrier.wait()).expect("nobody aborts");
                leaders.fetch_add(usize::from(result.is_leader()), Relaxed);
            }
        };
        for round in 1..=2 {
            let first = thread::spawn(stay());
            // With the first they are three: they cannot open it.
            let visitors = [1, 2].map(|patience| {
                let barrier = Arc::clone(&barrier);
                thread::spawn(move || assert!(with_patience(patience, barrier.wait()).is_none()))
            });
            for visitor in visitors {
                visitor.join().unwrap();
            }
            assert!(barrier.waiting() <= 1, "who left does not count");
            let rest = [thread::spawn(stay()), thread::spawn(stay())];
            stay()();
            first.join().unwrap();
            for thread in rest {
                thread.join().unwrap();
            }
            assert_eq!((leaders.load(Relaxed), barrier.waiting()), (round, 0));
        }
    });
}

/// Finds a barrier whose `abort` wakes nobody.
#[test]
fn a_barrier_that_is_aborted_lets_everybody_go() {
    explore(|| {
        let barrier = Arc::new(Barrier::new(2));
        let opened = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let (barrier, opened) = (Arc::clone(&barrier), Arc::clone(&opened));
                thread::spawn(move || {
                    if let Some(Ok(_)) = perhaps(barrier.wait()) {
                        opened.fetch_add(1, Relaxed);
                    }
                })
            })
            .collect();
        thread::yield_now();
        barrier.abort();
        for thread in threads {
            thread.join().unwrap();
        }
        assert!(barrier.is_broken());
        assert_eq!(barrier.waiting(), 0);
        assert!(opened.load(Relaxed) <= 2, "it opened at most once, for two");
    });
}

/// Finds `who-fails-keeps-the-permit`, `the-cell-is-closed-before-it-is-filled`,
/// `a-full-cell-can-be-made-again`.
#[test]
fn a_cell_is_made_once_however_many_fail_before() {
    explore(|| {
        let cell = Arc::new(OnceCell::new());
        let made = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..3)
            .map(|id| {
                let (cell, made) = (Arc::clone(&cell), Arc::clone(&made));
                thread::spawn(move || {
                    let make = |fails: bool| {
                        let made = &made;
                        move || async move {
                            shuttle::future::yield_now().await;
                            if fails {
                                return Err(id);
                            }
                            made.fetch_add(1, Relaxed);
                            Ok(id)
                        }
                    };
                    let first = perhaps(cell.get_or_try_init(make(coin())));
                    let second = *block_on(cell.get_or_try_init(make(false))).unwrap();
                    if let Some(Ok(first)) = first {
                        assert_eq!(*first, second);
                    }
                    second
                })
            })
            .collect();
        let values: Vec<usize> = threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect();
        assert_eq!(made.load(Relaxed), 1);
        assert!(
            values.iter().all(|value| Some(value) == cell.get()),
            "{values:?}"
        );
    });
}

/// Finds `a-notification-dies-with-its-waiter`.
#[test]
fn a_notification_that_is_passed_on_reaches_all_who_stay() {
    explore(|| {
        let notify = Arc::new(Notify::new());
        let waiters: Vec<_> = (0..4)
            .map(|id| {
                let notify = Arc::clone(&notify);
                thread::spawn(move || {
                    let heard = match id {
                        0 | 1 => Some(block_on(notify.notified())),
                        _ => perhaps(notify.notified()),
                    };
                    if heard.is_some() {
                        notify.notify_one();
                    }
                })
            })
            .collect();
        notify.notify_one();
        for waiter in waiters {
            waiter.join().unwrap();
        }
        // And it is still there, once.
        assert!(with_patience(1, notify.notified()).is_some());
        assert!(with_patience(1, notify.notified()).is_none());
    });
}

/// Finds `a-waiter-looks-at-the-event-again`.
#[test]
fn an_event_that_is_set_and_cleared_at_once_lets_those_go_who_waited() {
    explore(|| {
        let event = Arc::new(Event::new());
        let arrived = Arc::new(AtomicUsize::new(0));
        let waiters: Vec<_> = (0..2)
            .map(|_| {
                let (event, arrived) = (Arc::clone(&event), Arc::clone(&arrived));
                thread::spawn(move || {
                    perhaps(event.wait());
                    let mut wait = event.wait();
                    let mut first = true;
                    block_on(poll_fn(|cx| {
                        let polled = Pin::new(&mut wait).poll(cx);
                        arrived.fetch_add(usize::from(std::mem::take(&mut first)), Relaxed);
                        polled
                    }));
                })
            })
            .collect();
        loop {
            let all_wait = arrived.load(Relaxed) >= 2;
            event.set();
            event.clear();
            if all_wait {
                break;
            }
            thread::yield_now();
        }
        for waiter in waiters {
            waiter.join().unwrap();
        }
    });
}

/// Finds `no-second-look-under-the-lock`.
#[test]
fn an_event_that_is_set_while_some_arrive_is_heard_by_all_who_stay() {
    explore(|| {
        let event = Arc::new(Event::new());
        let waiters = [0, 1, 2].map(|_| {
            let event = Arc::clone(&event);
            thread::spawn(move || {
                if perhaps(event.wait()).is_none() {
                    block_on(event.wait());
                }
            })
        });
        event.set();
        for waiter in waiters {
            waiter.join().unwrap();
        }
    });
}
