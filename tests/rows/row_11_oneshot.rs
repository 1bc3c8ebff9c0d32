//! A value that is set once: the one-shot channel.

use crate::{on_every_runtime, with_every_runtime};
use wakeline::sync::oneshot;
use wakeline::{spawn, yield_now};

#[test]
fn a_value_crosses_from_one_task_to_another() {
    on_every_runtime(|| async {
        let (tx, rx) = oneshot::channel();
        let sender = spawn(async move {
            yield_now().await;
            tx.send(42)
        });
        assert_eq!(rx.await, Ok(42));
        assert_eq!(sender.await.expect("no panic"), Ok(()));
    });
}

#[test]
fn a_sender_that_goes_away_closes_the_channel() {
    on_every_runtime(|| async {
        let (tx, rx) = oneshot::channel::<u8>();
        spawn(async move {
            yield_now().await;
            drop(tx);
        })
        .await
        .expect("no panic");
        assert!(rx.await.is_err());
    });
}

#[test]
fn a_value_for_nobody_comes_back() {
    with_every_runtime(|runtime| {
        runtime.block_on(async {
            let (tx, rx) = oneshot::channel();
            drop(rx);
            assert!(tx.is_closed());
            assert_eq!(tx.send("kept"), Err("kept"));
        });
    });
}
