//! `net::serve`: its cap, its grace, and what it does about handlers that fail.

mod support;

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use support::for_each_backend;
use wakeline::debug::{DebugConfig, Finding};
use wakeline::io::{AsyncReadExt, AsyncWriteExt};
use wakeline::net::{TcpListener, TcpStream, UnixListener, UnixStream, serve};
use wakeline::spawn;

async fn echo_once(mut stream: TcpStream) -> io::Result<()> {
    let mut buf = [0; 16];
    let n = stream.read(&mut buf).await?;
    stream.write_all(&buf[..n]).await
}

async fn round_trip(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(b"ping").await?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).await?;
    assert_eq!(&answer, b"ping");
    Ok(())
}

#[test]
fn each_connection_is_counted_once_in_the_report() {
    for_each_backend(|backend| {
        let runtime = backend.runtime(2);
        let told = Arc::new(Mutex::new(Vec::new()));
        let (tell, from) = mpsc::channel();
        let report = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let clients = spawn(async move {
                for word in [*b"good", *b"fail", *b"boom", *b"good"] {
                    let mut stream = TcpStream::connect(address).await.unwrap();
                    tell.send(stream.local_addr().unwrap()).unwrap();
                    stream.write_all(&word).await.unwrap();
                    // The end of the stream: the server is done with this one.
                    let mut rest = Vec::new();
                    let _ = stream.read_to_end(&mut rest).await;
                }
            });
            let handler = |mut stream: TcpStream, _peer| async move {
                let mut word = [0; 4];
                stream.read_exact(&mut word).await?;
                match &word {
                    b"fail" => Err(io::ErrorKind::InvalidData.into()),
                    b"boom" => panic!("on purpose"),
                    _ => Ok(()),
                }
            };
            let told = Arc::clone(&told);
            serve(listener, handler)
                .on_error(move |error| told.lock().unwrap().push(error.to_string()))
                .with_shutdown(async { clients.await.unwrap() })
                .await
        });
        assert_eq!(
            (
                report.accepted,
                report.finished,
                report.panicked,
                report.aborted
            ),
            (4, 2, 1, 0)
        );
        assert_eq!(report.errors["invalid data"], 1);
        let from: Vec<_> = from.iter().collect();
        assert_eq!(
            *told.lock().unwrap(),
            [
                format!("connection of {}: invalid data", from[1]),
                format!("the handler of {} panicked: on purpose", from[2])
            ]
        );
    });
}

/// So many, one after the other, each until its end; and from where.
async fn clients(address: SocketAddr, many: usize) -> Vec<SocketAddr> {
    let mut from = Vec::new();
    for _ in 0..many {
        let mut stream = TcpStream::connect(address).await.unwrap();
        from.push(stream.local_addr().unwrap());
        let _ = stream.read_to_end(&mut Vec::new()).await;
    }
    from
}

#[test]
fn without_a_hook_the_runtime_is_told_of_what_handlers_fail_with() {
    for_each_backend(|backend| {
        let (tell, told) = mpsc::channel();
        let (tell_all, told_all) = mpsc::channel();
        let builder = backend.builder().workers(1);
        let runtime = builder
            .on_unobserved(move |failure| {
                let (at, text) = (failure.spawned_at(), failure.to_string());
                tell.send((at.file(), at.line(), text)).unwrap();
            })
            .debug(DebugConfig::new().on_report(move |report| {
                let Finding::Unobserved { message, .. } = &report.finding else {
                    return;
                };
                tell_all.send(message.clone()).unwrap();
            }))
            .build()
            .unwrap();
        let line = AtomicU32::new(0);
        let (tell_from, from) = mpsc::channel();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let clients = spawn(clients(address, 2));
            let first = AtomicBool::new(true);
            let handler = move |_stream, _peer| {
                assert!(first.swap(false, Ordering::Relaxed), "on purpose");
                async { Err(io::ErrorKind::InvalidData.into()) }
            };
            line.store(line!() + 1, Ordering::Relaxed);
            serve(listener, handler)
                .with_shutdown(async move { tell_from.send(clients.await.unwrap()).unwrap() })
                .await
        });
        let from = from.recv().expect("the clients have ended");
        let panicked = format!("the handler of {} panicked: on purpose", from[1]);
        let told: Vec<_> = told.try_iter().collect();
        let line = line.into_inner();
        assert_eq!(told, [(file!(), line, panicked.clone())]);
        // How often this happens is up to the clients.
        let told: Vec<String> = told_all.try_iter().collect();
        let failed = format!("connection of {}: invalid data", from[0]);
        assert_eq!(told, [failed, panicked]);
    });
}

/// What a client says may be in a handler's error, so clients must not make it grow.
#[test]
fn errors_of_many_texts_are_counted_in_bounded_room() {
    const CLIENTS: usize = 100;
    for_each_backend(|backend| {
        let report = backend.runtime(1).block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let clients = spawn(clients(address, CLIENTS));
            let served = AtomicUsize::new(0);
            let handler = move |_stream, _peer| {
                let nth = served.fetch_add(1, Ordering::Relaxed); // only to be another
                let text = format!("{nth}: {}", "\u{e9}".repeat(5_000));
                async { Err(io::Error::other(text)) }
            };
            serve(listener, handler)
                .with_shutdown(async { drop(clients.await.unwrap()) })
                .await
        });
        let texts: usize = report.errors.keys().map(String::len).sum();
        assert!(report.errors.len() <= 65 && texts < 20_000, "{texts} bytes");
        assert_eq!(report.errors.values().sum::<u64>(), CLIENTS as u64);
        assert_eq!(report.errors["other errors"], 36);
    });
}

