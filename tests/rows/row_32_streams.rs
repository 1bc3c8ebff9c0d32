//! Streams: one item a `next`, an end that stays, nothing lost by giving up.

use std::cell::Cell;
use std::future::{pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use crate::on_every_runtime;
use crate::support::drops::{poll_idly, poll_once};
use wakeline::stream::{self, FlowExt, Stream, StreamExt, gen_stream, iter};
use wakeline::sync::{mpsc, oneshot};
use wakeline::{FutureExt, block_on, select, spawn, yield_now};

/// Counts down, and starts over if it is polled after its end.
struct Restarts {
    from: u32,
    left: u32,
}

impl Stream for Restarts {
    type Item = u32;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u32>> {
        match self.left.checked_sub(1) {
            None => {
                self.left = self.from;
                Poll::Ready(None)
            }
            Some(left) => {
                self.left = left;
                Poll::Ready(Some(left))
            }
        }
    }
}

#[test]
fn a_loop_over_next_ends_with_the_stream() {
    on_every_runtime(|| async {
        let mut numbers = iter(0..5);
        let mut sum = 0;
        while let Some(n) = numbers.next().await {
            sum += n;
        }
        assert_eq!(sum, 10);
    });
}

#[test]
fn what_is_sent_can_be_taken_as_a_stream() {
    for capacity in [0, 1, 4] {
        on_every_runtime(move || async move {
            let (sender, mut receiver) = mpsc::channel(capacity);
            // Given up before anything came: no value goes with it.
            assert!(poll_once(pin!(receiver.next())).await.is_pending());
            let sending = spawn(async move {
                for n in 0..10 {
                    sender.send(n).await.expect("the stream is there");
                }
            });
            let doubled = receiver.map(|n| async move { 2 * n }).buffered(3);
            let doubled: Vec<u32> = doubled.collect().await;
            assert_eq!(doubled, [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]);
            sending.await.expect("all was sent");
        });
    }
}

#[test]
fn streams_of_two_channels_are_merged_until_both_end() {
    on_every_runtime(|| async {
        let (one, ones) = mpsc::unbounded();
        let (two, twos) = mpsc::channel(4);
        for n in 0..3 {
            one.send(n).expect("it is open");
            two.send(10 + n).await.expect("there is room");
        }
        drop(one);
        let mut merged = ones.merge(twos);
        let mut all = Vec::new();
        for _ in 0..6 {
            all.push(merged.next().await.expect("it was sent"));
        }
        let next = poll_once(pin!(merged.next())).await;
        assert!(next.is_pending(), "one sender is left");
        drop(two);
        assert_eq!(merged.next().await, None);
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 10, 11, 12]);
    });
}

#[test]
fn a_fused_stream_stays_ended() {
    block_on(async {
        let mut fused = Restarts { from: 2, left: 2 }.fuse();
        let mut items = Vec::new();
        for _ in 0..6 {
            items.push(fused.next().await);
        }
        assert_eq!(items, [Some(1), Some(0), None, None, None, None]);
    });
}

#[test]
fn the_adapters_poll_no_stream_that_has_ended() {
    block_on(async {
        let ends = || Restarts { from: 1, left: 1 };
        let mut merged = ends().merge(ends());
        let mut ordered = ends().map(ready).buffered(2);
        let mut unordered = ends().map(ready).buffer_unordered(2);
        let mut chunks = ends().chunks_timeout(5, Duration::from_secs(1));
        assert_eq!(merged.next().await, Some(0));
        assert_eq!(merged.next().await, Some(0));
        assert_eq!(ordered.next().await, Some(0));
        assert_eq!(unordered.next().await, Some(0));
        assert_eq!(chunks.next().await, Some(vec![0]));
        for _ in 0..3 {
            assert_eq!(merged.next().await, None);
            assert_eq!(ordered.next().await, None);
            assert_eq!(unordered.next().await, None);
            assert_eq!(chunks.next().await, None);
        }
    });
}

