//! A pool of resources: at most so many, and none is lent that was left in the
//! middle of something.

use std::future::pending;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use wakeline::pool::{Manager, PoolError};
use wakeline::time::{now, sleep, timeout};
use wakeline::{FutureExt, Pool, spawn, yield_now};

use crate::row_26_virtual_time::paused;
use crate::support::drops::poll_once;
use crate::{on_every_runtime, with_every_runtime};

const MS: Duration = Duration::from_millis(1);

/// What the world knows of the connections.
#[derive(Default)]
struct World {
    /// Numbers, in the order in which they were made.
    made: AtomicUsize,
    alive: AtomicUsize,
    most_alive: AtomicUsize,
    /// Numbers of those that were closed properly.
    closed: Mutex<Vec<usize>>,
    recycled: AtomicUsize,
    /// What the hooks do.
    refuse: AtomicBool,
    stale: AtomicBool,
    unfit: AtomicBool,
    hang: AtomicBool,
    /// A query hangs.
    hangs: AtomicBool,
    slow_close: AtomicBool,
}

/// A connection of which a query that was cut in two spoils the rest.
struct Connection {
    number: usize,
    unanswered: usize,
    world: Arc<World>,
}

impl Connection {
    async fn query(&mut self) -> usize {
        assert_eq!(self.unanswered, 0, "the answer to somebody else's query");
        self.unanswered += 1;
        yield_now().await;
        if self.world.hang.load(SeqCst) {
            self.world.hangs.store(true, SeqCst);
            pending::<()>().await;
        }
        self.unanswered -= 1;
        self.number
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.world.alive.fetch_sub(1, SeqCst);
    }
}

struct Database(Arc<World>);

impl Manager for Database {
    type Resource = Connection;
    type Error = &'static str;

    async fn create(&self) -> Result<Connection, &'static str> {
        yield_now().await;
        if self.0.refuse.load(SeqCst) {
            return Err("refused");
        }
        if self.0.hang.load(SeqCst) {
            pending::<()>().await;
        }
        let alive = self.0.alive.fetch_add(1, SeqCst) + 1;
        self.0.most_alive.fetch_max(alive, SeqCst);
        Ok(Connection {
            number: self.0.made.fetch_add(1, SeqCst),
            unanswered: 0,
            world: Arc::clone(&self.0),
        })
    }

    async fn check(&self, connection: &mut Connection) -> Result<(), &'static str> {
        connection.query().await;
        if self.0.stale.load(SeqCst) {
            Err("stale")
        } else {
            Ok(())
        }
    }

    async fn recycle(&self, connection: &mut Connection) -> Result<(), &'static str> {
        yield_now().await;
        assert_eq!(connection.unanswered, 0);
        self.0.recycled.fetch_add(1, SeqCst);
        if self.0.unfit.load(SeqCst) {
            Err("unfit")
        } else {
            Ok(())
        }
    }

    async fn close(&self, connection: Connection) {
        if self.0.slow_close.load(SeqCst) {
            sleep(MS * 100).await;
        }
        yield_now().await;
        self.0.closed.lock().unwrap().push(connection.number);
    }
}

fn database(size: usize) -> (Pool<Database>, Arc<World>) {
    let world = Arc::new(World::default());
    (Pool::new(Database(Arc::clone(&world)), size), world)
}

/// Until what goes on in the background is over.
async fn settled(pool: &Pool<Database>, busy: usize) {
    while pool.busy() != busy {
        yield_now().await;
    }
}

#[test]
fn there_are_never_more_than_so_many_and_they_are_used_again() {
    on_every_runtime(|| async {
        let (pool, world) = database(3);
        let users: Vec<_> = (0..20)
            .map(|user| {
                let pool = pool.clone();
                spawn(async move {
                    for round in 0..5 {
                        let mut lease = pool.acquire().await.expect("open");
                        lease.run(async |connection| connection.query().await).await;
                        if (user + round) % 7 == 0 {
                            lease.mark_broken();
                        }
                    }
                })
            })
            .collect();
        for user in users {
            user.await.expect("no panic");
        }
        settled(&pool, 0).await;
        assert!(world.most_alive.load(SeqCst) <= 3);
        let broken = (0..20).map(|user| (0..5).filter(|round| (user + round) % 7 == 0).count());
        assert_eq!(world.closed.lock().unwrap().len(), broken.sum::<usize>());
        assert!(pool.close(Duration::from_secs(10)).await.is_ok());
        assert_eq!(world.alive.load(SeqCst), 0);
        assert_eq!(world.closed.lock().unwrap().len(), world.made.load(SeqCst));
    });
}

