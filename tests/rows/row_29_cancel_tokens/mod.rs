//! Cancel tokens: a level that reaches down, stays, and starts nothing new.
//!
//! | file           | which cases                                              |
//! |----------------|----------------------------------------------------------|
//! | `tree.rs`      | whom a cancel reaches; shields                           |
//! | `level.rs`     | that it stays, and that nothing begins after it          |
//! | `complete.rs`  | a completion against a cancel                            |
//! | `drops.rs`     | destructors, guards, and what is left behind             |
//! | `in_force.rs`  | which token is in force                                  |

mod complete;
mod drops;
mod in_force;
mod level;
mod tree;

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use wakeline::CancelToken;

/// Runs something when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

fn text(token: &CancelToken) -> String {
    token.reason().map_or_else(String::new, |r| r.to_string())
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// What one poll, with the task's own waker, gives.
async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Option<F::Output> {
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
