//! G1: constructing a future does nothing, and dropping one that was not polled
//! does nothing either.

use crate::over_every_primitive;
use crate::primitives::{Rule, Shape};
use crate::world::{Count, granted, poll, until};

#[test]
fn a_future_that_is_not_polled_has_no_effect() {
    over_every_primitive(Rule::Lazy, async |primitive| {
        let mut world = (primitive.build)().await;
        let before = (world.state)();
        let unpolled: Vec<_> = (0..3).map(|_| (world.wait)()).collect();
        assert_eq!((world.state)(), before, "made");
        drop(unpolled);
        assert_eq!((world.state)(), before, "dropped");
        // It took no place in line, and nothing that was for another.
        let first = (world.wait)();
        let mut second = (world.wait)();
        if primitive.shape == Shape::Only {
            drop(first);
            drop(granted(&mut world, &mut second).await);
            return;
        }
        let (count, waker) = Count::new();
        assert!(poll(&mut second, &waker).is_pending());
        (world.grant)().await;
        until("the wake of who was polled", || count.get() > 0).await;
        drop(first);
        assert!(poll(&mut second, &waker).is_ready());
    });
}
