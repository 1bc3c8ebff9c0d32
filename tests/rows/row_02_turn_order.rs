//! The order of turns: wakes are polled in their order, `yield_now` lets everybody
//! and the driver run once, and who wakes each other cannot keep the rest waiting.

use std::future::Future;
use std::io::Write;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use wakeline::net::UnixStream;
use wakeline::sync::{Event, Notify};
use wakeline::{Runtime, io::AsyncReadExt, spawn, time, yield_now};

use crate::support::for_each_backend;
use crate::{on_every_runtime, with_every_runtime};

/// What happened, in its order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u32>>>);

impl Log {
    fn add(&self, what: u32) {
        self.0.lock().unwrap().push(what);
    }

    fn take(&self) -> Vec<u32> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// Runs `test` on one worker, where the order is one for all tasks.
#[track_caller]
fn on_one_worker(test: impl Fn(&Runtime)) {
    for_each_backend(|backend| test(&backend.runtime(1)));
}

#[test]
fn what_is_spawned_runs_in_that_order_and_not_before_the_spawner_suspends() {
    on_one_worker(|runtime| {
        runtime.block_on(async {
            let log = Log::default();
            for nth in 0..100 {
                let log = log.clone();
                drop(spawn(async move { log.add(nth) }));
            }
            assert_eq!(log.take(), [0; 0], "nothing is polled by a spawn");
            yield_now().await;
            assert_eq!(log.take(), (0..100).collect::<Vec<u32>>());
        });
    });
}

#[test]
fn what_is_woken_runs_in_the_order_of_the_wakes() {
    on_one_worker(|runtime| {
        runtime.block_on(async {
            let log = Log::default();
            let events: Vec<Arc<Event>> = (0..10).map(|_| Arc::default()).collect();
            for (nth, event) in (0..).zip(&events) {
                let (log, event) = (log.clone(), event.clone());
                drop(spawn(async move {
                    event.wait().await;
                    log.add(nth);
                }));
            }
            yield_now().await;
            for nth in [3, 0, 9, 1] {
                events[nth].set();
            }
            assert_eq!(log.take(), [0; 0], "nothing is polled by a wake");
            yield_now().await;
            assert_eq!(log.take(), [3, 0, 9, 1]);
        });
    });
}

#[test]
fn who_is_woken_in_a_turn_runs_after_those_who_were_ready_before() {
    on_one_worker(|runtime| {
        runtime.block_on(async {
            let log = Log::default();
            let event = Arc::new(Event::new());
            let (theirs, late) = (log.clone(), event.clone());
            drop(spawn(async move {
                late.wait().await;
                theirs.add(9);
            }));
            yield_now().await;
            for nth in 0..3 {
                let (log, event) = (log.clone(), event.clone());
                drop(spawn(async move {
                    log.add(nth);
                    event.set(); // by the first of them
                }));
            }
            yield_now().await;
            assert_eq!(log.take(), [0, 1, 2, 9]);
        });
    });
}

#[test]
fn who_wakes_itself_runs_again_after_the_others() {
    on_one_worker(|runtime| {
        runtime.block_on(async {
            let log = Log::default();
            let theirs = log.clone();
            let mut left = 3;
            drop(spawn(std::future::poll_fn(move |cx| {
                theirs.add(100 + left);
                left -= 1;
                cx.waker().wake_by_ref();
                if left == 0 {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })));
            for nth in 0..2 {
                let log = log.clone();
                drop(spawn(async move { log.add(nth) }));
            }
            while log.0.lock().unwrap().len() < 5 {
                yield_now().await;
            }
            assert_eq!(log.take(), [103, 0, 1, 102, 101]);
        });
    });
}

#[test]
fn two_that_yield_take_turns() {
    on_one_worker(|runtime| {
        runtime.block_on(async {
            let log = Log::default();
            let run = |who: u32| {
                let log = log.clone();
                async move {
                    for _ in 0..4 {
                        log.add(who);
                        yield_now().await;
                    }
                }
            };
            let (one, two) = (spawn(run(1)), spawn(run(2)));
            one.await.unwrap();
            two.await.unwrap();
            assert_eq!(log.take(), [1, 2, 1, 2, 1, 2, 1, 2]);
        });
    });
}

#[test]
fn a_yield_is_pending_once() {
    on_every_runtime(|| async {
        let mut yielded = pin!(yield_now());
        let polls = std::future::poll_fn(|cx| {
            assert!(yielded.as_mut().poll(cx).is_pending());
            Poll::Ready(yielded.as_mut().poll(cx))
        });
        assert!(polls.await.is_ready());
    });
    // Outside of a runtime it wakes at once.
    struct Woken(AtomicBool);
    impl std::task::Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, SeqCst);
        }
    }
    let woken = Arc::new(Woken(AtomicBool::new(false)));
    let waker = Waker::from(woken.clone());
    let mut yielded = pin!(yield_now());
    assert!(
        yielded
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    assert!(woken.0.load(SeqCst));
}

