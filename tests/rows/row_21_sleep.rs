//! Sleeping: never early, in order, movable, and gone when dropped.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use wakeline::test::wait_all_blocked;
use wakeline::time::{self, Sleep, advance, sleep, sleep_until};
use wakeline::{spawn, spawn_local, yield_now};

use crate::on_every_runtime;
use crate::row_26_virtual_time::{Log, MS, S, paused, turns_of_a_second};

/// How often `future` was pending before it was ready.
async fn pendings(future: impl Future<Output = ()>) -> usize {
    let mut future = pin!(future);
    let mut count = 0;
    poll_fn(|cx| {
        let polled = future.as_mut().poll(cx);
        count += usize::from(polled.is_pending());
        polled
    })
    .await;
    count
}

fn poll_once(sleep: &mut Sleep, waker: &Waker) -> Poll<()> {
    Pin::new(sleep).poll(&mut Context::from_waker(waker))
}

#[test]
fn no_sleep_is_early() {
    on_every_runtime(|| async {
        for micros in [1, 65, 66, 500, 1_000, 5_000] {
            let duration = Duration::from_micros(micros);
            let start = Instant::now();
            sleep(duration).await;
            assert!(start.elapsed() >= duration, "{micros} us");
        }
    });
}

#[test]
fn sleeping_for_nothing_or_until_the_past_yields_exactly_once() {
    on_every_runtime(|| async {
        assert_eq!(pendings(sleep(Duration::ZERO)).await, 1);
        assert_eq!(pendings(sleep_until(time::now())).await, 1);
        let past = time::now() - Duration::from_nanos(1);
        assert_eq!(pendings(sleep_until(past)).await, 1);
    });
}

#[test]
fn sleep_zero_lets_another_ready_task_run_between() {
    paused(|| async {
        let log = Log::new();
        for name in ["a", "b"] {
            let log = log.clone();
            drop(spawn_local(async move {
                for _ in 0..2 {
                    log.add(name);
                    sleep(Duration::ZERO).await;
                }
            }));
        }
        wait_all_blocked().await;
        log.expect(&[(0, "a"), (0, "b"), (0, "a"), (0, "b")]);
    });
}

#[test]
fn by_the_real_clock_too_equal_deadlines_go_in_the_order_of_registration() {
    crate::support::for_each_backend(|backend| {
        backend.runtime(1).block_on(async {
            let mut wait = MS(2);
            loop {
                let log: Rc<RefCell<Vec<usize>>> = Rc::default();
                let polled = Rc::new(Cell::new(0));
                let deadline = time::now() + wait;
                let tasks: Vec<_> = (0..100)
                    .map(|n| {
                        let (log, polled) = (Rc::clone(&log), Rc::clone(&polled));
                        spawn_local(async move {
                            polled.set(polled.get() + 1);
                            sleep_until(deadline).await;
                            log.borrow_mut().push(n);
                        })
                    })
                    .collect();
                yield_now().await;
                let all_in_time = polled.get() == 100 && time::now() < deadline;
                for task in tasks {
                    task.await.expect("no panic");
                }
                if all_in_time {
                    assert!(log.borrow().is_sorted(), "{log:?}");
                    break;
                }
                // Some came when it was over already: they were never in line.
                wait *= 2;
                assert!(wait < S(60), "{} of 100 were polled", polled.get());
            }
        });
    });
}

#[test]
fn a_reset_moves_it_later_earlier_and_into_the_past_and_sets_it_again_after_it_was_ready() {
    paused(|| async {
        let start = time::now();
        let at = |millis| start + MS(millis);
        let mut sleep = pin!(sleep(MS(10)));
        let poll = |sleep: Pin<&mut Sleep>| {
            let polled = sleep.poll(&mut Context::from_waker(Waker::noop()));
            polled.is_ready()
        };

        assert!(!poll(sleep.as_mut()));
        sleep.as_mut().get_mut().reset(at(20)); // later
        advance(MS(10)).await;
        assert!(!poll(sleep.as_mut()));
        sleep.as_mut().get_mut().reset(at(15)); // earlier
        sleep.as_mut().await;
        assert_eq!(time::now(), at(15));

        assert!(poll(sleep.as_mut()), "it stays ready");
        sleep.as_mut().get_mut().reset(at(30)); // after it was ready
        assert!(!poll(sleep.as_mut()));
        assert!(!sleep.is_elapsed());
        sleep.as_mut().await;
        assert_eq!(time::now(), at(30));

        sleep.as_mut().get_mut().reset(at(40));
        assert!(!poll(sleep.as_mut()));
        sleep.as_mut().get_mut().reset(at(1)); // into the past: no turn is needed
        assert!(poll(sleep.as_mut()));
        assert_eq!(time::now(), at(30));
    });
}

#[test]
fn a_reset_wakes_a_waiting_task_at_the_new_deadline_though_it_does_not_poll() {
    paused(|| async {
        let start = time::now();
        let shared = Arc::new(Mutex::new(sleep(MS(10))));
        let waiter = spawn({
            let shared = Arc::clone(&shared);
            async move {
                poll_fn(|cx| Pin::new(&mut *shared.lock().expect("no panic")).poll(cx)).await;
                time::now()
            }
        });
        wait_all_blocked().await;
        shared.lock().expect("no panic").reset(start + MS(50));
        sleep(MS(20)).await;
        shared.lock().expect("no panic").reset(start + MS(30));
        assert_eq!(waiter.await.expect("no panic"), start + MS(30));
    });
}

