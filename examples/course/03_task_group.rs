//! 3. A task group: a scope leaves only when all it has started is gone.
//!
//! Children may borrow from what surrounds the scope: the compiler knows that
//! they are gone when it returns. The first error cancels the siblings, and all
//! errors are in the result. What shall run in parallel is a task: it borrows
//! nothing, and is still waited for.
//!
//! In asyncio: `async with asyncio.TaskGroup() as tg`; in trio: `open_nursery()`.
//! `s.start` is trio's `nursery.start`.
//!
//! ```text
//! the sum of what it borrowed: 6 after 30 ms
//!   cancelled: siblings that had more to do
//! 2 failures: disk full; quota exceeded
//! the server says it listens on port 80
//! the group is over: the server was cancelled: the tests are done
//! ```

#[macro_use]
mod support;

use support::{MS, ms_since};
use wakeline::time::{now, sleep};
use wakeline::{ScopeError, scope};

struct Says(&'static str);

impl Drop for Says {
    fn drop(&mut self) {
        say!("  cancelled: {}", self.0);
    }
}

/// Borrows `pages` in its children.
async fn sum(pages: &[u32]) -> Result<u32, ScopeError<&'static str>> {
    scope(|s| async move {
        let fetch = |page: &u32| {
            let page = *page;
            async move {
                sleep(10 * page * MS).await;
                Ok(page)
            }
        };
        let children: Vec<_> = pages.iter().map(|page| s.spawn(fetch(page))).collect();
        let mut sum = 0;
        for child in children {
            sum += child.await.unwrap_or(0); // if it failed, the scope tells
        }
        Ok(sum)
    })
    .await
}

fn main() {
    support::run(async {
        let (start, pages) = (now(), vec![1, 2, 3]);
        let sum = sum(&pages).await.unwrap_or(0);
        say!(
            "the sum of what it borrowed: {sum} after {} ms",
            ms_since(start)
        );

        let failed: Result<(), _> = scope(|s| async move {
            for error in ["disk full", "quota exceeded"] {
                s.spawn(async move {
                    sleep(10 * MS).await; // both fail at the same moment
                    Err::<(), _>(error)
                });
            }
            s.spawn(async {
                let _says = Says("siblings that had more to do");
                sleep(500 * MS).await;
                Ok(())
            });
            Ok(())
        })
        .await;
        if let Err(error) = failed {
            say!("{error}");
        }

        let result: Result<(), ScopeError<()>> = scope(|s| async move {
            let server = s.start(|ready| async move {
                sleep(10 * MS).await; // it binds its socket
                let _ = ready.set(80);
                std::future::pending::<Result<(), ()>>().await
            });
            if let Ok(port) = server.await {
                say!("the server says it listens on port {port}");
            }
            s.cancel("the tests are done");
            std::future::pending().await
        })
        .await;
        match result {
            Err(ScopeError::Cancelled(why)) => {
                say!("the group is over: the server was cancelled: {why}")
            }
            other => say!("the group is over: {other:?}"),
        }
    });
}
