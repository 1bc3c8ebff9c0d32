//! A completion queue of 8 entries, and a pool of 8 buffers, each with 1,000
//! connections: nothing is lost and nothing stalls.

mod support;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use support::for_each_backend;
use wakeline::io::{AsyncReadExt, AsyncWriteExt, BufferPool};
use wakeline::net::{TcpListener, TcpStream};
use wakeline::sync::Barrier;
use wakeline::time::timeout;
use wakeline::{Driver, Runtime, spawn};

const CONNECTIONS: usize = 1_000;
const ROUNDS: usize = 5;
/// Only a stall takes so long.
const WATCHDOG: Duration = Duration::from_secs(300);

/// The message of one round of one client: nobody else's is like it.
fn message(client: usize, round: usize) -> Vec<u8> {
    (0..200)
        .map(|place| (client * 31 + round * 7 + place) as u8)
        .collect()
}

/// One client: `ROUNDS` messages, each answered by the same bytes. All write at
/// the same time, when all the servers wait.
async fn client(number: usize, address: SocketAddr, together: Arc<Barrier>) {
    let mut stream = TcpStream::connect(address).await.expect("connect");
    for round in 0..ROUNDS {
        together.wait().await.expect("nobody leaves");
        let sent = message(number, round);
        stream.write_all(&sent).await.expect("write");
        let mut back = vec![0; sent.len()];
        stream.read_exact(&mut back).await.expect("read");
        assert_eq!(back, sent, "client {number}, round {round}");
    }
}

/// Runs clients against `serve` in a task of a worker, and tells how often that
/// worker's completion queue was full.
fn run<F>(runtime: &Runtime, serve: impl Fn(TcpStream) -> F + Send + 'static) -> u64
where
    F: Future<Output = ()> + Send + 'static,
{
    runtime.block_on(async {
        let all = spawn(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
            let address = listener.local_addr().expect("an address");
            let together = Arc::new(Barrier::new(CONNECTIONS));
            let clients: Vec<_> = (0..CONNECTIONS)
                .map(|number| spawn(client(number, address, Arc::clone(&together))))
                .collect();
            let mut servers = Vec::new();
            for _ in 0..CONNECTIONS {
                let (stream, _) = listener.accept().await.expect("accept");
                servers.push(spawn(serve(stream)));
            }
            for task in clients.into_iter().chain(servers) {
                task.await.expect("no panic");
            }
            wakeline_reactor::current_metrics()
                .expect("a worker")
                .overflows
        });
        timeout(WATCHDOG, all)
            .await
            .expect("nothing stalls")
            .expect("no panic")
    })
}

async fn echo(stream: TcpStream) {
    let mut buf = Vec::with_capacity(256);
    loop {
        buf.clear();
        let (result, back) = stream.read_owned(buf).await;
        if result.expect("read") == 0 {
            return;
        }
        let (result, back) = stream.write_all_owned(back).await;
        result.expect("write");
        buf = back;
    }
}

#[test]
fn a_completion_queue_of_8_carries_1000_connections() {
    for_each_backend(|backend| {
        let builder = backend.builder().workers(1).ring_entries(8, 8);
        let runtime = builder.build().expect("a runtime");
        let overflows = run(&runtime, echo);
        if backend.driver == Driver::Uring {
            assert!(overflows > 0, "1,000 events fit into 8 entries");
        }
        let report = runtime.shutdown(Duration::from_secs(10));
        assert_eq!(report.leaked_operations, 0, "{report:?}");
    });
}

#[test]
fn a_pool_of_8_buffers_serves_1000_connections() {
    for_each_backend(|backend| {
        for workers in [1, 2] {
            let pool = BufferPool::new(8, 64);
            let of_servers = pool.clone();
            run(&backend.runtime(workers), move |mut stream| {
                let pool = of_servers.clone();
                async move {
                    loop {
                        let buf = stream.read_from_pool(&pool).await.expect("read");
                        if buf.is_empty() {
                            return;
                        }
                        // Held over a wait, as a handler would.
                        wakeline::yield_now().await;
                        stream.write_all(&buf).await.expect("write");
                    }
                }
            });
            assert_eq!(pool.available(), 8, "all came back");
            assert_eq!(pool.waiting(), 0);
        }
    });
}