#[test]
fn no_duration_is_too_long() {
    on_every_runtime(|| async {
        for far in [Duration::MAX, Duration::MAX - MS(1), S(u64::MAX >> 1)] {
            let mut forever = sleep(far);
            assert!(poll_once(&mut forever, Waker::noop()).is_pending());
            yield_now().await;
            assert!(poll_once(&mut forever, Waker::noop()).is_pending());
            assert!(!forever.is_elapsed());
        }
        assert_eq!(sleep(Duration::MAX).deadline(), None);
    });
}

#[test]
fn dropped_timers_neither_wake_the_loop_nor_hold_the_time() {
    paused(|| async {
        for round in 0..10 {
            let mut sleeps: Vec<Sleep> = (1..=1_000)
                .map(|n| sleep(Duration::from_micros(n)))
                .collect();
            for sleep in &mut sleeps {
                assert!(poll_once(sleep, Waker::noop()).is_pending());
            }
            drop(sleeps);
            let turns = turns_of_a_second().await;
            assert!(turns < 10, "round {round}: {turns} turns");
        }
    });
}

#[test]
fn a_waker_may_drop_the_sleep_that_wakes_it() {
    struct DropsIt(Mutex<Option<Sleep>>, AtomicBool);
    impl Wake for DropsIt {
        fn wake(self: Arc<Self>) {
            drop(self.0.lock().expect("no panic").take());
            self.1.store(true, Ordering::SeqCst);
        }
    }
    on_every_runtime(|| async {
        let drops_it = Arc::new(DropsIt(Mutex::new(None), AtomicBool::new(false)));
        let mut wait = MS(1);
        let it = loop {
            let mut it = sleep(wait);
            assert!(poll_once(&mut it, &Waker::from(Arc::clone(&drops_it))).is_pending());
            if !drops_it.1.swap(false, Ordering::SeqCst) {
                break it;
            }
            wait *= 2; // it was over before it was polled
        };
        *drops_it.0.lock().expect("no panic") = Some(it);
        while !drops_it.1.load(Ordering::SeqCst) {
            yield_now().await;
        }
        assert!(drops_it.0.lock().expect("no panic").is_none());
        sleep(MS(1)).await; // and timers go on
    });
}

#[test]
fn the_drop_of_a_sleep_may_drop_another() {
    paused(|| async {
        struct Waking(#[expect(dead_code, reason = "held to be dropped")] Sleep);
        impl Wake for Waking {
            fn wake(self: Arc<Self>) {}
        }
        // The waker that the timer holds owns a sleep; both go in one drop.
        let mut inner = sleep(S(1));
        assert!(poll_once(&mut inner, Waker::noop()).is_pending());
        let waker = Waker::from(Arc::new(Waking(inner)));
        let mut outer = sleep(S(2));
        assert!(poll_once(&mut outer, &waker).is_pending());
        drop(waker);
        drop(outer);
        let start = time::now();
        sleep(S(3)).await;
        assert_eq!(time::now() - start, S(3));
    });
}

#[test]
fn the_task_that_polled_last_is_woken() {
    paused(|| async {
        struct Count(AtomicUsize);
        impl Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let (first, last) = (
            Arc::new(Count(AtomicUsize::new(0))),
            Arc::new(Count(AtomicUsize::new(0))),
        );
        let mut it = sleep(MS(1));
        assert!(poll_once(&mut it, &Waker::from(Arc::clone(&first))).is_pending());
        assert!(poll_once(&mut it, &Waker::from(Arc::clone(&last))).is_pending());
        sleep(MS(2)).await;
        let counts = [&first, &last].map(|count| count.0.load(Ordering::SeqCst));
        assert_eq!(counts, [0, 1]);
    });
}

#[test]
fn futures_that_wake_themselves_do_not_starve_timers() {
    on_every_runtime(|| async {
        let stop = Arc::new(AtomicBool::new(false));
        let busy: Vec<_> = (0..4)
            .map(|_| {
                let stop = Arc::clone(&stop);
                spawn(poll_fn(move |cx| {
                    cx.waker().wake_by_ref();
                    if stop.load(Ordering::SeqCst) {
                        Poll::Ready(())
                    } else {
                        Poll::Pending
                    }
                }))
            })
            .collect();
        sleep(MS(2)).await;
        stop.store(true, Ordering::SeqCst);
        for task in busy {
            task.await.expect("no panic");
        }
    });
}

#[test]
fn a_sleep_may_be_made_anywhere_and_polled_only_in_a_runtime() {
    let mut made_outside = sleep(Duration::from_nanos(1));
    let outside = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        poll_once(&mut made_outside, Waker::noop())
    }));
    let panic = outside.expect_err("a panic");
    let text = panic.downcast_ref::<String>().expect("a text");
    assert!(text.contains("row_21_sleep.rs"), "{text}");
    assert!(text.contains("inside `block_on` or a task"), "{text}");
    wakeline::block_on(sleep(Duration::from_nanos(1)));
}