#[test]
fn a_clean_one_is_recycled_and_lent_again() {
    on_every_runtime(|| async {
        let (pool, world) = database(1);
        for _ in 0..3 {
            let mut lease = pool.acquire().await.expect("open");
            assert_eq!(lease.query().await, 0); // always the same connection
        }
        settled(&pool, 0).await;
        assert_eq!((pool.idle(), world.recycled.load(SeqCst)), (1, 3));
    });
}

#[test]
fn waiters_are_served_in_order_and_one_that_gives_up_passes_its_turn_on() {
    on_every_runtime(|| async {
        let (pool, _) = database(1);
        let lease = pool.acquire().await.expect("open");
        let mut first = Box::pin(pool.acquire());
        let mut second = Box::pin(pool.acquire());
        let mut third = Box::pin(pool.acquire());
        assert!(poll_once(first.as_mut()).await.is_pending());
        assert!(poll_once(second.as_mut()).await.is_pending());
        assert!(poll_once(third.as_mut()).await.is_pending());
        drop(lease);
        settled(&pool, 0).await; // the first one has the turn, and does not look
        assert!(poll_once(third.as_mut()).await.is_pending());
        drop(first);
        drop(second.await.expect("open"));
        drop(third.await.expect("open"));
    });
}

#[test]
fn one_that_broke_is_closed_and_replaced() {
    on_every_runtime(|| async {
        let (pool, world) = database(1);
        let mut lease = pool.acquire().await.expect("open");
        lease.mark_broken();
        assert!(lease.is_broken());
        drop(lease);
        assert_eq!(pool.acquire().await.expect("open").number, 1);
        assert_eq!(*world.closed.lock().unwrap(), [0]); // before the other was made
        // A user that panics leaves it broken, too.
        let panics = spawn({
            let pool = pool.clone();
            async move {
                let _lease = pool.acquire().await.expect("open");
                panic!("planned");
            }
        });
        assert!(panics.await.expect_err("it panicked").is_panic());
        assert_eq!(pool.acquire().await.expect("open").number, 2);
        assert_eq!(world.most_alive.load(SeqCst), 1);
    });
}

#[test]
fn one_whose_user_was_cancelled_in_the_middle_is_closed_and_replaced() {
    on_every_runtime(|| async {
        for begin in [false, true] {
            let (pool, world) = database(1);
            let mut lease = pool.acquire().await.expect("open");
            lease.run(async |connection| connection.query().await).await;
            assert!(!lease.is_broken());
            world.hang.store(true, SeqCst);
            let user = spawn(async move {
                if begin {
                    let mut connection = lease.begin();
                    connection.query().await;
                    connection.finish();
                } else {
                    lease.run(async |connection| connection.query().await).await;
                }
            });
            while !world.hangs.load(SeqCst) {
                yield_now().await;
            }
            user.abort();
            assert!(user.await.is_err());
            world.hang.store(false, SeqCst);
            let mut other = pool.acquire().await.expect("open");
            assert_eq!(
                other.query().await,
                1,
                "a new one, that answers its own query"
            );
            assert_eq!(*world.closed.lock().unwrap(), [0]);
        }
    });
}

#[test]
fn an_error_in_making_one_goes_to_its_caller_and_the_slot_to_the_next() {
    on_every_runtime(|| async {
        let (pool, world) = database(1);
        world.refuse.store(true, SeqCst);
        let mut first = Box::pin(pool.acquire());
        let mut second = Box::pin(pool.acquire());
        assert!(poll_once(first.as_mut()).await.is_pending());
        assert!(poll_once(second.as_mut()).await.is_pending());
        assert_eq!(first.await.err(), Some(PoolError::Create("refused")));
        assert_eq!(pool.busy(), 0);
        world.refuse.store(false, SeqCst);
        assert!(second.await.is_ok());
    });
}

