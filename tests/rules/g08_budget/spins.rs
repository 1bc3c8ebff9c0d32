//! Of each primitive, a loop that never has to wait.

use super::TURNS;
use crate::world::leak;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;
use wakeline::future::{as_completed, join_all, race};
use wakeline::io::{AsyncReadExt, AsyncWriteExt, simplex};
use wakeline::net::{TcpListener, TcpStream};
use wakeline::pool::Manager;
use wakeline::stream::StreamExt;
use wakeline::sync::{
    Barrier, Event, Limiter, Mutex, Notify, OnceCell, RateLimiter, RwLock, Semaphore, broadcast,
    mpsc, oneshot, queue, watch,
};
use wakeline::time::{interval_at, now, sleep, sleep_until, timeout};
use wakeline::{CancelToken, JoinSet, Pool, scope, spawn, yield_now};

pub(super) type Spin = Pin<Box<dyn Future<Output = ()> + Send>>;

/// `{ what is made once } => what is done each time`.
macro_rules! spin {
    ({ $($setup:tt)* } => $body:expr) => {
        Box::pin(async {
            $($setup)*
            for _ in 0..TURNS {
                let _ = $body;
            }
        })
    };
}

struct Numbers;

impl Manager for Numbers {
    type Resource = u8;
    type Error = Infallible;

    async fn create(&self) -> Result<u8, Infallible> {
        Ok(7)
    }
}

fn set() -> &'static Event {
    let event = leak(Event::new());
    event.set();
    event
}

pub(super) fn of(name: &str) -> Spin {
    match name {
        "time::sleep" => spin!({  } => sleep(Duration::ZERO).await),
        "time::sleep_until" => spin!({ let past = now(); } => sleep_until(past).await),
        "time::timeout" => {
            spin!({ let event = set(); } => timeout(Duration::MAX, event.wait()).await)
        }
        "Interval::tick" => {
            spin!({ let mut ticks = interval_at(now(), Duration::from_nanos(1)); } => ticks.tick().await)
        }
        "RateLimiter::acquire" => {
            spin!({ let limiter = RateLimiter::new(u32::MAX, Duration::from_nanos(1)); } => limiter.acquire().await
            )
        }
        "Mutex::lock" => spin!({ let mutex = Mutex::new(()); } => mutex.lock().await),
        "Mutex::lock_owned" => {
            spin!({ let mutex = std::sync::Arc::new(Mutex::new(())); } => mutex.lock_owned().await)
        }
        "RwLock::write" => spin!({ let lock = RwLock::new(()); } => lock.write().await),
        "RwLock::read" => spin!({ let lock = RwLock::new(()); } => lock.read().await),
        "Semaphore::acquire" => spin!({ let one = Semaphore::new(1); } => one.acquire().await),
        "Semaphore::acquire_owned" => {
            spin!({ let one = std::sync::Arc::new(Semaphore::new(1)); } => one.acquire_owned().await)
        }
        "Semaphore::acquire_many" => {
            spin!({ let three = Semaphore::new(3); } => three.acquire_many(3).await)
        }
        "Limiter::acquire" => spin!({ let one = Limiter::new(1); } => one.acquire().await),
        "Notify::notified" => {
            spin!({ let notify = Notify::new(); } => { notify.notify_one(); notify.notified().await }
            )
        }
        "OnceCell::get_or_init" => {
            spin!({ let cell = OnceCell::new(); } => cell.get_or_init(async || 7_u8).await)
        }
        "Event::wait" => spin!({ let event = set(); } => event.wait().await),
        "Barrier::wait" => spin!({ let barrier = Barrier::new(1); } => barrier.wait().await),
        _ => of_channel(name),
    }
}

