//! What a reactor watches is looked at by another thread, while its own does not turn.

mod common;
use common::*;
use std::future::Future;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::panic::Location;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;
use wakeline_context::Kind;
use wakeline_reactor::{Deputy, Direction, Done, Reactor, Source};

fn for_each_with_deputy(test: impl Fn(&Reactor, Deputy)) {
    for kind in drivers() {
        eprintln!("on {kind}");
        let reactor = Reactor::new(&config(kind)).unwrap();
        let deputy = reactor.deputy();
        let _entered = reactor.enter();
        test(&reactor, deputy);
    }
}

/// A look on a thread of its own.
fn look(deputy: &Deputy) -> usize {
    let deputy = deputy.clone();
    std::thread::spawn(move || deputy.look().unwrap())
        .join()
        .unwrap()
}

#[test]
fn who_waits_for_what_is_there_is_woken() {
    for_each_with_deputy(|reactor, deputy| {
        let flag = Flag::new(reactor);
        let waker = Waker::from(Arc::clone(&flag));
        let mut cx = Context::from_waker(&waker);
        let ((reads, mut there), (writes, mut slow)) = (half_pair(), half_pair());
        let mut buf = [0; 8];
        {
            let mut read = pin!(read_some(&reads, &mut buf));
            assert!(read.as_mut().poll(&mut cx).is_pending());
            assert_eq!((look(&deputy), flag.count()), (0, 0), "there is nothing");
            there.write_all(b"abc").unwrap();
            assert_eq!((look(&deputy), flag.count()), (1, 1));
            assert_eq!(look(&deputy), 0, "it is known");
            assert!(read.as_mut().poll(&mut cx).is_ready());
        }
        assert_eq!(&buf[..3], b"abc");

        let much = vec![7; 1 << 20];
        let mut write = pin!(write_all(&writes, &much));
        assert!(write.as_mut().poll(&mut cx).is_pending());
        assert_eq!((look(&deputy), flag.count()), (0, 1), "there is no room");
        let mut taken = vec![0; 1 << 20];
        let some = slow.read(&mut taken).unwrap();
        assert_eq!((look(&deputy), flag.count()), (1, 2));
        let rest = std::thread::spawn(move || {
            slow.read_exact(&mut taken[some..]).unwrap();
            taken
        });
        // The reactor's own news of it are no harm.
        while write.as_mut().poll(&mut cx).is_pending() {
            reactor.turn(Some(Duration::from_millis(1))).unwrap();
        }
        assert_eq!(rest.join().unwrap(), much);
    });
}

#[test]
fn who_watches_no_more_is_not_looked_at_and_closes() {
    for_each_with_deputy(|reactor, deputy| {
        let (source, mut there) = half_pair();
        let flag = Flag::new(reactor);
        let waker = Waker::from(Arc::clone(&flag));
        {
            let mut ready = pin!(source.ready(Direction::Read, Kind::Read, Location::caller()));
            let mut cx = Context::from_waker(&waker);
            assert!(ready.as_mut().poll(&mut cx).is_pending());
        }
        there.write_all(b"x").unwrap();
        drop(source);
        assert_eq!((look(&deputy), flag.count()), (0, 0));
        // With what was not read it is reset, or at its end: closed in any case.
        turn_until(reactor, || {
            there.set_nonblocking(true).unwrap();
            let read = there.read(&mut [0]);
            !matches!(read, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
        });
    });
}

/// Looks without a pause until it is dropped.
struct Always(Arc<AtomicBool>, Option<std::thread::JoinHandle<usize>>);

impl Always {
    fn new(deputy: Deputy) -> Always {
        let over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&over);
        let looks = move || {
            let mut woken = 0;
            while !seen.load(Ordering::Relaxed) {
                woken += deputy.look().unwrap();
            }
            woken
        };
        Always(over, Some(std::thread::spawn(looks)))
    }

    /// How many it has woken.
    fn end(mut self) -> usize {
        self.0.store(true, Ordering::Relaxed);
        self.1.take().unwrap().join().unwrap()
    }
}

#[test]
fn nothing_is_lost_between_two_who_deliver() {
    for_each_with_deputy(|reactor, deputy| {
        let always = Always::new(deputy);
        for _ in 0..50 {
            let (here, mut there) = half_pair();
            let echo = std::thread::spawn(move || {
                let mut buf = [0; 16];
                while let Ok(n @ 1..) = there.read(&mut buf) {
                    there.write_all(&buf[..n]).unwrap();
                }
            });
            block_on(reactor, async {
                for nth in 0..100_u8 {
                    write_all(&here, &[nth; 5]).await.unwrap();
                    let mut back = [0; 5];
                    read_exact(&here, &mut back).await.unwrap();
                    assert_eq!(back, [nth; 5]);
                }
            });
            drop(here);
            // Closed, at the latest with a turn.
            turn_until(reactor, || echo.is_finished());
            echo.join().unwrap();
        }
        always.end();
    });
}

#[test]
fn a_listener_that_is_dropped_frees_its_address_at_once() {
    for_each_with_deputy(|_reactor, deputy| {
        // So many others that a look takes longer than to bind the address again.
        let others: Vec<_> = (0..200).map(|_| half_pair()).collect();
        for (source, _there) in &others {
            let mut ready = pin!(source.ready(Direction::Read, Kind::Read, Location::caller()));
            let mut cx = Context::from_waker(Waker::noop());
            assert!(ready.as_mut().poll(&mut cx).is_pending());
        }
        let always = Always::new(deputy);
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = first.local_addr().unwrap();
        let mut listener = Some(first);
        for _ in 0..1_000 {
            let bound = listener
                .take()
                .map_or_else(|| TcpListener::bind(address), Ok);
            let bound = bound.expect("the address is free");
            bound.set_nonblocking(true).unwrap();
            let source = Source::new(OwnedFd::from(bound.try_clone().unwrap()));
            let mut accept = Box::pin(source.io(
                Direction::Read,
                Kind::Accept,
                Location::caller(),
                |_fd| Ok(Done::Full(bound.accept()?)),
            ));
            let mut cx = Context::from_waker(Waker::noop());
            assert!(accept.as_mut().poll(&mut cx).is_pending());
            drop(accept);
            drop(source);
            drop(bound);
        }
        always.end();
        drop(TcpStream::connect(address).unwrap_err());
    });
}
