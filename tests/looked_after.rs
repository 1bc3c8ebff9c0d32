//! A worker that runs one task for long is looked after: its sockets are read by another.

mod support;

use std::future::Future;
use std::hint::spin_loop;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use support::{Backend, for_each_backend};
use wakeline::io::{AsyncReadExt, AsyncWriteExt};
use wakeline::net::UnixStream;
use wakeline::{spawn, yield_now};

/// How often it is tried: of the first long runs nobody knows.
const TRIES: usize = 1_000;
/// How long a worker computes at most, for the sake of one try.
const TIME: Duration = Duration::from_millis(20);

/// Computes until `done`; whether it is.
fn compute(done: impl Fn() -> bool) -> bool {
    let end = Instant::now() + TIME;
    while !done() && Instant::now() < end {
        spin_loop();
    }
    done()
}

/// A future that counts its polls.
struct Counted<F>(Pin<Box<F>>, Arc<AtomicUsize>);

impl<F: Future> Future for Counted<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let polled = self.0.as_mut().poll(cx);
        self.1.fetch_add(1, SeqCst);
        polled
    }
}

/// One message for a reader whose socket this worker watches, while the worker computes:
/// whether it was read meanwhile.
async fn is_read_meanwhile() -> bool {
    let (mut here, mut there) = UnixStream::pair().expect("a pair");
    let (polls, read) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let tell = Arc::clone(&read);
    let mut reader = Counted(
        Box::pin(async move {
            here.read_exact(&mut [0; 3]).await.expect("three bytes");
            tell.store(true, SeqCst);
        }),
        Arc::clone(&polls),
    );
    // Here it is polled first, so here its socket is watched.
    std::future::poll_fn(|cx| {
        assert!(Pin::new(&mut reader).poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
    let reader = spawn(reader);
    // And then by the other worker: this one does not come to it. To write is no wait.
    let waits = compute(|| polls.load(SeqCst) > 1);
    let written = there.write_all(b"abc");
    let mut written = std::pin::pin!(written);
    std::future::poll_fn(|cx| {
        assert!(written.as_mut().poll(cx).is_ready());
        Poll::Ready(())
    })
    .await;
    let meanwhile = compute(|| read.load(SeqCst)) && waits;
    reader.await.expect("no panic");
    meanwhile
}

#[test]
fn a_socket_is_read_while_its_worker_computes() {
    for_each_backend(|backend: Backend| {
        let runtime = backend.runtime(2);
        runtime.block_on(async {
            let tries = spawn(async {
                for _ in 0..TRIES {
                    if is_read_meanwhile().await {
                        return true;
                    }
                    yield_now().await;
                }
                false
            });
            assert!(tries.await.expect("no panic"), "{TRIES} times it was not");
        });
    });
}