#[test]
fn a_yield_lets_the_driver_run_once() {
    on_one_worker(|runtime| {
        runtime.block_on(async {
            let (mut ours, theirs) = UnixStream::pair().expect("a pair");
            let read = spawn(async move {
                let mut byte = [0];
                ours.read_exact(&mut byte).await.unwrap();
                byte[0]
            });
            // Armed in this turn of the driver.
            yield_now().await;
            let mut theirs = theirs.into_std().expect("it is ours alone");
            theirs.write_all(b"!").unwrap();
            // Seen in the next one; the reader is ready then and runs in a third.
            let mut yields = 0;
            while !read.is_finished() {
                yields += 1;
                assert!(yields <= 10, "the driver was not asked");
                yield_now().await;
            }
            assert_eq!(read.await.unwrap(), b'!');
        });
    });
}

#[test]
fn the_driver_is_asked_also_while_tasks_never_let_the_queue_run_empty() {
    with_every_runtime(|runtime| {
        runtime.block_on(async {
            let stop = Arc::new(AtomicBool::new(false));
            let busy: Vec<_> = (0..8)
                .map(|_| {
                    let stop = stop.clone();
                    // Wakes itself: it is always in a queue, and yields to nobody.
                    spawn(std::future::poll_fn(move |cx| {
                        cx.waker().wake_by_ref();
                        if stop.load(SeqCst) {
                            Poll::Ready(())
                        } else {
                            Poll::Pending
                        }
                    }))
                })
                .collect();
            let timer = spawn(time::sleep(Duration::from_millis(1)));
            let (mut ours, theirs) = UnixStream::pair().expect("a pair");
            let read = spawn(async move {
                let mut byte = [0];
                ours.read_exact(&mut byte).await.unwrap();
            });
            let mut theirs = theirs.into_std().expect("it is ours alone");
            theirs.write_all(b"!").unwrap();
            timer.await.unwrap();
            read.await.unwrap();
            stop.store(true, SeqCst);
            for task in busy {
                task.await.unwrap();
            }
        });
    });
}

#[test]
fn two_who_wake_each_other_do_not_keep_a_third_waiting() {
    // Each wake puts the other into the place that runs next; on one worker of
    // two, as the other one is kept busy by the first task.
    with_every_runtime(|runtime| {
        runtime.block_on(async {
            let rounds = Arc::new(AtomicUsize::new(0));
            let stop = Arc::new(AtomicBool::new(false));
            let (ping, pong) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
            let player = |mine: &Arc<Notify>, other: &Arc<Notify>| {
                let (mine, other) = (mine.clone(), other.clone());
                let (stop, rounds) = (stop.clone(), rounds.clone());
                async move {
                    while !stop.load(SeqCst) {
                        rounds.fetch_add(1, SeqCst);
                        other.notify_one();
                        mine.notified().await;
                    }
                    other.notify_one();
                }
            };
            let first = spawn(player(&ping, &pong));
            let second = spawn(player(&pong, &ping));
            let third = spawn({
                let (stop, rounds) = (stop.clone(), rounds.clone());
                async move {
                    while rounds.load(SeqCst) < 100 {
                        yield_now().await;
                    }
                    stop.store(true, SeqCst);
                }
            });
            third.await.unwrap();
            first.await.unwrap();
            second.await.unwrap();
        });
    });
}