#[test]
fn giving_up_while_one_is_made_or_checked_frees_the_slot() {
    on_every_runtime(|| async {
        let (pool, world) = database(1);
        world.hang.store(true, SeqCst);
        let mut making = Box::pin(pool.acquire());
        for _ in 0..3 {
            assert!(poll_once(making.as_mut()).await.is_pending());
        }
        drop(making);
        world.hang.store(false, SeqCst);
        drop(pool.acquire().await.expect("open"));
        settled(&pool, 0).await;

        world.hang.store(true, SeqCst);
        let mut checking = Box::pin(pool.acquire());
        for _ in 0..3 {
            assert!(poll_once(checking.as_mut()).await.is_pending());
        }
        drop(checking); // in the middle of a query
        world.hang.store(false, SeqCst);
        assert_eq!(pool.acquire().await.expect("open").number, 1);
        assert_eq!(*world.closed.lock().unwrap(), [0]);
    });
}

#[test]
fn one_that_went_stale_or_cannot_be_recycled_is_replaced_unseen() {
    on_every_runtime(|| async {
        let (pool, world) = database(1);
        drop(pool.acquire().await.expect("open"));
        settled(&pool, 0).await;
        world.stale.store(true, SeqCst);
        let lease = pool.acquire().await.expect("a new one");
        assert_eq!(lease.number, 1);
        world.unfit.store(true, SeqCst);
        drop(lease);
        settled(&pool, 0).await;
        assert_eq!(
            (pool.idle(), &**world.closed.lock().unwrap()),
            (0, &[0, 1][..])
        );
        assert_eq!(world.most_alive.load(SeqCst), 1);
    });
}

/// A manager of which any hook may panic.
struct Fragile(Arc<AtomicUsize>);

impl Manager for Fragile {
    type Resource = usize;
    type Error = ();

    async fn create(&self) -> Result<usize, ()> {
        let number = self.0.fetch_add(1, SeqCst);
        assert_ne!(number, 0, "planned: create");
        Ok(number)
    }

    async fn check(&self, number: &mut usize) -> Result<(), ()> {
        assert_ne!(*number, 1, "planned: check");
        Ok(())
    }

    async fn recycle(&self, number: &mut usize) -> Result<(), ()> {
        assert_ne!(*number, 2, "planned: recycle");
        Ok(())
    }

    async fn close(&self, number: usize) {
        assert_ne!(number, 1, "planned: close");
    }
}

#[test]
fn a_hook_that_panics_frees_its_slot() {
    on_every_runtime(|| async {
        let pool = Pool::new(Fragile(Arc::new(AtomicUsize::new(0))), 1);
        let acquire = |pool: &Pool<Fragile>| {
            let pool = pool.clone();
            spawn(async move { pool.acquire().await.map(|lease| *lease) })
        };
        assert!(acquire(&pool).await.is_err(), "create panics");
        assert_eq!(acquire(&pool).await.expect("no panic"), Ok(1));
        while pool.idle() == 0 {
            yield_now().await;
        }
        assert!(
            acquire(&pool).await.is_err(),
            "check panics, and then close"
        );
        assert_eq!(acquire(&pool).await.expect("no panic"), Ok(2)); // recycle panics
        assert_eq!(acquire(&pool).await.expect("no panic"), Ok(3));
        assert_eq!(pool.close(Duration::from_secs(10)).await, Ok(()));
    });
}

/// Everything of it is stale, and cannot be closed either.
struct Stale;

impl Manager for Stale {
    type Resource = ();
    type Error = ();

    async fn create(&self) -> Result<(), ()> {
        Ok(())
    }

    async fn check(&self, (): &mut ()) -> Result<(), ()> {
        Err(())
    }

    async fn close(&self, (): ()) {
        panic!("planned: close");
    }
}

#[test]
fn a_close_that_panics_is_no_closed_pool() {
    on_every_runtime(|| async {
        let pool = Pool::new(Stale, 1);
        drop(pool.acquire().await.expect("the first is new"));
        while pool.idle() == 0 {
            yield_now().await;
        }
        let second = spawn({
            let pool = pool.clone();
            async move { pool.acquire().await.map(drop) }
        });
        let error = second.await.expect_err("the panic of `close` goes on");
        assert!(error.is_panic());
        assert!(!pool.is_closed());
        assert_eq!(pool.acquire().await.map(drop), Ok(()), "its slot is free");
    });
}

