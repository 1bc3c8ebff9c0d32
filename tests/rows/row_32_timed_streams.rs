//! Streams that know the time: a pause between items, a limit for each, chunks.

use std::pin::pin;
use std::time::{Duration, Instant};

use crate::on_every_runtime;
use crate::support::drops::{poll_once, spend_share};
use wakeline::stream::{self, FlowExt, Stream, StreamExt, iter};
use wakeline::sync::{mpsc, oneshot};
use wakeline::time::{sleep, timeout};
use wakeline::yield_now;

const MS: Duration = Duration::from_millis(1);

#[test]
fn a_throttle_is_never_early_and_keeps_every_item() {
    on_every_runtime(|| async {
        let period = Duration::from_millis(2);
        let start = Instant::now();
        let mut paced = iter(0..4).throttle(period);
        let mut items = Vec::new();
        loop {
            // Given up now and then while it waits.
            match timeout(Duration::from_micros(500), paced.next()).await {
                Ok(Some(n)) => items.push((n, start.elapsed())),
                Ok(None) => break,
                Err(_) => {}
            }
        }
        for (n, at) in &items {
            assert!(*at >= period * *n, "{n} came after {at:?}");
        }
        assert_eq!(items.len(), 4);
        let all: Vec<_> = iter(0..100).throttle(Duration::ZERO).collect().await;
        assert_eq!(all.len(), 100);
    });
}

#[test]
fn an_item_that_is_late_is_reported_once_and_still_comes() {
    on_every_runtime(|| async {
        let (tx, rx) = oneshot::channel();
        let mut late = Box::pin(
            stream::once(rx)
                .then(|rx| rx)
                .item_timeout(Duration::from_millis(1)),
        );
        assert!(late.next().await.expect("a report").is_err());
        // No second report for the same item.
        assert!(
            timeout(Duration::from_millis(3), late.next())
                .await
                .is_err()
        );
        tx.send(8).expect("it is waited for");
        assert_eq!(late.next().await, Some(Ok(Ok(8))));
        assert_eq!(late.next().await, None);
    });
}

#[test]
fn a_chunk_that_is_not_full_comes_when_its_time_is_over() {
    on_every_runtime(|| async {
        let some = iter(0..5).merge(stream::pending());
        let mut chunks = some.chunks_timeout(3, Duration::from_millis(1));
        assert_eq!(chunks.next().await, Some(vec![0, 1, 2]));
        assert_eq!(chunks.next().await, Some(vec![3, 4]));
        // Without an item no time runs.
        assert!(
            timeout(Duration::from_millis(3), chunks.next())
                .await
                .is_err()
        );
    });
}

#[test]
fn with_time_paused_the_timed_adapters_keep_to_the_moment() {
    let runtime = wakeline::Runtime::builder()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let start = wakeline::time::now();
        let at = || (wakeline::time::now() - start).as_millis();
        let ms = Duration::from_millis;
        let every = |period| {
            iter(1..=5).then(move |n| async move {
                wakeline::time::sleep(ms(period)).await;
                n
            })
        };
        let mut paced = Box::pin(every(10).throttle(ms(30)));
        let mut seen = Vec::new();
        while let Some(n) = paced.next().await {
            seen.push((n, at()));
        }
        // The pause runs first, then the item is asked for, which takes its 10.
        assert_eq!(seen, [(1, 10), (2, 50), (3, 90), (4, 130), (5, 170)]);

        let mut chunks = Box::pin(every(10).chunks_timeout(9, ms(25)));
        let start = at();
        let mut seen = Vec::new();
        while let Some(chunk) = chunks.next().await {
            seen.push((chunk, at() - start));
        }
        // The time of a chunk runs from its first item.
        assert_eq!(seen, [(vec![1, 2, 3], 35), (vec![4, 5], 50)]);
    });
}

/// A stream of what is sent, which polls never end.
fn sent() -> (mpsc::Sender<u32>, impl Stream<Item = u32>) {
    let (tx, mut rx) = mpsc::channel(8);
    (tx, stream::poll_fn(move |cx| rx.poll_recv(cx)))
}

#[test]
fn a_limit_is_not_reported_over_an_item_that_is_there_where_the_share_is_used_up() {
    on_every_runtime(|| async {
        let (tx, items) = sent();
        let mut items = pin!(items.item_timeout(MS));
        assert!(poll_once(pin!(items.next())).await.is_pending());
        sleep(MS * 2).await;
        tx.try_send(7).expect("there is room");
        spend_share();
        assert!(poll_once(pin!(items.next())).await.is_pending());
        yield_now().await;
        assert_eq!(items.next().await, Some(Ok(7)));
        assert!(items.next().await.expect("a report").is_err());
    });
}

#[test]
fn a_chunk_is_not_cut_short_where_the_share_is_used_up() {
    on_every_runtime(|| async {
        let (tx, items) = sent();
        let mut chunks = pin!(items.chunks_timeout(2, MS));
        tx.try_send(1).expect("there is room");
        assert!(poll_once(pin!(chunks.next())).await.is_pending());
        sleep(MS * 2).await;
        tx.try_send(2).expect("there is room");
        spend_share();
        assert!(poll_once(pin!(chunks.next())).await.is_pending());
        yield_now().await;
        assert_eq!(chunks.next().await, Some(vec![1, 2]));
    });
}

#[test]
fn a_chunk_of_a_stream_that_never_waits_comes_in_time() {
    on_every_runtime(|| async {
        let start = Instant::now();
        let within = move || (start.elapsed() < Duration::from_secs(60)).then_some(());
        let chunks = iter(std::iter::from_fn(within)).chunks_timeout(usize::MAX, MS);
        let chunk = pin!(chunks).next().await.expect("it has not ended");
        assert!(!chunk.is_empty() && within().is_some());
    });
}
