//! 4. Timeouts: one, nested ones, and deadlines that are inherited.
//!
//! A timeout drops what it limits, and returns then and there: it is never late
//! because of somebody's cleanup. A scope with a timeout awaits the cleanup, and
//! so may be. A token with a deadline is read by the code below it, however
//! deep, which can then spare itself what would come too late.
//!
//! In asyncio: `wait_for` (which waits for the cleanup, too), `timeout`,
//! `timeout_at`, `reschedule`. In trio: `move_on_after`, `fail_after`,
//! `current_effective_deadline`.
//!
//! ```text
//! in time: Ok("page")
//! too late: Err(Elapsed) after 50 ms
//! done already, limit 0: Ok("at hand")
//! inner first: Ok(Err(Elapsed)) after 30 ms
//! outer first: Err(Elapsed) after 30 ms
//! moved to later: Ok("page") after 100 ms
//! below a deadline: 80 ms are left
//! the scope waited for the cleanup: 70 ms
//! ```

#[macro_use]
mod support;

use std::pin::pin;
use std::time::Duration;

use support::{MS, ms_since};
use wakeline::time::{now, sleep, timeout};
use wakeline::{CancelToken, FutureExt, ScopeError, current_deadline, scope};

async fn page() -> &'static str {
    sleep(100 * MS).await;
    "page"
}

/// Deep in the program: nobody has passed it a deadline.
async fn left() -> u128 {
    sleep(20 * MS).await;
    current_deadline().map_or(0, |deadline| (deadline - now()).as_millis())
}

fn main() {
    support::run(async {
        say!("in time: {:?}", page().timeout(200 * MS).await);
        let start = now();
        let late = page().timeout(50 * MS).await;
        say!("too late: {} after {} ms", elapsed(&late), ms_since(start));
        let ready = async { "at hand" }.timeout(Duration::ZERO).await;
        say!("done already, limit 0: {ready:?}");

        let start = now();
        let nested = page().timeout(30 * MS).timeout(60 * MS).await;
        say!(
            "inner first: Ok({}) after {} ms",
            elapsed(&nested.unwrap_or(Ok(""))),
            ms_since(start)
        );
        let start = now();
        let nested = page().timeout(60 * MS).timeout(30 * MS).await;
        say!(
            "outer first: {} after {} ms",
            elapsed(&nested),
            ms_since(start)
        );

        let start = now();
        let mut limited = pin!(timeout(50 * MS, page()));
        limited.as_mut().reset(start + 150 * MS);
        say!(
            "moved to later: {:?} after {} ms",
            limited.await,
            ms_since(start)
        );

        let token = CancelToken::new().with_timeout(100 * MS);
        say!(
            "below a deadline: {} ms are left",
            left().with_token(token).await
        );

        let start = now();
        let result: Result<(), ScopeError<()>> = scope(|s| async move {
            let _file = s.guard("file", |_| sleep(20 * MS)); // flushes it
            page().await;
            Ok(())
        })
        .timeout(50 * MS)
        .await;
        if result.is_err_and(|error| error.is_elapsed()) {
            say!("the scope waited for the cleanup: {} ms", ms_since(start));
        }
    });
}

fn elapsed<T: std::fmt::Debug, E>(result: &Result<T, E>) -> String {
    result
        .as_ref()
        .map_or("Err(Elapsed)".to_owned(), |value| format!("Ok({value:?})"))
}
