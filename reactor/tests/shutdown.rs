//! The end of a reactor: nothing of ours is left with the kernel, or it is
//! never freed.

mod common;
use common::*;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::panic::Location;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use wakeline_context::Kind;
use wakeline_reactor::{Direction, Done, Drained, DriverKind, Reactor, Source, op};

#[test]
fn a_drain_ends_every_watch_and_operation() {
    for_each_driver(|reactor| {
        let (source, _other) = half_pair();
        let flag = Flag::new(reactor);
        let mut wait = source.ready(Direction::Read, Kind::Read, Location::caller());
        assert!(poll_once(&mut wait, &Waker::from(Arc::clone(&flag))).is_pending());
        let (fd, _reader) = full_pipe();
        let mut write = stuck_write(&fd);
        assert!(poll_once(&mut write, &Waker::from(Arc::clone(&flag))).is_pending());
        reactor.turn(Some(Duration::ZERO)).unwrap();

        assert_eq!(reactor.drain(Duration::from_secs(10)), Drained::Clean);
        assert_eq!(flag.count(), 2);
        let metrics = reactor.metrics();
        assert_eq!((metrics.armed, metrics.ops_in_flight), (0, 0));
        let Poll::Ready((n, buf)) = poll_once(&mut write, Waker::noop()) else {
            panic!("it was cancelled");
        };
        assert_eq!(n.unwrap_err().raw_os_error(), Some(libc::ECANCELED));
        assert_eq!(buf, [7; 8]);
    });
}

#[test]
fn a_drained_reactor_still_turns_and_hears_interrupts() {
    for_each_driver(|reactor| {
        reactor.turn(Some(Duration::ZERO)).unwrap();
        assert_eq!(reactor.drain(Duration::from_secs(10)), Drained::Clean);
        let remote = reactor.remote();
        let thread = std::thread::spawn(move || remote.interrupt());
        while !reactor.turn(None).unwrap().interrupted {}
        thread.join().unwrap();
        let (source, mut other) = half_pair();
        other.write_all(b"x").unwrap();
        assert_eq!(block_on(reactor, read_some(&source, &mut [0])).unwrap(), 1);
    });
}

#[test]
fn a_reactor_dropped_with_a_read_in_flight_has_the_buffer_back_first() {
    const SIZE: usize = 16 << 20;
    for kind in drivers() {
        let path = std::env::temp_dir().join(format!("wakeline-direct-{}", std::process::id()));
        std::fs::write(&path, vec![7; SIZE]).unwrap();
        // Where the file system refuses O_DIRECT, a plain read does.
        let direct = File::options()
            .read(true)
            .custom_flags(libc::O_DIRECT)
            .open(&path);
        let file = direct.or_else(|_| File::open(&path)).unwrap();
        std::fs::remove_file(&path).unwrap();
        let fd = Arc::new(op::Descriptor::from(file));

        let reactor = Reactor::new(&config(kind)).unwrap();
        let mut read = {
            let _entered = reactor.enter();
            // O_DIRECT wants an aligned address: the vector is filled up to one.
            let mut buf: Vec<u8> = Vec::with_capacity(SIZE + 4_096);
            let skip = buf.as_ptr().align_offset(4_096);
            buf.resize(skip, 0);
            let read = op::submit(op::Read {
                fd: Arc::clone(&fd),
                buf,
                offset: 0,
            });
            reactor.turn(Some(Duration::ZERO)).unwrap();
            read
        };
        drop(reactor);
        // Under epoll a pool thread may still have it; under io_uring the drop
        // has waited. Either way the buffer is whole, and it is ours alone.
        let (n, buf) = loop {
            if let Poll::Ready(done) = poll_once(&mut read, Waker::noop()) {
                break done;
            }
            std::thread::yield_now();
        };
        if let Ok(n) = n {
            assert!(buf[buf.len() - n..].iter().all(|byte| *byte == 7));
        }
        drop(read);
    }
}

#[test]
fn timers_and_waiters_of_a_dropped_reactor_are_woken() {
    for kind in drivers() {
        let reactor = Reactor::new(&config(kind)).unwrap();
        let flag = Flag::new(&reactor);
        let mut sleep = Box::pin(wakeline_reactor::time::sleep(Duration::MAX));
        {
            let _entered = reactor.enter();
            assert!(poll_once(&mut sleep, &Waker::from(Arc::clone(&flag))).is_pending());
        }
        drop(reactor);
        assert_eq!(flag.count(), 1);
    }
}