fn of_channel(name: &str) -> Spin {
    match name {
        "oneshot::Receiver" => spin!({  } => {
            let (sender, receiver) = oneshot::channel();
            let _ = sender.send(7);
            receiver.await
        }),
        "mpsc::Receiver::recv" => {
            spin!({ let (sender, mut receiver) = mpsc::channel(1); } => { let _ = sender.try_send(7); receiver.recv().await }
            )
        }
        "broadcast::Receiver::recv" => {
            spin!({ let (sender, mut receiver) = broadcast::channel(1); } => { let _ = sender.send(7); receiver.recv().await }
            )
        }
        "mpsc::Receiver as Stream" => {
            spin!({ let (sender, mut receiver) = mpsc::channel(1); } => { let _ = sender.try_send(7); receiver.next().await }
            )
        }
        "broadcast::Receiver as Stream" => {
            spin!({ let (sender, mut receiver) = broadcast::channel(1); } => { let _ = sender.send(7); receiver.next().await }
            )
        }
        "watch::Receiver::changed" => {
            spin!({ let (sender, mut receiver) = watch::channel(0); } => { let _ = sender.send(7); receiver.changed().await }
            )
        }
        "watch::Receiver::wait_for" => {
            spin!({ let (_sender, mut receiver) = watch::channel(7); } => receiver.wait_for(|value| *value == 7).await.map(|value| *value)
            )
        }
        "queue::Consumer::recv" => {
            spin!({ let (producer, consumer) = queue::fifo(1); } => { let _ = producer.try_send(7); consumer.recv().await }
            )
        }
        "queue::Consumer::join" => {
            spin!({ let (_producer, consumer) = queue::fifo::<u8>(1); } => consumer.join().await)
        }
        "oneshot::Sender::closed" => {
            spin!({ let (mut sender, _) = oneshot::channel::<u8>(); } => sender.closed().await
            )
        }
        "mpsc::Sender::send" => {
            spin!({ let (sender, _receiver) = mpsc::channel(TURNS); } => sender.send(7).await
            )
        }
        "mpsc::Sender::reserve" => {
            spin!({ let (sender, _receiver) = mpsc::channel::<u8>(1); } => sender.reserve().await
            )
        }
        "mpsc::Sender::closed" => {
            spin!({ let (sender, _) = mpsc::channel::<u8>(1); } => sender.closed().await)
        }
        "watch::Sender::closed" => {
            spin!({ let (sender, _) = watch::channel(0); } => sender.closed().await)
        }
        "queue::Producer::send" => {
            spin!({ let (producer, _consumer) = queue::fifo(TURNS); } => producer.send(7).await
            )
        }
        "queue::Producer::reserve" => {
            spin!({ let (producer, _consumer) = queue::fifo::<u8>(1); } => producer.reserve().await
            )
        }
        _ => of_tasks(name),
    }
}

fn of_tasks(name: &str) -> Spin {
    match name {
        "JoinHandle" => Box::pin(async {
            let handles: Vec<_> = (0..TURNS).map(|_| spawn(async {})).collect();
            while !handles.iter().all(wakeline::JoinHandle::is_finished) {
                yield_now().await;
            }
            for handle in handles {
                let _ = handle.await;
            }
        }),
        "JoinSet::join_next" => Box::pin(async {
            let mut set = JoinSet::new();
            for _ in 0..TURNS {
                set.spawn(async {});
            }
            while set.join_next().await.is_some() {}
        }),
        "scope and its child" => spin!({  } => scope(|s| async move {
            let _ = s.spawn(async { Ok::<(), ()>(()) }).await;
            Ok(())
        }).await),
        "CancelToken::cancelled" => spin!({ let token = CancelToken::new();
            let _ = token.cancel("enough"); } => token.cancelled().await
        ),
        "Pool::acquire" => spin!({ let pool = Pool::new(Numbers, 1); } => pool.acquire().await),
        "join_all" => spin!({ let event = set(); } => join_all([event.wait(), event.wait()]).await),
        "join!" => spin!({ let event = set(); } => wakeline::join!(event.wait(), event.wait())),
        "race" => spin!({ let event = set(); } => race([event.wait(), event.wait()]).await),
        "select!" => spin!({ let event = set(); } => wakeline::select! {
            () = event.wait() => 1,
            () = event.wait() => 2,
        }),
        "as_completed" => {
            spin!({ let event = set(); } => as_completed([event.wait()]).next().await)
        }
        "TcpStream::read" => Box::pin(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let address = listener.local_addr().expect("it is bound");
            let stream = TcpStream::connect(address).await.expect("it listens");
            let (peer, _) = listener.accept().await.expect("it connected");
            let mut peer = peer.into_std().expect("it is a socket");
            std::io::Write::write_all(&mut peer, &[7; TURNS]).expect("the buffers are large");
            for _ in 0..TURNS {
                stream.read(&mut [0; 1]).await.expect("it was written");
            }
        }),
        "SimplexReader" => Box::pin(async {
            let (mut reader, mut writer) = simplex(TURNS);
            writer.write_all(&[7; TURNS]).await.expect("there is room");
            for _ in 0..TURNS {
                reader.read(&mut [0; 1]).await.expect("it was written");
            }
        }),
        "SimplexWriter" => spin!({ let (_reader, mut writer) = simplex(TURNS); } =>
            writer.write(b"7").await.expect("there is room")),
        _ => panic!("{name}: a row of the table without a loop"),
    }
}
