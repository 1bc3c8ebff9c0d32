//! 9. A pool: a few connections for many users.
//!
//! A manager makes, recycles and closes what is lent; the pool sees to who is
//! next. A connection that was dropped in the middle of a query is in nobody
//! knows what state: the pool closes it and makes another, and that is what
//! `lease.run` is for.
//!
//! In asyncio: `async with pool.acquire() as connection` of a database library;
//! the exercise of many tutorials, with a `Queue`, `__aenter__` and `__aexit__`.
//!
//! ```text
//!   opened connection 1
//!   opened connection 2
//! 4 queries on 2 connections: 20 ms, by [1, 2, 1, 2]
//!   closed connection 1
//!   opened connection 3
//! after a query that was cut off: by 3
//!   closed connection 3
//!   closed connection 2
//! closed: an acquire fails: the pool was closed
//! ```

#[macro_use]
mod support;

use std::convert::Infallible;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use support::{MS, ms_since};
use wakeline::future::join_all;
use wakeline::pool::{Manager, PoolError};
use wakeline::time::{now, sleep};
use wakeline::{FutureExt, Pool};

struct Connection(u32);

impl Connection {
    async fn query(&mut self) -> u32 {
        sleep(10 * MS).await;
        self.0
    }
}

/// Makes connections, and numbers them.
#[derive(Default)]
struct Database {
    opened: AtomicU32,
}

impl Manager for Database {
    type Resource = Connection;
    type Error = Infallible;

    async fn create(&self) -> Result<Connection, Infallible> {
        let number = self.opened.fetch_add(1, Relaxed) + 1;
        say!("  opened connection {number}");
        Ok(Connection(number))
    }

    async fn close(&self, connection: Connection) {
        sleep(MS).await; // says goodbye
        say!("  closed connection {}", connection.0);
    }
}

async fn query(pool: &Pool<Database>) -> Result<u32, PoolError<Infallible>> {
    let mut lease = pool.acquire().await?;
    Ok(lease.run(async |connection| connection.query().await).await)
}

async fn course() -> Result<(), PoolError<Infallible>> {
    let pool = Pool::new(Database::default(), 2);
    let start = now();
    let by: Result<Vec<_>, _> = join_all((0..4).map(|_| query(&pool)))
        .await
        .into_iter()
        .collect();
    say!(
        "4 queries on 2 connections: {} ms, by {:?}",
        ms_since(start),
        by?
    );

    // Dropped half-way through its query, by its user's timeout.
    if query(&pool).timeout(5 * MS).await.is_err() {
        let (one, other) = wakeline::join!(query(&pool), query(&pool));
        say!("after a query that was cut off: by {}", one?.max(other?));
    }
    if let Err(still) = pool.close(100 * MS).await {
        say!("{still}");
    }
    if let Err(error) = query(&pool).await {
        say!("closed: an acquire fails: {error}");
    }
    Ok(())
}

fn main() {
    if let Err(error) = support::run(course()) {
        say!("{error}");
    }
}
