//! Unix sockets: paths that are left over, abstract names, who is there.

use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, socket};
use std::io::{ErrorKind, Result};
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use wakeline_net::testing::{both, on_each_driver};
use wakeline_net::{UnixDatagram, UnixListener, UnixStream};

/// A directory of its own, removed at the end.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Result<Dir> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed); // only to be unique
        let path = std::env::temp_dir().join(format!("wakeline-{}-{n}", std::process::id()));
        std::fs::create_dir(&path)?;
        Ok(Dir(path))
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn greet(listener: &UnixListener, path: &std::path::Path) -> Result<()> {
    let (client, accepted) = both(UnixStream::connect(path), listener.accept()).await;
    let (client, (server, _)) = (client?, accepted?);
    client.write(b"x").await?;
    assert_eq!(server.read(&mut [0; 8]).await?, 1);
    Ok(())
}

#[test]
fn a_path_that_is_taken_is_told_with_what_to_try() {
    on_each_driver(|| async {
        let dir = Dir::new()?;
        let path = dir.0.join("a.sock");
        let listener = UnixListener::bind(&path)?;
        greet(&listener, &path).await?;
        let error = UnixListener::bind(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert!(error.to_string().contains("a.sock"), "{error}");
        assert!(
            error.to_string().contains("bind_replacing_stale"),
            "{error}"
        );
        Ok(())
    });
}

#[test]
fn only_a_stale_socket_is_replaced() {
    on_each_driver(|| async {
        let dir = Dir::new()?;
        let path = dir.0.join("a.sock");
        drop(std::os::unix::net::UnixListener::bind(&path)?);
        let listener = UnixListener::bind_replacing_stale(&path)?;
        greet(&listener, &path).await?;

        let error = UnixListener::bind_replacing_stale(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse, "a server runs there");
        assert!(error.to_string().contains("a server listens"), "{error}");
        // It has seen the attempt as a connection that ended at once.
        let (attempt, _) = listener.accept().await?;
        assert_eq!(attempt.read(&mut [0; 8]).await?, 0);
        greet(&listener, &path).await?;

        let file = dir.0.join("precious");
        std::fs::write(&file, "data")?;
        let error = UnixListener::bind_replacing_stale(&file).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse, "it is no socket");
        let text = error.to_string();
        assert!(text.contains("is no socket"), "{text}");
        assert!(!text.contains("bind_replacing_stale"), "{text}");
        assert_eq!(std::fs::read_to_string(&file)?, "data");
        let text = UnixStream::connect(&file).await.unwrap_err().to_string();
        assert!(text.contains("no socket"), "{text}");

        let datagrams = dir.0.join("datagrams");
        let _socket = std::os::unix::net::UnixDatagram::bind(&datagrams)?;
        let error = UnixListener::bind_replacing_stale(&datagrams).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse, "it is of another type");
        let text = error.to_string();
        assert!(text.contains("another type"), "{text}");
        assert!(!text.contains("bind_replacing_stale"), "{text}");
        Ok(())
    });
}

#[test]
fn a_path_is_removed_on_drop_only_if_it_is_still_ours() {
    on_each_driver(|| async {
        let dir = Dir::new()?;
        let path = dir.0.join("a.sock");
        let mut first = UnixListener::bind(&path)?;
        first.unlink_on_drop(true)?;
        std::fs::rename(&path, dir.0.join("moved.sock"))?;
        let second = UnixListener::bind(&path)?;
        drop(first);
        assert!(path.exists(), "it is the second one's");
        greet(&second, &path).await
    });
}

#[test]
fn an_abstract_name_connects_and_is_shown() {
    on_each_driver(|| async {
        let name = format!("wakeline-test-{}", std::process::id());
        let addr = SocketAddr::from_abstract_name(&name)?;
        let listener = UnixListener::bind_addr(&addr)?;
        assert_eq!(
            listener.local_addr()?.as_abstract_name(),
            Some(name.as_bytes())
        );
        let (client, accepted) = both(UnixStream::connect_addr(&addr), listener.accept()).await;
        let (client, (server, peer)) = (client?, accepted?);
        assert!(peer.is_unnamed());
        assert_eq!(
            client.peer_addr()?.as_abstract_name(),
            Some(name.as_bytes())
        );
        let cred = server.peer_cred()?;
        assert_eq!(cred.pid, i32::try_from(std::process::id()).ok());
        // The name is free again as soon as its listener is gone.
        drop((client, server, listener));
        wakeline_net::testing::yield_times(3).await;
        drop(UnixListener::bind_addr(&addr)?);
        wakeline_net::testing::yield_times(3).await;
        Ok(())
    });
}

#[test]
fn a_connect_waits_while_the_listeners_queue_is_full() {
    on_each_driver(|| async {
        let dir = Dir::new()?;
        let path = dir.0.join("a.sock");
        let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
        socket.bind(&socket2::SockAddr::unix(&path)?)?;
        socket.listen(0)?;
        let listener = UnixListener::from_std(socket.into())?;
        let (first, second) = (UnixStream::connect(&path), UnixStream::connect(&path));
        let accept = async {
            wakeline_net::testing::yield_times(3).await;
            let first = listener.accept().await?;
            let second = listener.accept().await?;
            Result::Ok((first, second))
        };
        let ((first, second), accepted) = both(both(first, second), accept).await;
        drop((first?, second?, accepted?));
        Ok(())
    });
}

