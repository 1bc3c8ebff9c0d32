//! Whoever ends many tasks at once ends them all, though a waker of one panics.

use super::Panics;
use crate::support::for_each_backend;
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;
use wakeline::net::{TcpListener, TcpStream, serve};
use wakeline::sync::mpsc;
use wakeline::time::timeout;
use wakeline::{current_token, scope, yield_now};

const LIMIT: Duration = Duration::from_secs(60);

/// Waits for its task's own cancel, with a waker that panics; tells of its end.
async fn waits(tell: mpsc::Sender<()>) {
    let mut cancelled = pin!(current_token().cancelled());
    let waker = Waker::from(Arc::new(Panics::default()));
    let mut told = false;
    poll_fn(|_| {
        let polled = cancelled.as_mut().poll(&mut Context::from_waker(&waker));
        if !std::mem::replace(&mut told, true) {
            tell.try_send(()).expect("there is room");
        }
        polled.map(drop)
    })
    .await;
    pending::<()>().await;
}

#[test]
fn a_scope_that_fails_ends_all_its_tasks() {
    for_each_backend(|backend| {
        for workers in [1, 2] {
            let result = backend.runtime(workers).block_on(async {
                let (tell, mut told) = mpsc::channel(3);
                let scoped = scope(|s| async move {
                    for _ in 0..3 {
                        let tell = tell.clone();
                        s.spawn_task(async move {
                            waits(tell).await;
                            Ok(())
                        });
                    }
                    drop(tell);
                    for _ in 0..3 {
                        told.recv().await.expect("it runs");
                    }
                    Err::<(), _>("the body's")
                });
                timeout(LIMIT, scoped).await.expect("all are ended")
            });
            let error = result.expect_err("the body failed");
            assert_eq!(error.to_string(), "the body's");
        }
    });
}

#[test]
fn a_server_whose_grace_is_over_ends_all_its_connections() {
    for_each_backend(|backend| {
        for workers in [1, 2] {
            let report = backend.runtime(workers).block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
                let address = listener.local_addr().expect("its address");
                let (tell, mut told) = mpsc::channel(3);
                let served = serve(listener, move |_stream, _peer| {
                    let tell = tell.clone();
                    async move {
                        waits(tell).await;
                        Ok::<_, std::io::Error>(())
                    }
                })
                .grace(Duration::ZERO)
                .with_shutdown(async move {
                    let mut clients = Vec::new();
                    for _ in 0..3 {
                        clients.push(TcpStream::connect(address).await.expect("served"));
                        told.recv().await.expect("it runs");
                    }
                    yield_now().await;
                });
                timeout(LIMIT, served.into_future())
                    .await
                    .expect("all are ended")
            });
            assert_eq!(report.aborted, 3);
        }
    });
}
