//! Scopes whose members use up the share of a poll: nobody starves, nobody is cut off
//! for that.

use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use crate::on_every_runtime;
use crate::row_26_virtual_time::{MS, paused};
use crate::support::drops::spend_share;
use wakeline::sync::{Event, oneshot};
use wakeline::time::sleep;
use wakeline::{CancelToken, FutureExt, ScopeError, join, scope, yield_now};

type Plain<T> = Result<T, ScopeError<&'static str>>;

/// Always ready: only the budget stops it.
async fn busy() -> Result<(), &'static str> {
    let event = Event::new();
    event.set();
    loop {
        event.wait().await;
    }
}

#[test]
fn a_busy_child_does_not_starve_its_siblings() {
    on_every_runtime(|| async {
        let result: Plain<()> = scope(|s| async move {
            s.spawn(busy());
            let scope = s.clone();
            s.spawn(async move {
                for _ in 0..100 {
                    yield_now().await;
                }
                scope.cancel("it had its turns");
                Ok(())
            });
            pending().await
        })
        .await;
        assert!(result.unwrap_err().is_cancelled());
    });
}

#[test]
fn a_busy_child_does_not_starve_the_deadline_nor_a_cancel_from_elsewhere() {
    on_every_runtime(|| async {
        let result: Plain<()> = scope(|s| async move {
            s.spawn(busy());
            busy().await
        })
        .timeout(Duration::from_millis(2))
        .await;
        assert!(result.unwrap_err().is_elapsed());
    });
}

/// Uses up the share of the poll in which it gets `go`, and then another.
async fn hog(go: oneshot::Receiver<()>) -> Result<(), &'static str> {
    go.await.expect("it is told");
    spend_share();
    yield_now().await;
    Ok(())
}

#[test]
fn a_child_that_is_done_but_for_the_share_is_not_cut_off_by_a_cancel() {
    on_every_runtime(|| async {
        let (go, gone) = oneshot::channel();
        let (give, given) = oneshot::channel();
        let (tell, told) = oneshot::channel();
        let result: Plain<()> = scope(|s| async move {
            s.spawn(hog(gone));
            s.spawn(async move {
                tell.send(given.await).expect("it is listened to");
                Ok(())
            });
            let scope = s.clone();
            s.spawn(async move {
                yield_now().await;
                // All of it in one turn; the cancel is the last to be seen.
                go.send(()).expect("it waits");
                give.send(7).expect("it waits");
                scope.cancel("no more");
                Ok(())
            });
            Ok(())
        })
        .await;
        assert_eq!(told.await.expect("it was done"), Ok(7), "{result:?}");
    });
}

#[test]
fn of_many_children_that_are_done_none_is_cut_off_by_a_cancel() {
    on_every_runtime(|| async {
        let (children, done) = (500, AtomicU32::new(0));
        let event = Event::new();
        let result: Plain<()> = scope(|s| {
            let (event, done) = (&event, &done);
            async move {
                for _ in 0..children {
                    s.spawn(async {
                        event.wait().await;
                        done.fetch_add(1, Ordering::Relaxed);
                        Ok(())
                    });
                }
                yield_now().await; // they come to wait
                event.set();
                s.cancel("no more");
                Ok(())
            }
        })
        .await;
        assert_eq!(done.into_inner(), children, "{result:?}");
    });
}

#[test]
fn a_finalizer_that_is_done_but_for_the_share_has_finished() {
    paused(|| async {
        let (give, given) = oneshot::channel();
        let (tell, told) = oneshot::channel();
        let result: Plain<()> = scope(|s| async move {
            let inner = s.clone();
            s.spawn(async move {
                let _guard = inner.guard((), async move |()| {
                    sleep(MS(10)).await;
                    give.send(7).expect("it waits");
                    spend_share();
                });
                pending::<Result<(), _>>().await
            });
            let _guard = s.guard((), async move |()| {
                tell.send(given.await).expect("it is listened to");
            });
            s.cancel("no more");
            pending().await
        })
        .cleanup_grace(MS(10))
        .await;
        assert_eq!(told.await.expect("it has finished"), Ok(7), "{result:?}");
    });
}

/// Polled before the scope, it leaves that nothing of the share, in each turn.
async fn greedy(over: &AtomicBool) {
    for _ in 0..100 {
        if over.load(Ordering::Relaxed) {
            return;
        }
        spend_share();
        yield_now().await;
    }
    panic!("the scope has not ended in a hundred turns");
}

#[test]
fn a_deadline_comes_also_beside_somebody_who_leaves_nothing_of_the_share() {
    on_every_runtime(|| async {
        let over = AtomicBool::new(false);
        let cut_off = async {
            let scope = scope(|_s| pending::<Result<(), &str>>());
            let result: Plain<()> = scope.timeout(Duration::ZERO).await;
            over.store(true, Ordering::Relaxed);
            assert!(result.unwrap_err().is_elapsed());
        };
        join!(biased; greedy(&over), cut_off);
    });
}

#[test]
fn a_cancel_comes_also_beside_somebody_who_leaves_nothing_of_the_share() {
    on_every_runtime(|| async {
        let (over, token) = (AtomicBool::new(false), CancelToken::new());
        let cut_off = async {
            let result: Plain<()> = scope(|_s| pending()).with_token(token.clone()).await;
            over.store(true, Ordering::Relaxed);
            assert!(result.unwrap_err().is_cancelled());
        };
        let cancel = async {
            token.cancel("no more");
            greedy(&over).await;
        };
        join!(biased; cancel, cut_off);
    });
}
