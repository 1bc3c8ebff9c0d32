//! G6: a waker is foreign code, and so is the `Drop` of a value: no lock of ours
//! is held when one of them runs, so it may call the same primitive again.

pub(crate) mod hooked;
mod values;

use crate::over_every_primitive;
use crate::primitives::{Rule, Shape};
use crate::world::{Wait, granted, poll, until};
use hooked::{fired, hooked, on_every_hook};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::{Poll, Waker};

#[test]
fn a_waker_may_use_its_primitive_when_it_is_cloned_woken_and_dropped() {
    over_every_primitive(Rule::ForeignWakers, async |primitive| {
        let mut world = (primitive.build)().await;
        let (again, attempt, state) = (
            Rc::clone(&world.wait),
            world.attempt.clone(),
            Rc::clone(&world.state),
        );
        let alone = primitive.shape == Shape::Only;
        let _hook = on_every_hook(move || {
            state();
            if !alone {
                let mut wait = again();
                let _ = poll(&mut wait, Waker::noop());
                attempt.as_ref().map(|attempt| attempt());
            }
        });
        let mut wait = (world.wait)();
        assert!(poll(&mut wait, &hooked()).is_pending());
        assert_ne!(fired().clone, 0, "it keeps a clone");
        // Replaced by another, and dropped with the future.
        assert!(poll(&mut wait, &hooked()).is_pending());
        drop(wait);
        assert_ne!(fired().drop, 0);
        let mut wait = (world.wait)();
        assert!(poll(&mut wait, &hooked()).is_pending());
        (world.grant)().await;
        until("the wake of a grant", || fired().wake > 0).await;
        // What the hook tried may have used the grant up.
        let _ = poll(&mut wait, &hooked());
    });
}

#[test]
fn a_waker_may_drop_the_future_it_wakes() {
    over_every_primitive(Rule::ForeignWakers, async |primitive| {
        let mut world = (primitive.build)().await;
        let place: Rc<RefCell<Option<Wait>>> = Rc::new(RefCell::new(Some((world.wait)())));
        assert!(poll(place.borrow_mut().as_mut().unwrap(), &hooked()).is_pending());
        let drops = Rc::clone(&place);
        let hook = on_every_hook(move || {
            if let Ok(mut place) = drops.try_borrow_mut() {
                let wait = place.take();
                drop(place);
                drop(wait);
            }
        });
        (world.grant)().await;
        until("the wake of a grant", || fired().wake > 0).await;
        drop(hook);
        drop(place.take()); // where another thread woke it
        let mut fresh = (world.wait)();
        drop(granted(&mut world, &mut fresh).await);
    });
}

/// The grant comes while the future clones its waker; so the clone is not needed, and is
/// dropped by who has the grant.
#[test]
fn a_waker_that_panics_when_it_is_dropped_costs_nobody_a_grant() {
    over_every_primitive(Rule::ForeignWakers, async |primitive| {
        if primitive.wakes_elsewhere() || primitive.shape == Shape::All {
            return;
        }
        for waits_already in [false, true] {
            let world = (primitive.build)().await;
            let mut wait = (world.wait)();
            if waits_already {
                assert!(poll(&mut wait, Waker::noop()).is_pending());
            }
            let (waker, before) = (hooked(), fired().drop);
            let grant = Rc::new(RefCell::new(world.grant)); // it has the other end
            let grants = Rc::clone(&grant);
            let hook = on_every_hook(move || {
                if fired().drop == before {
                    drop(grants.borrow_mut()());
                } else if !std::thread::panicking() {
                    panic!("planned");
                }
            });
            let polled = catch_unwind(AssertUnwindSafe(|| poll(&mut wait, &waker)));
            drop(hook);
            match polled {
                Ok(Poll::Ready(held)) => drop(held),
                // It came to wait only after the grant, which was nobody's.
                Ok(Poll::Pending) => assert_eq!(primitive.name, "Condvar::wait"),
                Err(_) => {
                    drop(wait);
                    let mut next = (world.wait)();
                    assert!(poll(&mut next, Waker::noop()).is_ready(), "it is lost");
                }
            }
        }
    });
}
