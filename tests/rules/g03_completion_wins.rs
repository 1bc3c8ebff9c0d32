//! G3: a poll that could see a cancel or a deadline, and is ready, is ready.

use crate::over_every_primitive;
use crate::primitives::Rule;
use crate::world::{Count, until};
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;
use wakeline::time::{advance, timeout};
use wakeline::{CancelToken, FutureExt};

#[test]
fn who_was_granted_before_the_cancel_and_the_deadline_has_it() {
    over_every_primitive(Rule::CompletionWins, async |primitive| {
        let mut world = (primitive.build)().await;
        let token = CancelToken::new();
        let limited = timeout(Duration::from_secs(3_600), (world.wait)().or_cancelled());
        let mut wait = pin!(limited.with_token(token.clone()));
        let (count, waker) = Count::new();
        let mut cx = Context::from_waker(&waker);
        assert!(wait.as_mut().poll(&mut cx).is_pending());
        (world.grant)().await;
        until("the wake of a grant", || count.get() > 0).await;
        token.cancel("too late");
        advance(Duration::from_secs(7_200)).await;
        match wait.as_mut().poll(&mut cx) {
            Poll::Ready(Ok(Ok(_held))) => {}
            Poll::Ready(Ok(Err(_))) => panic!("cancelled"),
            Poll::Ready(Err(_)) => panic!("elapsed"),
            Poll::Pending => panic!("pending"),
        }
    });
}

#[test]
fn who_was_not_granted_hears_the_cancel() {
    over_every_primitive(Rule::CompletionWins, async |primitive| {
        let world = (primitive.build)().await;
        let token = CancelToken::new();
        let mut wait = pin!((world.wait)().or_cancelled().with_token(token.clone()));
        let (count, waker) = Count::new();
        let mut cx = Context::from_waker(&waker);
        assert!(wait.as_mut().poll(&mut cx).is_pending());
        token.cancel("enough");
        assert_ne!(count.get(), 0);
        match wait.as_mut().poll(&mut cx) {
            Poll::Ready(Err(_)) => {}
            // A scope hears it too, and ends by itself.
            Poll::Ready(Ok(_)) if primitive.name == "scope and its child" => {}
            Poll::Ready(Ok(_)) => panic!("it has what nobody granted"),
            Poll::Pending => panic!("it waits on"),
        }
    });
}