#[test]
fn a_dropped_listener_frees_its_address_at_once() {
    for_each_driver(|reactor| {
        // Of an address of its own, where nobody else gets the port meanwhile.
        let listener = TcpListener::bind("127.0.0.4:0").unwrap();
        let addr = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let source = Source::new(OwnedFd::from(listener));
        let mut accept = source.io(Direction::Read, Kind::Accept, Location::caller(), |fd| {
            let listener = TcpListener::from(fd.try_clone_to_owned()?);
            Ok(Done::Full(listener.accept()?))
        });
        assert!(poll_once(&mut accept, Waker::noop()).is_pending());
        reactor.turn(Some(Duration::ZERO)).unwrap();
        drop(accept);
        drop(source);
        TcpListener::bind(addr).unwrap();
    });
}

#[test]
fn bytes_that_arrive_before_or_after_a_cancel_are_kept() {
    for_each_driver(|reactor| {
        for before in [true, false] {
            let (source, mut other) = half_pair();
            let mut buf = [0; 8];
            {
                let mut read = Box::pin(read_some(&source, &mut buf));
                assert!(poll_once(&mut read, Waker::noop()).is_pending());
                reactor.turn(Some(Duration::ZERO)).unwrap();
                if before {
                    other.write_all(b"byte").unwrap();
                    reactor.turn(Some(Duration::ZERO)).unwrap();
                }
                // Ready, but dropped before it is polled again.
            }
            if !before {
                other.write_all(b"byte").unwrap();
            }
            assert_eq!(block_on(reactor, read_some(&source, &mut buf)).unwrap(), 4);
            assert_eq!(&buf[..4], b"byte");
        }
    });
}

#[test]
fn a_connection_that_arrives_before_a_cancel_is_kept() {
    for_each_driver(|reactor| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let source = Source::new(OwnedFd::from(listener.try_clone().unwrap()));
        let accept = || {
            source.io(Direction::Read, Kind::Accept, Location::caller(), |_| {
                Ok(Done::Full(listener.accept()?.0))
            })
        };
        let mut first = accept();
        assert!(poll_once(&mut first, Waker::noop()).is_pending());
        reactor.turn(Some(Duration::ZERO)).unwrap();
        let mut client = TcpStream::connect(addr).unwrap();
        reactor.turn(Some(Duration::ZERO)).unwrap();
        drop(first);
        let mut accepted = block_on(reactor, accept()).unwrap();
        accepted.write_all(b"here").unwrap();
        let mut four = [0; 4];
        client.read_exact(&mut four).unwrap();
    });
}

#[test]
fn two_waiters_share_one_watch() {
    for_each_driver(|reactor| {
        let (source, _other) = half_pair();
        let mut first = source.ready(Direction::Read, Kind::Read, Location::caller());
        let mut second = source.ready(Direction::Read, Kind::Read, Location::caller());
        assert!(poll_once(&mut first, Waker::noop()).is_pending());
        assert!(poll_once(&mut second, Waker::noop()).is_pending());
        let polled = source.poll_io(
            &mut Context::from_waker(Waker::noop()),
            Direction::Read,
            |_| Ok(Done::Full(())),
        );
        assert!(polled.is_pending());
        assert_eq!(reactor.metrics().armed, 1);
    });
}

/// A source with a waiter whose event has come, and a listener whose drop looks
/// at what the kernel has.
fn event_found_by_the_drop_of_another(reactor: &Reactor, flag: &Arc<Flag>) -> Source {
    let (source, mut other) = half_pair();
    let waker = Waker::from(Arc::clone(flag));
    let mut wait = source.ready(Direction::Read, Kind::Read, Location::caller());
    assert!(poll_once(&mut wait, &waker).is_pending());
    let listener = quiet_listener(reactor);
    other.write_all(b"x").unwrap();
    drop(listener);
    std::mem::forget(wait); // as a waiter on another thread: still listed
    source
}

