//! What was opened in the `block_on` of one runtime lives on in another one, and
//! ends outside of any: nothing depends on a reactor that nobody turns.

mod support;

use std::future::poll_fn;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use support::for_each_backend;
use wakeline::Runtime;
use wakeline::future::join_all;
use wakeline::net::TcpStream;
use wakeline::time::sleep;

/// A connection of `runtime` that has waited for a first byte, and its peer.
fn connected(runtime: &Runtime) -> (TcpStream, std::net::TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let stream = runtime.block_on(TcpStream::connect(addr)).unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    let echo = std::thread::spawn(move || {
        let mut byte = [0];
        peer.read_exact(&mut byte).unwrap();
        peer.write_all(&byte).unwrap();
        peer
    });
    runtime.block_on(async {
        stream.write(b"1").await.unwrap();
        assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 1);
    });
    (stream, echo.join().unwrap())
}

#[test]
fn a_connection_of_one_runtime_is_read_in_another() {
    for_each_backend(|backend| {
        let (first, second) = (backend.runtime(1), backend.runtime(1));
        let (stream, mut peer) = connected(&first);
        let echo = std::thread::spawn(move || {
            peer.read_exact(&mut [0]).unwrap();
            peer.write_all(b"2").unwrap();
        });
        second.block_on(async {
            stream.write(b"2").await.unwrap();
            assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 1);
        });
        echo.join().unwrap();
    });
}

#[test]
fn a_connection_dropped_outside_of_its_runtime_is_closed() {
    for_each_backend(|backend| {
        let first = backend.runtime(1);
        let (stream, mut peer) = connected(&first);
        drop(stream);
        assert_eq!(peer.read(&mut [0]).unwrap(), 0, "on this thread");

        let (stream, mut peer) = connected(&first);
        std::thread::spawn(move || drop(stream)).join().unwrap();
        assert_eq!(peer.read(&mut [0]).unwrap(), 0, "on another");

        let (stream, mut peer) = connected(&first);
        first.block_on(async move { drop(stream) });
        assert_eq!(peer.read(&mut [0]).unwrap(), 0, "as the last thing inside");
    });
}

/// Polls only who was woken, as `join_all` does.
#[test]
fn a_sleep_of_one_runtime_goes_on_in_another() {
    for_each_backend(|backend| {
        let (first, second) = (backend.runtime(1), backend.runtime(1));
        let nap = Duration::from_millis(1);
        let mut both = Box::pin(join_all([nap, nap].map(sleep)));
        first.block_on(poll_fn(|cx| {
            assert!(both.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        }));
        second.block_on(both);
    });
}

/// A turn at a time, timers stay where they are.
#[test]
fn a_loop_of_turns_polls_no_sleeper_before_its_time() {
    for_each_backend(|backend| {
        let runtime = backend.runtime(1);
        let polls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&polls);
        let nap = runtime.spawn(async move {
            let mut sleep = pin!(sleep(Duration::from_millis(1)));
            poll_fn(|cx| {
                counted.fetch_add(1, Ordering::Relaxed);
                sleep.as_mut().poll(cx)
            })
            .await;
        });
        while !nap.is_finished() {
            runtime.poll_once(Duration::ZERO).unwrap();
        }
        assert_eq!(polls.load(Ordering::Relaxed), 2, "the first and the last");
    });
}
