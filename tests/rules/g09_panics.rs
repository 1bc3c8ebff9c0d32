//! G9: a panic stays where it happened: in a task, in a destructor, in a waker.

mod aborts;
mod tasks;

use crate::over_every_primitive;
use crate::primitives::{Rule, Shape};
use crate::world::{Count, Wait, poll, served, until};
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};

#[test]
fn who_panics_with_a_grant_in_its_hands_gives_it_back() {
    over_every_primitive(Rule::Panics, async |primitive| {
        let mut world = (primitive.build)().await;
        let wait = (world.wait)();
        let mut panics = Box::pin(async move {
            let _held = wait.await;
            panic!("planned");
        });
        let (granted, waker) = Count::new();
        let mut cx = Context::from_waker(&waker);
        let mut first = |cx: &mut Context<'_>| {
            catch_unwind(AssertUnwindSafe(|| panics.as_mut().poll(cx).is_pending()))
        };
        assert!(first(&mut cx).expect("not yet"));
        let mut second: Option<Wait> = None;
        let next = Count::new();
        if primitive.shape != Shape::Only {
            let mut wait = (world.wait)();
            assert!(poll(&mut wait, &next.1).is_pending());
            second = Some(wait);
        }
        (world.grant)().await;
        until("the wake of a grant", || granted.get() > 0).await;
        assert!(first(&mut cx).is_err());
        drop(panics);
        if let Some(mut wait) = second {
            if next.0.get() == 0 {
                (world.grant)().await;
            }
            drop(served(&mut world, &mut wait, &next).await);
        }
    });
}

/// How often it was called.
#[derive(Default)]
struct Panics(AtomicU32);

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
        panic!("planned");
    }
}

#[test]
fn a_waker_that_panics_costs_nobody_else_a_grant() {
    over_every_primitive(Rule::Panics, async |primitive| {
        let mut world = (primitive.build)().await;
        let called = Arc::new(Panics::default());
        let panics = Waker::from(Arc::clone(&called));
        let mut first = (world.wait)();
        assert!(poll(&mut first, &panics).is_pending());
        let mut second = None;
        let next = Count::new();
        if primitive.shape != Shape::Only {
            let mut wait = (world.wait)();
            assert!(poll(&mut wait, &next.1).is_pending());
            second = Some(wait);
        }
        if let Ok(mut grant) = catch_unwind(AssertUnwindSafe(|| (world.grant)())) {
            poll_fn(|cx| {
                let polled = catch_unwind(AssertUnwindSafe(|| grant.as_mut().poll(cx)));
                polled.unwrap_or(Poll::Ready(()))
            })
            .await;
        }
        // By who grants, or by the driver or a worker later.
        until("its call", || called.0.load(Ordering::Relaxed) > 0).await;
        if primitive.shape == Shape::One {
            drop(first);
        } else {
            assert!(poll(&mut first, Waker::noop()).is_ready());
        }
        if let Some(mut wait) = second {
            drop(served(&mut world, &mut wait, &next).await);
        }
    });
}