#[test]
fn a_wake_that_was_left_for_the_next_turn_is_not_lost_by_the_end() {
    for kind in drivers() {
        eprintln!("on {kind}");
        let reactor = Reactor::new(&config(kind)).unwrap();
        let entered = reactor.enter();
        let flag = Flag::new(&reactor);
        let _source = event_found_by_the_drop_of_another(&reactor, &flag);
        assert_eq!(reactor.drain(Duration::from_secs(10)), Drained::Clean);
        assert_eq!(flag.count(), 1, "by a drain");
        drop(entered);
    }
    for kind in drivers() {
        eprintln!("on {kind}");
        let reactor = Reactor::new(&config(kind)).unwrap();
        let entered = reactor.enter();
        let flag = Flag::new(&reactor);
        let _source = event_found_by_the_drop_of_another(&reactor, &flag);
        drop(entered);
        drop(reactor);
        assert_eq!(flag.count(), 1, "by the end");
    }
}

/// Whether the peer of a dropped source has its end of file by now.
fn is_closed(other: &mut std::os::unix::net::UnixStream) -> bool {
    other.set_nonblocking(true).unwrap();
    matches!(other.read(&mut [0]), Ok(0))
}

#[test]
fn what_was_dropped_is_closed_when_its_reactor_is_left() {
    for kind in drivers() {
        eprintln!("on {kind}");
        let reactor = Reactor::new(&config(kind)).unwrap();
        let entered = reactor.enter();
        let (source, mut other) = half_pair();
        let mut wait = source.ready(Direction::Read, Kind::Read, Location::caller());
        assert!(poll_once(&mut wait, Waker::noop()).is_pending());
        drop(wait);
        reactor.turn(Some(Duration::ZERO)).unwrap();
        drop(source);
        drop(entered);
        assert!(is_closed(&mut other), "no turn comes that could do it");
    }
}

#[test]
fn a_source_dropped_on_its_thread_after_its_reactor_was_left_is_closed_at_once() {
    for kind in drivers() {
        eprintln!("on {kind}");
        let reactor = Reactor::new(&config(kind)).unwrap();
        let (source, mut other) = half_pair();
        {
            let _entered = reactor.enter();
            let mut wait = source.ready(Direction::Read, Kind::Read, Location::caller());
            assert!(poll_once(&mut wait, Waker::noop()).is_pending());
            drop(wait);
            reactor.turn(Some(Duration::ZERO)).unwrap();
        }
        drop(source);
        assert!(is_closed(&mut other), "no turn comes that could do it");
        assert_eq!(reactor.metrics().armed, 0);
    }
}

#[test]
fn what_waits_on_a_reactor_that_was_left_is_woken_and_watched_by_the_next() {
    for kind in drivers() {
        eprintln!("on {kind}");
        let (first, second) = (
            Reactor::new(&config(kind)).unwrap(),
            Reactor::new(&config(kind)).unwrap(),
        );
        let (source, mut other) = half_pair();
        let flag = Flag::new(&second);
        let waker = Waker::from(Arc::clone(&flag));
        let mut wait = source.ready(Direction::Read, Kind::Read, Location::caller());
        {
            let _entered = first.enter();
            assert!(poll_once(&mut wait, &waker).is_pending());
            first.turn(Some(Duration::ZERO)).unwrap();
        }
        assert_eq!(flag.count(), 1, "nobody knows when it turns next");
        assert_eq!(first.metrics().armed, 0);

        let _entered = second.enter();
        assert!(poll_once(&mut wait, &waker).is_pending());
        other.write_all(b"x").unwrap();
        turn_until(&second, || flag.count() == 2);
        assert!(poll_once(&mut wait, &waker).is_ready());
    }
}

#[test]
fn timers_of_a_reactor_that_was_left_are_woken_and_go_on_where_they_are_polled() {
    for kind in drivers() {
        eprintln!("on {kind}");
        let (first, second) = (
            Reactor::new(&config(kind)).unwrap(),
            Reactor::new(&config(kind)).unwrap(),
        );
        let flag = Flag::new(&second);
        let waker = Waker::from(Arc::clone(&flag));
        let soon = Duration::from_millis(1);
        let [mut sleep, mut never] = [soon, Duration::MAX].map(wakeline_reactor::time::sleep);
        {
            let _entered = first.enter();
            assert!(poll_once(&mut sleep, &waker).is_pending());
            assert!(poll_once(&mut never, &waker).is_pending());
        }
        assert_eq!(flag.count(), 2, "nobody knows when it turns next");
        assert_eq!(first.metrics().timers, 0);

        let _entered = second.enter();
        assert!(poll_once(&mut never, &waker).is_pending());
        turn_until(&second, || poll_once(&mut sleep, &waker).is_ready());
        assert_eq!(second.metrics().timers, 1);
    }
}

