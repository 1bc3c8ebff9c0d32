//! 8. Trying again: with growing delays, a limit, and not for every error.
//!
//! The policy says when the next attempt is due, the closure makes it. It ends
//! with a success, with an error that no attempt can mend, after so many
//! attempts, or when the next one would be too late. A cancel is never retried.
//!
//! In asyncio: a loop with `except` and `sleep(base * 2 ** attempt)`, or a library.
//!
//! ```text
//! attempts at [0, 100, 300] ms: Ok("page")
//! a bad page: failed for good after 1 attempt: no such page
//! always busy: gave up after 4 attempts: busy
//! within 1 s: attempts at [0, 100, 300, 700] ms, then it was too late
//! cancelled in the delay: after 250 ms, 2 attempts
//! ```

#[macro_use]
mod support;

use std::cell::RefCell;
use std::time::Instant;

use support::{MS, ms_since};
use wakeline::retry::{GaveUp, Retry, RetryError};
use wakeline::time::now;
use wakeline::{CancelToken, FutureExt, retry};

/// Tries a server that is busy for its first `busy` requests; also says when.
async fn ask(
    policy: Retry,
    busy: usize,
) -> (Result<&'static str, RetryError<&'static str>>, Vec<u128>) {
    let (start, attempts): (Instant, RefCell<Vec<u128>>) = (now(), RefCell::default());
    let result = retry(policy, async || {
        let made = attempts.borrow().len();
        attempts.borrow_mut().push(ms_since(start));
        if made < busy { Err("busy") } else { Ok("page") }
    })
    .await;
    (result, attempts.into_inner())
}

fn main() {
    support::run(async {
        let policy = Retry::exponential(100 * MS);
        let (page, at) = ask(policy.clone().attempts(5), 2).await;
        say!("attempts at {at:?} ms: {page:?}");

        let bad = retry(policy.clone(), async || Err::<(), _>("no such page"))
            .when(|error| *error == "busy")
            .await;
        if let Err(error) = bad {
            say!("a bad page: {error}");
        }

        if let (Err(error), _) = ask(policy.clone().attempts(4), 100).await {
            say!("always busy: {error}");
        }

        if let (Err(error), at) = ask(policy.clone().within(1000 * MS), 100).await
            && error.why() == &GaveUp::Deadline
        {
            say!("within 1 s: attempts at {at:?} ms, then it was too late");
        }

        let (start, token) = (now(), CancelToken::new());
        let canceller = async {
            wakeline::time::sleep(250 * MS).await;
            token.cancel("never mind");
        };
        let (asked, ()) = wakeline::join!(ask(policy, 100).with_token(token.clone()), canceller);
        if let (Err(error), _) = asked
            && let GaveUp::Cancelled(_) = error.why()
        {
            say!(
                "cancelled in the delay: after {} ms, {} attempts",
                ms_since(start),
                error.attempts()
            );
        }
    });
}
