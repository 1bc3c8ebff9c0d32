//! G5: first come, first served. What is released is the front's from that moment
//! on, before it looks, and nobody barges in.

use crate::over_every_primitive;
use crate::primitives::Rule;
use crate::world::{Count, Wait, World, poll, served, until};
use std::task::{Poll, Waker};

#[test]
fn what_is_released_is_the_first_ones_and_nobody_barges_in() {
    over_every_primitive(Rule::Fifo, async |primitive| {
        let mut world = (primitive.build)().await;
        let mut line: Vec<(Wait, _)> = (0..3).map(|_| ((world.wait)(), Count::new())).collect();
        for (wait, (_, waker)) in &mut line {
            assert!(poll(wait, waker).is_pending());
            assert!(tries_in_vain(&world), "others wait");
        }
        for number in 0..line.len() {
            if line[number].1.0.get() == 0 {
                (world.grant)().await;
            }
            until("the wake of a grant", || line[number].1.0.get() > 0).await;
            // It has not looked yet, and all others do.
            assert!(tries_in_vain(&world), "it is the front's");
            assert!(
                poll(&mut (world.wait)(), Waker::noop()).is_pending(),
                "who came last"
            );
            for (wait, (count, waker)) in line[number + 1..].iter_mut().rev() {
                assert_eq!(count.get(), 0);
                assert!(poll(wait, waker).is_pending());
            }
            let (wait, woken) = &mut line[number];
            let held = match primitive.name {
                // Its front sleeps until there is a permit.
                "RateLimiter::acquire" => served(&mut world, wait, woken).await,
                _ => match poll(wait, &woken.1) {
                    Poll::Ready(held) => held,
                    Poll::Pending => panic!("number {number} was woken for nothing"),
                },
            };
            if primitive.name == "OnceCell::get_or_init" {
                return; // it is full: from here on all have it at once
            }
            drop(held);
        }
    });
}

fn tries_in_vain(world: &World) -> bool {
    world.attempt.as_ref().is_none_or(|attempt| !attempt())
}