/// Begins `operation` on a reactor that is left then, has the `peer` do its part, and
/// polls it on another.
fn goes_on_elsewhere<F: Future + Unpin>(
    kind: DriverKind,
    sent: bool,
    operation: impl FnOnce() -> F,
    peer: impl FnOnce(),
) -> F::Output {
    let (first, second) = (
        Reactor::new(&config(kind)).unwrap(),
        Reactor::new(&config(kind)).unwrap(),
    );
    let flag = Flag::new(&second);
    let waker = Waker::from(Arc::clone(&flag));
    let entered = first.enter();
    let mut future = operation();
    let early = poll_once(&mut future, &waker);
    if sent {
        first.turn(Some(Duration::ZERO)).unwrap();
    }
    drop(entered);
    peer();
    let _entered = second.enter();
    let mut done = early;
    let mut polled = 0;
    turn_until(&second, || {
        // Only if it was woken, as a task is polled.
        if done.is_pending() && flag.count() > polled {
            polled = flag.count();
            done = poll_once(&mut future, &waker);
        }
        done.is_ready()
    });
    assert_eq!(first.metrics().ops_in_flight, 0, "nobody turns it");
    let Poll::Ready(output) = done else {
        unreachable!("it came true")
    };
    output
}

#[test]
fn operations_of_a_reactor_that_was_left_go_on_where_they_are_polled() {
    for kind in drivers() {
        for sent in [false, true] {
            eprintln!("on {kind}, {sent}");
            // Behind no disk, whose writes of others may take longer than a leave waits.
            let file = File::open("/proc/self/status").unwrap();
            let sync = || {
                let fd = Arc::new(op::Descriptor::from(file));
                let data_only = true;
                op::submit(op::Fsync { fd, data_only })
            };
            let (synced, ()) = goes_on_elsewhere(kind, sent, sync, || ());
            assert!(!synced.is_err_and(|error| op::was_stopped(&error)));

            let (fd, mut reader) = full_pipe();
            let drain = || reader.read_exact(&mut [0; 1 << 16]).unwrap();
            let (n, buf) = goes_on_elsewhere(kind, sent, || stuck_write(&fd), drain);
            assert_eq!((n.unwrap(), buf), (8, vec![7; 8]));
            let mut once = [0; 16];
            assert_eq!(reader.read(&mut once).unwrap(), 8, "written once");

            let (read, mut write) = std::io::pipe().unwrap();
            let fd = Arc::new(op::Descriptor::from(read));
            let readable = || {
                op::submit(op::Readable {
                    fd: Arc::clone(&fd),
                })
            };
            let byte = || write.write_all(b"x").unwrap();
            goes_on_elsewhere(kind, sent, readable, byte).0.unwrap();
            let read = || {
                let buf = Vec::with_capacity(8);
                let fd = Arc::clone(&fd);
                op::submit(op::Read { fd, buf, offset: 0 })
            };
            let more = || write.write_all(b"yz").unwrap();
            let (n, buf) = goes_on_elsewhere(kind, sent, read, || ());
            assert_eq!((n.unwrap(), buf), (1, b"x".to_vec()));
            let (n, buf) = goes_on_elsewhere(kind, sent, read, more);
            assert_eq!((n.unwrap(), buf), (2, b"yz".to_vec()));
        }
    }
}

#[test]
fn more_than_the_ring_holds_is_closed_when_its_reactor_is_left() {
    for kind in drivers() {
        for dropped_before in [true, false] {
            eprintln!("on {kind}");
            let reactor = Reactor::new(&config(kind).ring_entries(8)).unwrap();
            let entered = reactor.enter();
            let (sources, others): (Vec<_>, Vec<_>) = (0..300).map(|_| half_pair()).unzip();
            for source in &sources {
                let mut wait = source.ready(Direction::Read, Kind::Read, Location::caller());
                assert!(poll_once(&mut wait, Waker::noop()).is_pending());
            }
            reactor.turn(Some(Duration::ZERO)).unwrap();
            if dropped_before {
                drop(sources);
                drop(entered);
            } else {
                drop(entered);
                drop(sources);
            }
            let mut others = others.into_iter();
            assert!(
                others.all(|mut other| is_closed(&mut other)),
                "no turn comes that could do it"
            );
            assert_eq!(reactor.metrics().armed, 0);
        }
    }
}