#[test]
fn giving_up_a_next_loses_no_item() {
    on_every_runtime(|| async {
        let mut numbers = gen_stream(|y| async move {
            for n in 0..200 {
                if n % 3 == 0 {
                    yield_now().await;
                }
                y.emit(n).await;
            }
        });
        let mut seen = Vec::new();
        loop {
            // Half of the time another branch wins, at any moment.
            select! {
                next = numbers.next() => match next {
                    Some(n) => seen.push(n),
                    None => break,
                },
                () = yield_now() => {}
                () = ready(()) => {}
            }
        }
        assert_eq!(seen, (0..200).collect::<Vec<_>>());
    });
}

#[test]
fn giving_up_a_next_loses_nothing_that_an_adapter_holds() {
    on_every_runtime(|| async {
        let slow = |n: u32| async move {
            for _ in 0..n % 4 {
                yield_now().await;
            }
            n
        };
        let mut chunks = iter(0..100)
            .map(slow)
            .buffered(7)
            .chunks_timeout(4, Duration::from_secs(60));
        let mut seen = Vec::new();
        loop {
            select! {
                next = chunks.next() => match next {
                    Some(chunk) => seen.extend(chunk),
                    None => break,
                },
                () = yield_now() => {}
            }
        }
        assert_eq!(seen, (0..100).collect::<Vec<_>>());
    });
}

#[test]
fn what_is_slow_to_take_is_slow_to_make() {
    on_every_runtime(|| async {
        let made = Arc::new(AtomicUsize::new(0));
        let counting = iter(0..100).map({
            let made = Arc::clone(&made);
            move |n| {
                made.fetch_add(1, Ordering::Relaxed);
                async move { n }
            }
        });
        let mut limited = counting.buffered(3);
        assert_eq!(made.load(Ordering::Relaxed), 0);
        assert_eq!(limited.next().await, Some(0));
        assert_eq!(made.load(Ordering::Relaxed), 3);
        assert_eq!(limited.next().await, Some(1));
        assert_eq!(made.load(Ordering::Relaxed), 4);
    });
}

#[test]
fn outputs_that_wait_for_a_slow_one_before_them_count_towards_the_limit() {
    on_every_runtime(|| async {
        let (tx, rx) = oneshot::channel::<()>();
        let (made, mut rx) = (Arc::new(AtomicUsize::new(0)), Some(rx));
        let mut limited = iter(0..100)
            .map({
                let made = Arc::clone(&made);
                move |n| {
                    made.fetch_add(1, Ordering::Relaxed);
                    let rx = rx.take();
                    async move {
                        if let Some(rx) = rx {
                            rx.await.expect("it is sent");
                        }
                        n
                    }
                }
            })
            .buffered(3);
        for _ in 0..10 {
            assert!(poll_once(pin!(limited.next())).await.is_pending());
        }
        assert_eq!(made.load(Ordering::Relaxed), 3);
        tx.send(()).expect("it is waited for");
        assert_eq!(
            limited.collect::<Vec<_>>().await,
            (0..100).collect::<Vec<_>>()
        );
    });
}

#[test]
fn no_more_than_the_limit_run_at_once_and_as_many_do() {
    on_every_runtime(|| async {
        for ordered in [true, false] {
            let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            let jobs = iter(0..50_usize).map({
                let (running, most) = (Arc::clone(&running), Arc::clone(&most));
                move |n| {
                    let (running, most) = (Arc::clone(&running), Arc::clone(&most));
                    async move {
                        let now = running.fetch_add(1, Ordering::Relaxed) + 1;
                        most.fetch_max(now, Ordering::Relaxed);
                        for _ in 0..n % 5 + 1 {
                            yield_now().await;
                        }
                        running.fetch_sub(1, Ordering::Relaxed);
                        n
                    }
                }
            });
            let mut outputs: Vec<usize> = if ordered {
                jobs.buffered(4).collect().await
            } else {
                jobs.buffer_unordered(4).collect().await
            };
            if !ordered {
                outputs.sort_unstable();
            }
            assert_eq!(outputs, (0..50).collect::<Vec<_>>());
            assert_eq!(most.load(Ordering::Relaxed), 4);
        }
    });
}

#[test]
fn a_limit_of_zero_is_refused_with_a_reason() {
    for attempt in [
        || drop(iter([ready(())]).buffered(0)),
        || drop(iter([ready(())]).buffer_unordered(0)),
        || drop(iter([1]).chunks_timeout(0, Duration::ZERO)),
    ] {
        assert!(catch_unwind(attempt).is_err());
    }
}

