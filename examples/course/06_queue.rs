//! 6. A producer, consumers, and a queue that knows when all is done.
//!
//! A put into a full queue waits: who is fast is held up by who is slow. What is
//! received is a job, unfinished until it is done or dropped; `join` waits until
//! none is. With the last producer the queue ends, and the loops of the
//! consumers with it: nobody has to be cancelled.
//!
//! In asyncio: `Queue`, `task_done`, `join`, `shutdown`; `LifoQueue`,
//! `PriorityQueue`. In trio: memory channels, which have no `join`.
//!
//! ```text
//! put job 1 at 0 ms
//! put job 2 at 0 ms
//! put job 3 at 0 ms
//! put job 4 at 0 ms
//! put job 5 at 10 ms
//! put job 6 at 10 ms
//! all are done after 30 ms: by 0 [1, 3, 5], by 1 [2, 4, 6]
//! a priority queue: rescue, repair, sweep
//! after a shutdown a put fails, and gives back "late"
//! what was there is still received: early, then the end
//! ```

#[macro_use]
mod support;

use support::{MS, ms_since};
use wakeline::sync::queue::{self, Consumer, Producer, Shutdown};
use wakeline::time::{now, sleep};
use wakeline::{ScopeError, scope};

async fn produce(jobs: Producer<u32>) -> Result<(), ()> {
    let start = now();
    for job in 1..=6 {
        jobs.send(job).await.map_err(|_closed| ())?;
        say!("put job {job} at {} ms", ms_since(start));
    }
    Ok(()) // the last producer goes, and the queue ends
}

async fn consume(jobs: Consumer<u32>) -> Result<Vec<u32>, ()> {
    let mut done = Vec::new();
    while let Ok(job) = jobs.recv().await {
        sleep(10 * MS).await;
        done.push(*job);
        job.done();
    }
    Ok(done)
}

async fn pipeline() -> Result<(), ScopeError<()>> {
    scope(|s| async move {
        let start = now();
        let (producer, consumer) = queue::fifo(2);
        let consumers = [(); 2].map(|()| s.spawn(consume(consumer.clone())));
        let _ = s.spawn(produce(producer)).await;
        consumer.join().await;
        let after = ms_since(start);
        let [one, two] = consumers;
        let (one, two) = (one.await.unwrap_or_default(), two.await.unwrap_or_default());
        say!("all are done after {after} ms: by 0 {one:?}, by 1 {two:?}");
        Ok(())
    })
    .await
}

async fn other_queues() {
    let (producer, consumer) = queue::priority(queue::UNBOUNDED);
    for job in [(3, "sweep"), (1, "rescue"), (2, "repair")] {
        let _ = producer.send(job).await;
    }
    drop(producer);
    let mut order = Vec::new();
    while let Ok(job) = consumer.recv().await {
        order.push(job.1);
    }
    say!("a priority queue: {}", order.join(", "));

    let (producer, consumer) = queue::fifo(2);
    let _ = producer.send("early").await;
    producer.shutdown(Shutdown::Graceful);
    if let Err(refused) = producer.send("late").await {
        say!(
            "after a shutdown a put fails, and gives back {:?}",
            refused.into_inner()
        );
    }
    if let Ok(job) = consumer.recv().await {
        let end = if consumer.recv().await.is_err() {
            "the end"
        } else {
            "more"
        };
        say!("what was there is still received: {}, then {end}", *job);
    }
}

fn main() {
    support::run(async {
        if pipeline().await.is_err() {
            say!("the pipeline broke");
        }
        other_queues().await;
    });
}
