//! Once cancelled, always cancelled, and nothing new begins.

use std::future::{pending, ready};
use std::sync::atomic::{AtomicBool, Ordering};

use wakeline::{CancelToken, FutureExt, checkpoint, current_token, spawn, yield_now};

use crate::on_every_runtime;

#[test]
fn once_cancelled_every_wait_ends_at_once_and_nothing_begins() {
    on_every_runtime(|| async {
        let token = CancelToken::new();
        async {
            current_token().cancel("level");
            let begun = AtomicBool::new(false);
            for _ in 0..3 {
                assert!(checkpoint().is_err());
                assert_eq!(current_token().cancelled().await.text(), "level");
                let op = async { begun.store(true, Ordering::Relaxed) };
                assert!(op.or_cancelled().await.is_err());
                assert!(pending::<()>().or_cancelled().await.is_err());
            }
            assert!(!begun.into_inner());
            // And who does not ask goes on.
            yield_now().await;
        }
        .with_token(token)
        .await;
    });
}

#[test]
fn a_loop_over_what_is_always_ready_is_stopped() {
    on_every_runtime(|| async {
        let token = CancelToken::new();
        let task = spawn(
            async {
                let mut rounds = 0_u64;
                while ready(()).or_cancelled().await.is_ok() {
                    rounds += 1;
                    if rounds.is_multiple_of(64) {
                        yield_now().await; // `ready` knows no budget
                    }
                }
                rounds
            }
            .with_token(token.clone()),
        );
        yield_now().await;
        token.cancel("enough");
        let _rounds = task.await.unwrap();
    });
}

#[test]
fn a_token_may_be_cancelled_before_it_is_entered() {
    on_every_runtime(|| async {
        let token = CancelToken::new();
        token.cancel("before");
        let result = async {
            checkpoint()?;
            Ok::<_, wakeline::Cancelled>(())
        }
        .with_token(token)
        .await;
        assert_eq!(result.unwrap_err().to_string(), "cancelled: before");
    });
}