#[test]
fn a_hook_that_panics_does_not_end_the_server() {
    for_each_backend(|backend| {
        let report = backend.runtime(1).block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let clients = spawn(clients(address, 2));
            serve(listener, |_stream, _peer| async {
                Err(io::ErrorKind::InvalidData.into())
            })
            .on_error(|_| panic!("in the hook"))
            .with_shutdown(async { drop(clients.await.unwrap()) })
            .await
        });
        assert_eq!((report.accepted, report.errors["invalid data"]), (2, 2));
    });
}

#[test]
fn at_the_cap_nobody_is_accepted_until_one_ends() {
    for_each_backend(|backend| {
        let runtime = backend.runtime(2);
        let report = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let open = Arc::new(AtomicUsize::new(0));
            let clients = spawn(async move {
                let mut tasks = Vec::new();
                for _ in 0..20 {
                    tasks.push(spawn(async move {
                        let mut stream = TcpStream::connect(address).await.unwrap();
                        round_trip(&mut stream).await.unwrap();
                    }));
                }
                for task in tasks {
                    task.await.unwrap();
                }
            });
            let handler = move |stream: TcpStream, _peer| {
                let open = Arc::clone(&open);
                async move {
                    assert!(open.fetch_add(1, Ordering::SeqCst) < 3, "more than the cap");
                    let result = echo_once(stream).await;
                    open.fetch_sub(1, Ordering::SeqCst);
                    result
                }
            };
            serve(listener, handler)
                .max_connections(3)
                .with_shutdown(async { clients.await.unwrap() })
                .await
        });
        assert_eq!((report.accepted, report.finished), (20, 20), "{report:?}");
        assert!(report.active_peak <= 3);
    });
}

#[test]
fn after_the_grace_the_open_ones_are_aborted_and_awaited() {
    for_each_backend(|backend| {
        struct OnDrop(Arc<AtomicUsize>);
        impl Drop for OnDrop {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let dropped = Arc::new(AtomicUsize::new(0));
        let started = Arc::new(AtomicUsize::new(0));
        let (report, seen) = backend.runtime(2).block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let stop = {
                let started = Arc::clone(&started);
                async move {
                    let _clients = [
                        TcpStream::connect(address).await.unwrap(),
                        TcpStream::connect(address).await.unwrap(),
                    ];
                    while started.load(Ordering::SeqCst) < 2 {
                        wakeline::yield_now().await;
                    }
                }
            };
            let handler = {
                let (dropped, started) = (Arc::clone(&dropped), Arc::clone(&started));
                move |_stream, _peer| {
                    let guard = OnDrop(Arc::clone(&dropped));
                    started.fetch_add(1, Ordering::SeqCst);
                    async move {
                        let _guard = guard;
                        pending().await
                    }
                }
            };
            let report = serve(listener, handler)
                .grace(Duration::from_millis(1))
                .with_shutdown(stop)
                .await;
            (report, dropped.load(Ordering::SeqCst))
        });
        assert_eq!((report.accepted, report.aborted), (2, 2));
        assert_eq!(seen, 2, "a connection outlived its server");
    });
}

#[test]
fn a_dropped_server_takes_its_connections_along() {
    for_each_backend(|backend| {
        backend.runtime(2).block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let server =
                spawn(async move { serve(listener, |stream, _peer| echo_for_ever(stream)).await });
            let mut stream = TcpStream::connect(address).await.unwrap();
            round_trip(&mut stream).await.unwrap();
            server.abort();
            assert!(server.await.is_err());
            // End of stream, or a reset.
            let _ = stream.read(&mut [0]).await;
            // The worker that watched the listener closes it, perhaps a moment
            // later: what matters is that it comes.
            while TcpStream::connect(address).await.is_ok() {
                wakeline::yield_now().await;
            }
        });
    });
}

async fn echo_for_ever(mut stream: TcpStream) -> io::Result<()> {
    let mut buf = [0; 64];
    loop {
        let n = stream.read(&mut buf).await?;
        stream.write_all(&buf[..n]).await?;
    }
}

#[test]
fn unix_sockets_are_served_alike() {
    for_each_backend(|backend| {
        let path = std::env::temp_dir().join(format!(
            "wakeline-serve-{}-{}",
            std::process::id(),
            backend.name()
        ));
        let report = backend.runtime(1).block_on(async {
            let listener = UnixListener::bind(&path).unwrap();
            let client = {
                let path = path.clone();
                async move {
                    let mut stream = UnixStream::connect(&path).await.unwrap();
                    stream.write_all(b"ping").await.unwrap();
                    let mut answer = [0; 4];
                    stream.read_exact(&mut answer).await.unwrap();
                    assert_eq!(&answer, b"ping");
                }
            };
            let handler = |mut stream: UnixStream, _peer| async move {
                let mut buf = [0; 4];
                stream.read_exact(&mut buf).await?;
                stream.write_all(&buf).await
            };
            serve(listener, handler).with_shutdown(client).await
        });
        let _ = std::fs::remove_file(&path);
        assert_eq!((report.accepted, report.finished), (1, 1), "{report:?}");
    });
}

#[test]
fn who_has_connected_before_the_stop_is_served() {
    // More than the units of a poll, and no turn of the reactor before the stop.
    const CLIENTS: usize = 200;
    for_each_backend(|backend| {
        let runtime = backend.runtime(2);
        let report = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let clients: Vec<_> = (0..CLIENTS)
                .map(|_| std::net::TcpStream::connect(address).unwrap())
                .collect();
            let report = serve(listener, |_stream: TcpStream, _peer| async { Ok(()) })
                .with_shutdown(async {})
                .await;
            drop(clients);
            report
        });
        assert_eq!(report.accepted, CLIENTS as u64);
    });
}
