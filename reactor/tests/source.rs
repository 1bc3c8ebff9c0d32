//! Sources: waiting, short reads, closes, and what dropping one does.

mod common;
use common::*;
use std::io::{Read, Write};
use std::panic::Location;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use wakeline_context::Kind;
use wakeline_reactor::{Direction, Done, DriverKind, Reactor, Source};

#[test]
fn bytes_go_both_ways_through_full_buffers() {
    for_each_driver(|reactor| {
        let (a, b) = pair();
        let sent: Vec<u8> = (0..1_000_000_u32).map(|n| n as u8).collect();
        let echo = async {
            let mut left = sent.len();
            let mut buf = vec![0; 10_000];
            while left > 0 {
                let n = read_some(&b, &mut buf).await.unwrap();
                write_all(&b, &buf[..n]).await.unwrap();
                left -= n;
            }
        };
        let mut back = vec![0; sent.len()];
        let client = async {
            let (wrote, read) = join(write_all(&a, &sent), read_exact(&a, &mut back)).await;
            wrote.unwrap();
            read.unwrap();
        };
        block_on(reactor, join(echo, client));
        assert!(back == sent);
        assert_eq!(reactor.metrics().stale, 0);
    });
}

#[test]
fn nothing_is_registered_before_the_first_wait() {
    for_each_driver(|reactor| {
        let (source, mut other) = half_pair();
        assert_eq!(reactor.metrics().armed, 0);
        // A write is tried at once.
        block_on(reactor, write_all(&source, b"hi")).unwrap();
        assert_eq!(reactor.metrics().armed, 0);
        let mut two = [0; 2];
        other.read_exact(&mut two).unwrap();
        assert_eq!(&two, b"hi");
    });
}

#[test]
fn who_waits_to_read_hears_nothing_of_room_to_write() {
    for_each_driver(|reactor| {
        let (source, mut other) = half_pair();
        let _entered = reactor.enter();
        let mut read = source.ready(Direction::Read, Kind::Read, Location::caller());
        assert!(poll_once(&mut read, Waker::noop()).is_pending());
        for _ in 0..3 {
            source
                .try_io(Direction::Write, |fd| {
                    Ok(Done::Full(stream(fd).write(b"x")?))
                })
                .unwrap();
            other.read_exact(&mut [0]).unwrap();
            let turn = reactor.turn(Some(Duration::ZERO)).unwrap();
            assert_eq!((turn.events, turn.woken), (0, 0));
        }
        other.write_all(b"y").unwrap();
        turn_until(reactor, || poll_once(&mut read, Waker::noop()).is_ready());
    });
}

#[test]
fn a_wait_to_write_is_added_to_a_wait_to_read() {
    for_each_driver(|reactor| {
        let (source, mut other) = half_pair();
        let _entered = reactor.enter();
        let mut read = source.ready(Direction::Read, Kind::Read, Location::caller());
        assert!(poll_once(&mut read, Waker::noop()).is_pending());
        let fill = || {
            source.io(Direction::Write, Kind::Write, Location::caller(), |fd| {
                Ok(Done::Full(stream(fd).write(&[7; 10_000])?))
            })
        };
        let mut sent = 0;
        let mut write = loop {
            let mut write = fill();
            match poll_once(&mut write, Waker::noop()) {
                Poll::Ready(n) => sent += n.unwrap(),
                Poll::Pending => break write,
            }
        };
        other.read_exact(&mut vec![0; sent]).unwrap();
        turn_until(reactor, || poll_once(&mut write, Waker::noop()).is_ready());
        assert!(poll_once(&mut read, Waker::noop()).is_pending());
        other.write_all(b"y").unwrap();
        turn_until(reactor, || poll_once(&mut read, Waker::noop()).is_ready());
    });
}

#[test]
fn an_end_of_file_is_read_without_waiting_again() {
    for_each_driver(|reactor| {
        let (source, mut other) = half_pair();
        other.write_all(b"last").unwrap();
        drop(other);
        let mut buf = [0; 100];
        block_on(reactor, async {
            assert_eq!(read_some(&source, &mut buf).await.unwrap(), 4);
            for _ in 0..3 {
                assert_eq!(read_some(&source, &mut buf).await.unwrap(), 0);
            }
        });
    });
}

#[test]
fn a_short_read_spares_the_read_that_would_find_nothing() {
    for_each_driver(|reactor| {
        let (source, mut other) = half_pair();
        let mut calls = 0;
        for round in 1..=10 {
            other.write_all(b"message").unwrap();
            let read = source.io(Direction::Read, Kind::Read, Location::caller(), |fd| {
                calls += 1;
                let n = stream(fd).read(&mut [0; 100])?;
                Ok(Done::Short(n))
            });
            block_on(reactor, read).unwrap();
            assert_eq!(calls, round, "one call a message");
        }
    });
}