#[test]
fn a_connect_to_nothing_says_what_to_look_at() {
    on_each_driver(|| async {
        let dir = Dir::new()?;
        let path = dir.0.join("nothing.sock");
        let error = UnixStream::connect(&path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(
            error.to_string().contains("is the server running"),
            "{error}"
        );
        Ok(())
    });
}

#[test]
fn datagrams_keep_their_borders_and_wait_for_room() {
    on_each_driver(|| async {
        let dir = Dir::new()?;
        let path = dir.0.join("d.sock");
        let server = UnixDatagram::bind(&path)?;
        let client = UnixDatagram::unbound()?;
        client.try_send_to(b"one", &path)?;
        client.connect(&path)?;
        let mut buf = [0; 16];
        let (n, from) = server.recv_from(&mut buf).await?;
        assert_eq!(&buf[..n], b"one");
        assert!(from.is_unnamed());

        let send = async {
            for i in 0..1_000_u16 {
                client.send(&i.to_be_bytes()).await?;
            }
            Result::Ok(())
        };
        let receive = async {
            let mut buf = [0; 16];
            for i in 0..1_000_u16 {
                assert_eq!(server.recv(&mut buf).await?, 2);
                assert_eq!(buf[..2], i.to_be_bytes());
            }
            Result::Ok(())
        };
        let (sent, received) = both(send, receive).await;
        sent?;
        received
    });
}

#[test]
fn a_datagram_to_a_full_queue_waits_for_room() {
    on_each_driver(|| async {
        let dir = Dir::new()?;
        let path = dir.0.join("d.sock");
        let server = UnixDatagram::bind(&path)?;
        let client = UnixDatagram::unbound()?;
        while client.try_send_to(b"fill", &path).is_ok() {}
        let send = client.send_to(b"last", &path);
        let receive = async {
            let mut buf = [0; 16];
            loop {
                let n = server.recv(&mut buf).await?;
                if &buf[..n] == b"last" {
                    return Result::Ok(());
                }
            }
        };
        let (sent, received) = both(send, receive).await;
        assert_eq!(sent?, 4);
        received
    });
}

/// A path of 108 bytes fills its place, and the kernel tells it with one byte more.
#[test]
fn a_peer_whose_path_fills_its_place_is_served() {
    on_each_driver(|| async {
        let dir = Dir::new()?;
        let mut long = dir.0.join("a").into_os_string();
        long.push("a".repeat(108 - long.len()));
        let from = SocketAddrUnix::new(&*long)?;
        let path = dir.0.join("s.sock");
        let listener = UnixListener::bind(&path)?;
        let client = socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
        rustix::net::bind(&client, &from)?;
        rustix::net::connect(&client, &SocketAddrUnix::new(&path)?)?;
        let (accepted, peer) = listener.accept().await?;
        assert!(peer.is_unnamed(), "std has no name for it: {peer:?}");
        assert!(accepted.peer_addr()?.is_unnamed());
        client_says(&client)?;
        assert_eq!(accepted.read(&mut [0; 8]).await?, 1);

        std::fs::remove_file(&long)?;
        let path = dir.0.join("d.sock");
        let server = UnixDatagram::bind(&path)?;
        let client = socket(AddressFamily::UNIX, SocketType::DGRAM, None)?;
        rustix::net::bind(&client, &from)?;
        rustix::net::connect(&client, &SocketAddrUnix::new(&path)?)?;
        client_says(&client)?;
        let (n, from) = server.recv_from(&mut [0; 8]).await?;
        assert!(n == 1 && from.is_unnamed(), "{from:?}");
        Ok(())
    });
}

#[test]
fn a_path_that_is_too_long_is_named_whatever_it_was_for() {
    on_each_driver(|| async {
        let long = PathBuf::from(format!("/tmp/{}", "a".repeat(103)));
        let datagram = UnixDatagram::unbound()?;
        let errors = [
            ("bind", UnixListener::bind(&long).map(drop)),
            ("bind", UnixListener::bind_replacing_stale(&long).map(drop)),
            ("bind", UnixDatagram::bind(&long).map(drop)),
            ("connect", UnixStream::connect(&long).await.map(drop)),
            ("connect", datagram.connect(&long)),
            ("send to", datagram.send_to(b"x", &long).await.map(drop)),
            ("send to", datagram.try_send_to(b"x", &long).map(drop)),
        ];
        for (doing, error) in errors {
            let error = error.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            let text = error.to_string();
            let names = format!("{doing} {}: ", long.display());
            assert!(
                text.starts_with(&names) && text.ends_with("working directory"),
                "{text}"
            );
        }
        Ok(())
    });
}

fn client_says(client: &OwnedFd) -> Result<()> {
    assert_eq!(rustix::io::write(client, b"x")?, 1);
    Ok(())
}
