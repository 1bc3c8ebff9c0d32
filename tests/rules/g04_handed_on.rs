//! G4: what was granted to one who is dropped before it looks goes to the next.

use crate::over_every_primitive;
use crate::primitives::{Rule, Shape};
use crate::world::{Count, poll, until};

#[test]
fn a_grant_that_is_dropped_unseen_is_handed_on() {
    over_every_primitive(Rule::HandedOn, async |primitive| {
        let mut world = (primitive.build)().await;
        let mut first = (world.wait)();
        let (granted, waker) = Count::new();
        assert!(poll(&mut first, &waker).is_pending());
        if primitive.shape == Shape::Only {
            (world.grant)().await;
            until("the wake of a grant", || granted.get() > 0).await;
            drop(first);
            assert!(
                poll(&mut (world.wait)(), &waker).is_ready(),
                "it is still there"
            );
            return;
        }
        let mut second = (world.wait)();
        let (handed, next) = Count::new();
        assert!(poll(&mut second, &next).is_pending());
        (world.grant)().await;
        until("the wake of a grant", || granted.get() > 0).await;
        assert_eq!(handed.get(), 0, "the grant is the first one's");
        drop(first);
        until("the wake of who is next", || handed.get() > 0).await;
        assert!(poll(&mut second, &next).is_ready());
    });
}

/// And if nobody waits, whoever comes next has it.
#[test]
fn a_grant_that_is_dropped_unseen_by_the_last_stays() {
    over_every_primitive(Rule::HandedOn, async |primitive| {
        let mut world = (primitive.build)().await;
        let mut only = (world.wait)();
        let (granted, waker) = Count::new();
        assert!(poll(&mut only, &waker).is_pending());
        (world.grant)().await;
        until("the wake of a grant", || granted.get() > 0).await;
        drop(only);
        let mut next = (world.wait)();
        if primitive.name == "Condvar::wait" {
            // A notification is for those who wait: there is nothing to keep.
            assert!(poll(&mut next, &waker).is_pending());
            return;
        }
        let before = granted.get();
        if poll(&mut next, &waker).is_pending() {
            until("what is left", || granted.get() > before).await;
            assert!(poll(&mut next, &waker).is_ready());
        }
    });
}