#[test]
fn every_waiter_of_a_direction_is_woken() {
    for_each_driver(|reactor| {
        let (source, mut other) = half_pair();
        let flags: Vec<_> = (0..3).map(|_| Flag::new(reactor)).collect();
        let mut futures: Vec<_> = flags
            .iter()
            .map(|_| source.ready(Direction::Read, Kind::Read, Location::caller()))
            .collect();
        for (future, flag) in futures.iter_mut().zip(&flags) {
            assert!(poll_once(future, &Waker::from(Arc::clone(flag))).is_pending());
        }
        let slot = Flag::new(reactor);
        let waker = Waker::from(Arc::clone(&slot));
        let polled = source.poll_io(&mut Context::from_waker(&waker), Direction::Read, |_| {
            Ok(Done::Full(()))
        });
        assert!(polled.is_pending());
        other.write_all(b"x").unwrap();
        turn_until(reactor, || slot.count() == 1);
        assert!(flags.iter().all(|flag| flag.count() == 1));
    });
}

#[test]
fn a_dropped_future_is_not_woken() {
    for_each_driver(|reactor| {
        let (source, mut other) = half_pair();
        let (gone, kept) = (Flag::new(reactor), Flag::new(reactor));
        let mut first = source.ready(Direction::Read, Kind::Read, Location::caller());
        let mut second = source.ready(Direction::Read, Kind::Read, Location::caller());
        assert!(poll_once(&mut first, &Waker::from(Arc::clone(&gone))).is_pending());
        assert!(poll_once(&mut second, &Waker::from(Arc::clone(&kept))).is_pending());
        drop(first);
        other.write_all(b"x").unwrap();
        turn_until(reactor, || kept.count() == 1);
        assert_eq!(gone.count(), 0);
        assert_eq!(Arc::strong_count(&gone), 1, "its waker is gone too");
    });
}

#[test]
fn the_peer_sees_the_end_when_a_waiting_source_is_dropped() {
    for_each_driver(|reactor| {
        let (source, mut other) = half_pair();
        let flag = Waker::noop();
        let mut wait = source.ready(Direction::Read, Kind::Read, Location::caller());
        assert!(poll_once(&mut wait, flag).is_pending());
        reactor.turn(Some(Duration::ZERO)).unwrap();
        drop(wait);
        drop(source);
        turn_until(reactor, || reactor.metrics().armed == 0);
        assert_eq!(other.read(&mut [0]).unwrap(), 0);
    });
}

/// Its drop is foreign code.
struct PanicsInDrop;

impl std::task::Wake for PanicsInDrop {
    fn wake(self: Arc<Self>) {}
}

impl Drop for PanicsInDrop {
    fn drop(&mut self) {
        panic!("by the waker");
    }
}

#[test]
fn the_peer_sees_the_end_also_when_the_drop_of_a_waker_panics() {
    for_each_driver(|reactor| {
        let (source, mut other) = half_pair();
        other.set_nonblocking(true).unwrap();
        let waker = Waker::from(Arc::new(PanicsInDrop));
        let op = |_: std::os::fd::BorrowedFd<'_>| -> std::io::Result<Done<()>> {
            Err(std::io::ErrorKind::WouldBlock.into())
        };
        let mut cx = Context::from_waker(&waker);
        assert!(source.poll_io(&mut cx, Direction::Read, op).is_pending());
        drop(waker);
        reactor.turn(Some(Duration::ZERO)).unwrap();
        let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(source)));
        assert!(dropped.is_err());
        turn_until(reactor, || reactor.metrics().armed == 0);
        assert_eq!(other.read(&mut [0]).unwrap(), 0);
    });
}

#[test]
fn the_peer_sees_the_end_when_a_source_is_dropped_on_another_thread() {
    for_each_driver(|reactor| {
        let (source, mut other) = half_pair();
        let mut wait = source.ready(Direction::Read, Kind::Read, Location::caller());
        assert!(poll_once(&mut wait, Waker::noop()).is_pending());
        drop(wait);
        reactor.turn(Some(Duration::ZERO)).unwrap();
        let thread = std::thread::spawn(move || drop(source));
        // The message ends this sleep, or the next.
        while reactor.metrics().armed > 0 {
            reactor.turn(None).unwrap();
        }
        thread.join().unwrap();
        assert_eq!(other.read(&mut [0]).unwrap(), 0);
    });
}