#[test]
fn close_waits_for_what_is_lent_but_not_for_ever() {
    paused(|| async {
        let (pool, world) = database(2);
        let lent = pool.acquire().await.expect("open");
        drop(pool.acquire().await.expect("open")); // idle soon
        settled(&pool, 1).await;
        let start = now();
        let late = pool.close(MS * 50).await.expect_err("one is lent");
        assert_eq!(late.resources(), 1);
        assert!(now() - start >= MS * 50);
        assert_eq!(*world.closed.lock().unwrap(), [1]);
        assert_eq!(pool.acquire().await.err(), Some(PoolError::Closed));
        // It is closed when it comes back, and a second close waits for that.
        world.slow_close.store(true, SeqCst);
        drop(lent);
        assert_eq!(pool.close(MS * 500).await, Ok(()));
        assert_eq!(*world.closed.lock().unwrap(), [1, 0]);
        assert_eq!(pool.close(Duration::ZERO).await, Ok(()));
    });
}

#[test]
fn close_fails_those_who_wait_and_those_whose_resource_is_being_made() {
    on_every_runtime(|| async {
        let (pool, world) = database(1);
        let mut making = Box::pin(pool.acquire());
        assert!(poll_once(making.as_mut()).await.is_pending());
        let mut waiting = Box::pin(pool.acquire());
        assert!(poll_once(waiting.as_mut()).await.is_pending());
        let mut close = Box::pin(pool.close(Duration::MAX));
        assert!(poll_once(close.as_mut()).await.is_pending());
        assert_eq!(waiting.await.err(), Some(PoolError::Closed));
        assert_eq!(making.await.err(), Some(PoolError::Closed));
        assert_eq!(close.await, Ok(()));
        assert_eq!((world.alive.load(SeqCst), pool.busy()), (0, 0));
        assert_eq!(world.closed.lock().unwrap().len(), world.made.load(SeqCst));
    });
}

#[test]
fn a_slow_close_keeps_its_slot_until_it_is_over() {
    paused(|| async {
        let (pool, world) = database(1);
        world.slow_close.store(true, SeqCst);
        let mut lease = pool.acquire().await.expect("open");
        lease.mark_broken();
        drop(lease);
        let start = now();
        assert!(timeout(MS * 50, pool.acquire()).await.is_err());
        assert!(pool.acquire().await.is_ok());
        assert!(now() - start >= MS * 100);
        assert_eq!(world.most_alive.load(SeqCst), 1);
    });
}

#[test]
fn a_shutdown_of_the_runtime_waits_for_closes_in_the_background() {
    with_every_runtime(|runtime| {
        let (pool, world) = database(1);
        runtime.block_on(async {
            world.slow_close.store(true, SeqCst);
            let mut lease = pool.acquire().await.expect("open");
            drop(spawn(async move {
                let _connection = lease.begin();
                let _ = pending::<()>().or_cancelled().await; // by the shutdown
            }));
            yield_now().await;
        });
        let _ = runtime.shutdown(Duration::from_secs(10));
        assert_eq!(*world.closed.lock().unwrap(), [0]);
        assert_eq!((world.alive.load(SeqCst), pool.busy()), (0, 0));
    });
}

#[test]
fn a_lease_outlives_its_runtime_harmlessly() {
    with_every_runtime(|runtime| {
        let (pool, world) = database(1);
        let lease = runtime.block_on(pool.acquire()).expect("open");
        drop(runtime);
        drop(lease);
        assert_eq!((world.alive.load(SeqCst), pool.busy()), (0, 0));
        drop(pool);
    });
}

#[test]
fn one_that_is_taken_out_for_good_makes_room_for_another() {
    on_every_runtime(|| async {
        let (pool, _) = database(1);
        let own = pool.acquire().await.expect("open").detach();
        assert_eq!((own.number, pool.busy()), (0, 0));
        assert_eq!(pool.acquire().await.expect("open").number, 1);
    });
}
