//! G7: a future that was polled by one task and then by another wakes the other.

use crate::over_every_primitive;
use crate::primitives::Rule;
use crate::world::{Count, poll, until};

#[test]
fn the_latest_waker_is_woken_and_no_earlier_one() {
    over_every_primitive(Rule::LatestWaker, async |primitive| {
        let mut world = (primitive.build)().await;
        let mut wait = (world.wait)();
        let wakers: Vec<_> = (0..3).map(|_| Count::new()).collect();
        for (_, waker) in &wakers {
            assert!(poll(&mut wait, waker).is_pending());
        }
        // What an earlier task was told before it lost the future is no matter.
        let before: Vec<_> = wakers.iter().map(|(count, _)| count.get()).collect();
        (world.grant)().await;
        until("the wake of the latest", || wakers[2].0.get() > before[2]).await;
        assert_eq!(wakers[0].0.get(), before[0], "the first");
        assert_eq!(wakers[1].0.get(), before[1], "the second");
        assert!(poll(&mut wait, &wakers[2].1).is_ready());
    });
}
