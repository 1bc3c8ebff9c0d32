//! Values that go from thread to thread: none is lost, none comes twice.

use crate::{Arc, AtomicUsize, Relaxed, block_on, coin, explore, perhaps, thread, with_patience};
use std::sync::Mutex;
use wakeline_sync::{broadcast, mpsc, oneshot, watch};

/// Finds `mpsc-no-second-look-for-a-slot`, `mpsc-no-second-look-for-a-value`,
/// `mpsc-the-last-sender-tells-nobody`.
#[test]
fn three_senders_and_a_receiver_that_give_up_now_and_then_lose_nothing() {
    explore(|| {
        let (sender, mut receiver) = mpsc::channel::<(usize, usize)>(1);
        let sent = Arc::new(AtomicUsize::new(0));
        let senders: Vec<_> = (0..3)
            .map(|id| {
                let (sender, sent) = (sender.clone(), Arc::clone(&sent));
                thread::spawn(move || {
                    for number in 0..2 {
                        if coin() {
                            if let Some(done) = perhaps(sender.send((id, number))) {
                                done.expect("the receiver is there");
                                sent.fetch_add(1, Relaxed);
                            }
                        } else if let Some(permit) = perhaps(sender.reserve()) {
                            let permit = permit.expect("the receiver is there");
                            if coin() {
                                permit.send((id, number));
                                sent.fetch_add(1, Relaxed);
                            }
                        }
                    }
                })
            })
            .collect();
        drop(sender);
        let mut received = Vec::new();
        loop {
            match perhaps(receiver.recv()) {
                Some(Some(value)) => received.push(value),
                Some(None) => break,
                None => {}
            }
        }
        for sender in senders {
            sender.join().unwrap();
        }
        assert_eq!(received.len(), sent.load(Relaxed));
        for id in 0..3 {
            let of_one = received.iter().filter(|(from, _)| *from == id);
            assert!(of_one.is_sorted(), "{received:?}");
        }
    });
}

/// A value that knows how many of its kind are left.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(alive: &Arc<AtomicUsize>) -> Counted {
        alive.fetch_add(1, Relaxed);
        Counted(Arc::clone(alive))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// Finds `mpsc-a-close-evicts-before-it-closes`.
#[test]
fn a_receiver_that_closes_or_goes_leaves_no_sender_waiting_and_no_value_behind() {
    explore(|| {
        let alive = Arc::new(AtomicUsize::new(0));
        let taken = Arc::new(AtomicUsize::new(0));
        let (sender, mut receiver) = mpsc::channel(1);
        let senders: Vec<_> = (0..2)
            .map(|_| {
                let (sender, alive, taken) = (sender.clone(), alive.clone(), taken.clone());
                thread::spawn(move || {
                    while let Ok(()) = block_on(sender.send(Counted::new(&alive))) {
                        taken.fetch_add(1, Relaxed);
                    }
                    block_on(sender.closed());
                    assert!(sender.is_closed());
                })
            })
            .collect();
        drop(sender);
        let mut received = usize::from(block_on(receiver.recv()).is_some());
        assert_eq!(received, 1);
        let drained = coin();
        if drained {
            receiver.close();
            while block_on(receiver.recv()).is_some() {
                received += 1;
            }
        }
        drop(receiver);
        for sender in senders {
            sender.join().unwrap();
        }
        assert_eq!(alive.load(Relaxed), 0);
        if drained {
            assert_eq!(received, taken.load(Relaxed));
        }
    });
}

/// Finds `broadcast-no-second-look`, `broadcast-the-last-sender-tells-nobody`,
/// `broadcast-a-missed-value-is-not-counted`.
#[test]
fn a_slow_receiver_is_told_exactly_how_much_it_missed() {
    const VALUES: u64 = 4;
    explore(|| {
        let (sender, receiver) = broadcast::channel(2);
        let receivers = [receiver.resubscribe(), receiver].map(|mut receiver| {
            thread::spawn(move || {
                let mut next = 0;
                loop {
                    match perhaps(receiver.recv()) {
                        Some(Ok(value)) => {
                            assert_eq!(value, next);
                            next += 1;
                        }
                        Some(Err(broadcast::RecvError::Lagged(missed))) => {
                            assert_ne!(missed, 0);
                            next += missed;
                        }
                        Some(Err(broadcast::RecvError::Closed)) => break next,
                        None => {}
                    }
                }
            })
        });
        let second = sender.clone();
        let sending = thread::spawn(move || {
            for value in 0..VALUES {
                let _ = sender.send(value);
            }
        });
        drop(second);
        sending.join().unwrap();
        for receiver in receivers {
            assert_eq!(receiver.join().unwrap(), VALUES);
        }
    });
}

/// Finds `watch-no-second-look`, `watch-two-looks-at-version-and-end`.
#[test]
fn the_last_value_is_seen_by_all_who_watch() {
    const LAST: u32 = 3;
    explore(|| {
        let (sender, receiver) = watch::channel(0);
        let mut waiting = receiver.clone();
        let until = thread::spawn(move || {
            let value = block_on(waiting.wait_for(|value| *value >= 2));
            assert!(*value.expect("2 comes before the end") >= 2);
        });
        let watching = [receiver.clone(), receiver].map(|mut receiver| {
            thread::spawn(move || {
                let mut seen = 0;
                loop {
                    match perhaps(receiver.changed()) {
                        Some(Ok(())) => {
                            let value = *receiver.borrow_and_update();
                            assert!(value > seen, "{value} after {seen}");
                            seen = value;
                        }
                        Some(Err(_)) => break seen,
                        None => {}
                    }
                }
            })
        });
        let sending = thread::spawn(move || {
            for value in 1..=LAST {
                let _ = sender.send(value);
            }
        });
        sending.join().unwrap();
        until.join().unwrap();
        for receiver in watching {
            assert_eq!(receiver.join().unwrap(), LAST);
        }
    });
}

/// Finds a `send` that wakes nobody.
#[test]
fn a_promise_is_kept_or_broken_and_both_sides_know_which() {
    explore(|| {
        let (mut sender, mut receiver) = oneshot::channel();
        let got = Arc::new(Mutex::new(None));
        let result = Arc::clone(&got);
        let receiving = thread::spawn(move || {
            for _ in 0..2 {
                if let Some(received) = perhaps(&mut receiver) {
                    *result.lock().unwrap() = received.ok();
                    return;
                }
            }
            receiver.close();
            *result.lock().unwrap() = receiver.try_recv().ok();
        });
        let sent = match coin() {
            true => sender.send(7).is_ok(),
            false => {
                let gone = with_patience(2, sender.closed()).is_some();
                assert!(!gone || sender.is_closed());
                sender.send(7).is_ok()
            }
        };
        receiving.join().unwrap();
        assert_eq!(got.lock().unwrap().is_some(), sent);
    });
}
