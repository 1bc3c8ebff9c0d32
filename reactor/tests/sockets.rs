//! What sockets do that pipes do not: urgent data, errors that pass, resets,
//! and directions watched by different reactors.

mod common;
use common::*;
use socket2::{Domain, Socket, Type};
use std::io::{self, IoSliceMut, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic::Location;
use std::task::Waker;
use std::time::Duration;
use wakeline_context::Kind;
use wakeline_reactor::{Direction, Done, Reactor, Source, count_received, recv_counted};

fn tcp_pair() -> (Source, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let there = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (here, _) = listener.accept().unwrap();
    here.set_nonblocking(true).unwrap();
    (Source::new(OwnedFd::from(here)), there)
}

async fn read_counted(source: &Source, buf: &mut [u8]) -> io::Result<usize> {
    let read = source.io(Direction::Read, Kind::Read, Location::caller(), |fd| {
        let (n, left) = recv_counted(fd, &mut [IoSliceMut::new(buf)])?;
        Ok(match left {
            Some(0) => Done::Short(n),
            _ => Done::Full(n),
        })
    });
    read.await
}

#[test]
fn urgent_data_does_not_hide_what_follows() {
    for_each_driver(|reactor| {
        let (source, there) = tcp_pair();
        count_received(source.as_fd()).unwrap();
        let there = Socket::from(there);
        let mut wait = source.ready(Direction::Read, Kind::Read, Location::caller());
        assert!(poll_once(&mut wait, Waker::noop()).is_pending());
        drop(wait);
        // A read stops at the mark, short of what there is.
        there.send(b"before").unwrap();
        there.send_out_of_band(b"!").unwrap();
        there.send(b"after").unwrap();
        let mut all = Vec::new();
        block_on(reactor, async {
            while all.len() < 11 {
                let mut buf = [0; 100];
                let n = read_counted(&source, &mut buf).await.unwrap();
                all.extend_from_slice(&buf[..n]);
            }
        });
        assert_eq!(all, b"beforeafter");
    });
}

#[test]
fn epoll_tells_a_quiet_stream_from_one_with_urgent_data() {
    for_each_driver(|reactor| {
        let (source, there) = tcp_pair();
        let there = Socket::from(there);
        let epoll = reactor.backend().name() == "epoll";
        assert!(!source.is_quiet(), "nothing is known yet");
        let read = async || {
            let mut buf = [0; 100];
            let read = source.io(Direction::Read, Kind::Read, Location::caller(), |fd| {
                Ok(Done::Short(stream(fd).read(&mut buf)?))
            });
            read.await.unwrap()
        };
        block_on(reactor, async {
            there.send(b"quiet").unwrap();
            assert_eq!(read().await, 5);
            assert_eq!(source.is_quiet(), epoll);
            there.send_out_of_band(b"!").unwrap();
            there.send(b"after").unwrap();
            assert_eq!(read().await, 5);
            assert!(!source.is_quiet());
            there.send(b"later").unwrap();
            assert_eq!(read().await, 5);
            assert!(!source.is_quiet(), "once is enough");
        });
    });
}

#[test]
fn an_error_that_passes_does_not_make_it_spin() {
    for_each_driver(|reactor| {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        // Of an address of its own, where nobody else gets the port meanwhile.
        let closed = UdpSocket::bind("127.0.0.3:0")
            .unwrap()
            .local_addr()
            .unwrap();
        socket.connect(closed).unwrap();
        socket.set_nonblocking(true).unwrap();
        let source = Source::new(OwnedFd::from(socket.try_clone().unwrap()));
        let mut calls = 0;
        let receive = |calls: &mut usize| {
            *calls += 1;
            socket.recv(&mut [0; 8]).map(Done::Full)
        };
        let read = source.io(Direction::Read, Kind::Read, Location::caller(), |_| {
            receive(&mut calls)
        });
        socket.send(b"anybody?").unwrap();
        let error = block_on(reactor, read).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
        calls = 0;
        {
            let mut again = source.io(Direction::Read, Kind::Read, Location::caller(), |_| {
                receive(&mut calls)
            });
            for _ in 0..10 {
                assert!(poll_once(&mut again, Waker::noop()).is_pending());
                reactor.turn(Some(Duration::ZERO)).unwrap();
            }
        }
        assert!(calls <= 2, "{calls} calls for nothing");
    });
}

#[test]
fn a_reset_wakes_both_directions() {
    for_each_driver(|reactor| {
        let (source, there) = tcp_pair();
        // A full send buffer, so that the writer waits.
        let filler = vec![0; 1 << 20];
        loop {
            match source.try_io(Direction::Write, |fd| {
                stream(fd).write(&filler).map(Done::Full)
            }) {
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        let (reader, writer) = (Flag::new(reactor), Flag::new(reactor));
        let mut read = source.ready(Direction::Read, Kind::Read, Location::caller());
        let mut write = source.ready(Direction::Write, Kind::Write, Location::caller());
        assert!(poll_once(&mut read, &Waker::from(reader.clone())).is_pending());
        assert!(poll_once(&mut write, &Waker::from(writer.clone())).is_pending());
        reactor.turn(Some(Duration::ZERO)).unwrap();
        Socket::from(there)
            .set_linger(Some(Duration::ZERO))
            .unwrap(); // drops it: a reset
        turn_until(reactor, || reader.count() == 1 && writer.count() == 1);
    });
}

#[test]
fn a_connect_is_over_when_the_socket_is_writable() {
    for_each_driver(|reactor| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        let _ = socket.connect(&addr.into());
        let source = Source::new(OwnedFd::from(socket.try_clone().unwrap()));
        // Writing is tried before the first wait, so the try must know what
        // "not yet" is.
        let connected = |_: BorrowedFd<'_>| {
            if let Some(error) = socket.take_error()? {
                return Err(error);
            }
            match socket.peer_addr() {
                Err(error) if error.raw_os_error() == Some(libc::ENOTCONN) => {
                    Err(std::io::ErrorKind::WouldBlock.into())
                }
                other => other.map(Done::Full),
            }
        };
        let connect = source.io(
            Direction::Write,
            Kind::Connect,
            Location::caller(),
            connected,
        );
        let peer = block_on(reactor, connect).unwrap();
        assert_eq!(peer.as_socket(), Some(addr));
    });
}

#[test]
fn each_direction_may_be_watched_by_a_reactor_of_its_own() {
    const BYTES: usize = 4 << 20;
    for kind in drivers() {
        let (source, there) = tcp_pair();
        let mut echo = there.try_clone().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(move || std::io::copy(&mut { there }, &mut echo).unwrap());
            let on_its_own_reactor = |work: &dyn Fn(&Reactor)| {
                let reactor = Reactor::new(&config(kind)).unwrap();
                let _entered = reactor.enter();
                work(&reactor);
            };
            let source = &source;
            let reader = scope.spawn(move || {
                on_its_own_reactor(&|reactor| {
                    let mut back = vec![0; BYTES];
                    block_on(reactor, read_exact(source, &mut back)).unwrap();
                    assert!(back.iter().enumerate().all(|(at, byte)| *byte == at as u8));
                });
            });
            scope.spawn(move || {
                on_its_own_reactor(&|reactor| {
                    let bytes: Vec<u8> = (0..BYTES).map(|at| at as u8).collect();
                    block_on(reactor, write_all(source, &bytes)).unwrap();
                    // Under epoll this reactor may have the watch for both:
                    // it turns until the reader is done.
                    while !reader.is_finished() {
                        reactor.turn(Some(Duration::from_millis(1))).unwrap();
                    }
                });
                reader.join().unwrap();
                // The echoing thread ends with the connection.
                Socket::from(source_clone(source))
                    .shutdown(std::net::Shutdown::Both)
                    .unwrap();
            });
        });
    }
}

fn source_clone(source: &Source) -> OwnedFd {
    std::os::fd::AsFd::as_fd(source)
        .try_clone_to_owned()
        .unwrap()
}

#[test]
fn a_half_close_is_read_as_an_end_while_writing_goes_on() {
    for_each_driver(|reactor| {
        let (source, mut there) = tcp_pair();
        there.shutdown(std::net::Shutdown::Write).unwrap();
        block_on(reactor, async {
            assert_eq!(read_some(&source, &mut [0]).await.unwrap(), 0);
            write_all(&source, b"still here").await.unwrap();
        });
        let mut text = [0; 10];
        there.read_exact(&mut text).unwrap();
        assert_eq!(&text, b"still here");
    });
}
