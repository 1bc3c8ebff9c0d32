//! G6: a waker is foreign code, and so is the `Drop` of a value: no lock of ours
//! is held when one of them runs, so it may call the same primitive again.

mod hooked;
mod values;

use crate::over_every_primitive;
use crate::primitives::{Rule, Shape};
use crate::world::{Wait, granted, poll, until};
use hooked::{fired, hooked, on_every_hook};
use std::cell::RefCell;
use std::rc::Rc;
use std::task::Waker;

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
