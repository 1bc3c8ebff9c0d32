//! Two tasks of one worker that wake each other: what strace should see nothing of.
//!
//! ```text
//! ping_pong uring|epoll ROUNDS
//! ```

use std::cell::{Cell, RefCell};
use std::env;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use wakeline::{Runtime, spawn_local};

/// A ball that two tasks hand to each other.
#[derive(Default)]
struct Table {
    turn: Cell<usize>,
    waiting: [RefCell<Option<Waker>>; 2],
}

impl Table {
    /// Waits for the ball, and plays it to the other side.
    async fn play(&self, side: usize) {
        poll_fn(|cx| {
            if self.turn.get() == side {
                return Poll::Ready(());
            }
            *self.waiting[side].borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
        self.turn.set(1 - side);
        let other = self.waiting[1 - side].borrow_mut().take();
        if let Some(other) = other {
            other.wake();
        }
    }
}

fn main() {
    let mut arguments = env::args().skip(1);
    let driver = arguments
        .next()
        .expect("a driver")
        .parse()
        .expect("uring or epoll");
    let rounds: usize = arguments
        .next()
        .expect("how many rounds")
        .parse()
        .expect("a number");
    let runtime = Runtime::builder()
        .workers(1)
        .driver(driver)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let table = Rc::new(Table::default());
        let players = [0, 1].map(|side| {
            let table = Rc::clone(&table);
            spawn_local(async move {
                for _ in 0..rounds {
                    table.play(side).await;
                }
            })
        });
        for player in players {
            player.await.expect("no panic");
        }
    });
}