#[test]
fn a_source_gives_its_descriptor_back() {
    for_each_driver(|reactor| {
        let (source, mut other) = half_pair();
        let mut wait = source.ready(Direction::Read, Kind::Read, Location::caller());
        assert!(poll_once(&mut wait, Waker::noop()).is_pending());
        reactor.turn(Some(Duration::ZERO)).unwrap();
        drop(wait);
        let fd = source.into_fd().unwrap();
        turn_until(reactor, || reactor.metrics().armed == 0);
        other.write_all(b"x").unwrap();
        // It can be watched again, also by the same reactor.
        let source = Source::new(fd);
        assert_eq!(block_on(reactor, read_some(&source, &mut [0])).unwrap(), 1);
    });
}

#[test]
fn try_io_calls_only_when_something_is_known() {
    for_each_driver(|reactor| {
        let (source, mut other) = half_pair();
        let read = |fd: std::os::fd::BorrowedFd<'_>| Ok(Done::Full(stream(fd).read(&mut [0])?));
        let error = source.try_io(Direction::Read, read).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
        other.write_all(b"x").unwrap();
        block_on(
            reactor,
            source.ready(Direction::Read, Kind::Read, Location::caller()),
        )
        .unwrap();
        assert_eq!(source.try_io(Direction::Read, read).unwrap(), 1);
        let error = source.try_io(Direction::Read, read).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    });
}

#[test]
fn a_poll_that_moved_to_another_reactor_is_still_woken() {
    for_each_driver(|reactor| {
        let (source, mut other) = half_pair();
        let mut wait = source.ready(Direction::Read, Kind::Read, Location::caller());
        assert!(poll_once(&mut wait, Waker::noop()).is_pending());
        drop(wait);
        let kind = reactor.backend().kind();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let elsewhere = wakeline_reactor::Reactor::new(&config(kind)).unwrap();
                let _entered = elsewhere.enter();
                let n = block_on(&elsewhere, read_some(&source, &mut [0])).unwrap();
                assert_eq!(n, 1);
            });
            other.write_all(b"x").unwrap();
            while !waiting.is_finished() {
                reactor.turn(Some(Duration::from_millis(1))).unwrap();
            }
        });
    });
}

#[test]
fn a_wait_without_a_reactor_says_where_to_go() {
    let (source, _other) = half_pair();
    let mut wait = source.ready(Direction::Read, Kind::Read, Location::caller());
    let Poll::Ready(Err(error)) = poll_once(&mut wait, Waker::noop()) else {
        panic!("it waits for nobody");
    };
    let text = "no runtime on this thread: call this inside `block_on` or a task";
    assert_eq!(error.to_string(), text);
}

#[test]
fn a_source_outlives_its_reactor_and_arms_on_the_next() {
    for kind in drivers() {
        let (source, mut other) = half_pair();
        let reactor = wakeline_reactor::Reactor::new(&config(kind)).unwrap();
        let flag = Flag::new(&reactor);
        let mut wait = source.ready(Direction::Read, Kind::Read, Location::caller());
        {
            let _entered = reactor.enter();
            assert!(poll_once(&mut wait, &Waker::from(Arc::clone(&flag))).is_pending());
            reactor.turn(Some(Duration::ZERO)).unwrap();
        }
        drop(reactor);
        assert_eq!(flag.count(), 1, "it is told that nobody watches any more");
        let reactor = wakeline_reactor::Reactor::new(&config(kind)).unwrap();
        let _entered = reactor.enter();
        assert!(poll_once(&mut wait, Waker::noop()).is_pending());
        other.write_all(b"x").unwrap();
        block_on(&reactor, wait).unwrap();
    }
}

/// Not the error of a read, whose file has nothing to do with it.
#[test]
fn what_cannot_be_watched_says_so() {
    let reactor = Reactor::new(&config(DriverKind::Epoll)).unwrap();
    let _entered = reactor.enter();
    let file = std::fs::File::open("/proc/self/exe").unwrap();
    let source = Source::new(file.into());
    let mut wait = source.ready(Direction::Read, Kind::Read, Location::caller());
    let Poll::Ready(Err(error)) = poll_once(&mut wait, Waker::noop()) else {
        panic!("epoll takes no file")
    };
    assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
    let text = error.to_string();
    let expected = "watch a descriptor: Operation not permitted (os error 1); ";
    assert!(text.starts_with(expected), "{text}");
    assert!(text.contains("regular file"), "{text}");
}
