//! G2: a future that is dropped while it waits is gone at once: no waker of it is
//! left anywhere.

use crate::over_every_primitive;
use crate::primitives::{Rule, all};
use crate::world::{Count, granted, poll};
use std::sync::Arc;
use wakeline::Runtime;

#[test]
fn a_wait_that_is_dropped_leaves_no_waker_behind() {
    over_every_primitive(Rule::NoTrace, async |primitive| {
        let mut world = (primitive.build)().await;
        let (count, waker) = Count::new();
        let before = (world.state)();
        let references = Arc::strong_count(&count);
        for _ in 0..10 {
            let mut wait = (world.wait)();
            assert!(poll(&mut wait, &waker).is_pending());
            assert!(poll(&mut wait, &waker).is_pending());
            drop(wait);
            assert_eq!(Arc::strong_count(&count), references);
        }
        assert_eq!((world.state)(), before);
        if primitive.name != "scope and its child" {
            // The scope hears of the end of its child, also when both are dropped.
            assert_eq!(count.get(), 0, "nothing happened that it should hear of");
        }
        let mut fresh = (world.wait)();
        drop(granted(&mut world, &mut fresh).await);
    });
}

/// Where the future is a handle, the handle has the waker.
#[test]
fn a_handle_that_goes_takes_its_waker_along() {
    let runtime = Runtime::builder().workers(1).build().unwrap();
    let names = [
        "oneshot::Receiver",
        "oneshot::Sender::closed",
        "JoinHandle",
        "JoinSet::join_next",
        "Interval::tick",
        "mpsc::Receiver as Stream",
        "broadcast::Receiver as Stream",
        "SimplexReader",
        "SimplexWriter",
    ];
    for primitive in all()
        .iter()
        .filter(|primitive| names.contains(&primitive.name))
    {
        let (count, waker) = Count::new();
        let references = Arc::strong_count(&count);
        runtime.block_on(async {
            let world = (primitive.build)().await;
            let mut wait = (world.wait)();
            assert!(poll(&mut wait, &waker).is_pending());
            drop(wait);
            drop(world);
        });
        runtime.block_on(crate::world::until(primitive.name, || {
            Arc::strong_count(&count) == references
        }));
    }
}