#[test]
fn a_panic_of_a_future_passes_on_and_the_stream_goes_on() {
    let mut outputs = iter(0..3)
        .map(|n| async move {
            assert_ne!(n, 1, "planned");
            n
        })
        .buffer_unordered(1);
    let mut next = || {
        let next = catch_unwind(AssertUnwindSafe(|| {
            block_on(async { outputs.next().await })
        }));
        next.map_err(drop)
    };
    assert_eq!(
        [next(), next(), next(), next()],
        [Ok(Some(0)), Err(()), Ok(Some(2)), Ok(None)]
    );
}

#[test]
fn a_panic_of_a_future_leaves_no_gap_that_others_wait_for() {
    for limit in 1..=4 {
        let mut outputs = iter(0..4)
            .map(|n| async move {
                assert_ne!(n, 1, "planned");
                n
            })
            .buffered(limit);
        let mut seen = Vec::new();
        let mut panics = 0;
        loop {
            let next = catch_unwind(AssertUnwindSafe(|| {
                let next = outputs.next().timeout(Duration::from_secs(10));
                block_on(async { next.await.expect("it waits for nothing") })
            }));
            match next {
                Ok(Some(n)) => seen.push(n),
                Ok(None) => break,
                Err(_) => panics += 1,
            }
        }
        assert_eq!((seen, panics), (vec![0, 2, 3], 1), "{limit} at once");
    }
}

/// Is ready with its number; number 1 panics when it is dropped.
struct Loud(u32);

impl Future for Loud {
    type Output = u32;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u32> {
        Poll::Ready(self.0)
    }
}

impl Drop for Loud {
    fn drop(&mut self) {
        assert_ne!(self.0, 1, "planned");
    }
}

#[test]
fn nor_does_one_of_its_destructor() {
    for limit in 1..=4 {
        let mut outputs = iter(0..4).map(Loud).buffered(limit);
        let mut next =
            || catch_unwind(AssertUnwindSafe(|| poll_idly(pin!(outputs.next())))).map_err(drop);
        let seen = [next(), next(), next(), next(), next()];
        let outputs = [Ok(Some(0)), Err(()), Ok(Some(2)), Ok(Some(3)), Ok(None)];
        assert_eq!(
            seen,
            outputs.map(|output| output.map(Poll::Ready)),
            "{limit} at once"
        );
    }
}

#[test]
fn merged_streams_take_turns_and_both_are_emptied() {
    on_every_runtime(|| async {
        let merged: Vec<u32> = stream::repeat(1)
            .take(3)
            .merge(stream::repeat(2).take(5))
            .collect()
            .await;
        assert_eq!(merged, [1, 2, 1, 2, 1, 2, 2, 2]);
        let mut with_silence = stream::pending().merge(iter([1]));
        assert_eq!(with_silence.next().await, Some(1));
        assert!(poll_once(pin!(with_silence.next())).await.is_pending());
    });
}

#[test]
fn a_merged_stream_wakes_whichever_side_has_something() {
    on_every_runtime(|| async {
        let (tx, rx) = oneshot::channel();
        let mut merged =
            stream::pending().merge(stream::once(rx).then(|rx| rx).map(Result::unwrap));
        // `once(rx)` holds a future; `then` awaits it.
        let mut merged = pin!(&mut merged);
        assert!(poll_once(pin!(merged.next())).await.is_pending());
        tx.send(9).expect("it is waited for");
        assert_eq!(merged.next().await, Some(9));
    });
}

#[test]
fn dropping_an_adapter_drops_what_runs_in_it() {
    struct Counts<'a>(&'a Cell<u32>);
    impl Drop for Counts<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let drops = Cell::new(0);
    let mut running = iter(0..9)
        .map(|_| {
            let counts = Counts(&drops);
            async move {
                let _counts = counts;
                pending::<()>().await;
            }
        })
        .buffered(4);
    assert!(poll_idly(pin!(running.next())).is_pending());
    assert_eq!(drops.get(), 0);
    drop(running);
    assert_eq!(drops.get(), 4);
}
