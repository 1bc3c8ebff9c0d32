//! More of everything than there is room for, on a ring of 8 entries.

mod common;
use common::*;
use std::fs::File;
use std::io::{Read, Write};
use std::panic::Location;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;
use wakeline_context::Kind;
use wakeline_reactor::{Direction, Reactor, op};

fn for_each_small(test: impl Fn(&Reactor)) {
    for kind in drivers() {
        let reactor = Reactor::new(&config(kind).ring_entries(8)).unwrap();
        let _entered = reactor.enter();
        test(&reactor);
    }
}

#[test]
fn more_operations_than_the_ring_holds_all_complete() {
    for_each_small(|reactor| {
        let pipes: Vec<_> = (0..200).map(|_| full_pipe()).collect();
        let mut writes: Vec<_> = pipes.iter().map(|(fd, _)| stuck_write(fd)).collect();
        reactor.turn(Some(Duration::ZERO)).unwrap();
        for (_, reader) in &pipes {
            (&*reader).read_exact(&mut [0; 1 << 16]).unwrap();
        }
        turn_until(reactor, || reactor.metrics().ops_in_flight == 0);
        for write in &mut writes {
            assert!(poll_once(write, Waker::noop()).is_ready());
        }
    });
}

#[test]
fn a_storm_of_cancels_leaves_nothing_behind() {
    for_each_small(|reactor| {
        let (fd, _reader) = full_pipe();
        for round in 0..20 {
            let writes: Vec<_> = (0..100).map(|_| stuck_write(&fd)).collect();
            if round % 2 == 0 {
                reactor.turn(Some(Duration::ZERO)).unwrap();
            }
            drop(writes);
        }
        turn_until(reactor, || reactor.metrics().ops_in_flight == 0);
        assert_eq!(Arc::strong_count(&fd), 1);
        assert_eq!(reactor.metrics().stale, 0);
    });
}

#[test]
fn more_events_than_the_ring_holds_are_all_delivered() {
    for_each_small(|reactor| {
        let pairs: Vec<_> = (0..300).map(|_| half_pair()).collect();
        let flag = Flag::new(reactor);
        let waker = Waker::from(Arc::clone(&flag));
        let mut waits: Vec<_> = pairs
            .iter()
            .map(|(source, _)| source.ready(Direction::Read, Kind::Read, Location::caller()))
            .collect();
        for wait in &mut waits {
            assert!(poll_once(wait, &waker).is_pending());
        }
        // All of them are ready when they are armed, in one flush.
        for (_, other) in &pairs {
            (&*other).write_all(b"x").unwrap();
        }
        turn_until(reactor, || flag.count() == pairs.len());
        for wait in &mut waits {
            assert!(poll_once(wait, &waker).is_ready());
        }
        if reactor.backend().name() == "io_uring" {
            assert!(reactor.metrics().overflows > 0);
        }
    });
}

#[test]
fn more_drops_than_the_ring_holds_close_everything() {
    for_each_small(|reactor| {
        let pairs: Vec<_> = (0..300).map(|_| half_pair()).collect();
        let mut others = Vec::new();
        for (source, other) in pairs {
            let mut wait = source.ready(Direction::Read, Kind::Read, Location::caller());
            assert!(poll_once(&mut wait, Waker::noop()).is_pending());
            if others.len() % 3 == 0 {
                reactor.turn(Some(Duration::ZERO)).unwrap();
            }
            others.push(other);
        }
        turn_until(reactor, || reactor.metrics().armed == 0);
        for mut other in others {
            assert_eq!(std::io::Read::read(&mut other, &mut [0]).unwrap(), 0);
        }
    });
}

#[test]
fn a_turn_with_nothing_to_do_makes_no_system_call() {
    for_each_driver(|reactor| {
        let (source, _other) = half_pair();
        let mut wait = source.ready(Direction::Read, Kind::Read, Location::caller());
        assert!(poll_once(&mut wait, Waker::noop()).is_pending());
        reactor.turn(Some(Duration::ZERO)).unwrap();
        let before = reactor.metrics().waits;
        for _ in 0..100 {
            reactor.turn(Some(Duration::ZERO)).unwrap();
        }
        let calls = reactor.metrics().waits - before;
        // epoll has no shared memory to look at.
        assert_eq!(
            calls,
            if reactor.backend().name() == "io_uring" {
                0
            } else {
                100
            }
        );
    });
}

#[test]
fn an_open_that_nobody_waits_for_closes_its_descriptor() {
    for_each_driver(|reactor| {
        // A pipe whose other end tells whether it is open.
        let dir = std::env::temp_dir().join(format!("wakeline-fifo-{}", std::process::id()));
        let path = std::ffi::CString::new(dir.to_str().unwrap()).unwrap();
        // SAFETY: the path is a C string that outlives the call.
        assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0);
        let open = |flags| {
            op::submit(op::OpenAt {
                dir: None,
                path: path.clone(),
                flags,
                mode: 0,
            })
        };
        let (reader, _) = block_on(reactor, open(libc::O_RDONLY | libc::O_NONBLOCK));
        let mut reader = File::from(reader.unwrap());
        let mut writer = open(libc::O_WRONLY);
        while reactor.metrics().ops_in_flight > 0 {
            reactor.turn(Some(Duration::from_millis(1))).unwrap();
        }
        if reactor.backend().name() == "io_uring" {
            // The result is there, and nobody has taken it.
            drop(writer);
            assert_eq!(std::io::Read::read(&mut reader, &mut [0]).unwrap(), 0);
        } else {
            // The pool has it; the future is dropped when it is done, too.
            while poll_once(&mut writer, Waker::noop()).is_pending() {
                std::thread::yield_now();
            }
        }
        std::fs::remove_file(dir).unwrap();
    });
}

/// A peer may be slow on purpose, or wait for what is in a file.
#[test]
fn what_waits_for_a_peer_leaves_room_for_files() {
    for_each_small(|reactor| {
        let full: Vec<_> = (0..40).map(|_| full_pipe()).collect();
        let writes: Vec<_> = full.iter().map(|(fd, _)| stuck_write(fd)).collect();
        let empty: Vec<_> = (0..40).map(|_| std::io::pipe().unwrap()).collect();
        let mut waits = Vec::new();
        for (reader, _) in &empty {
            let fd = Arc::new(op::Descriptor::from(reader.try_clone().unwrap()));
            waits.push(op::submit(op::Readable { fd }));
        }
        reactor.turn(Some(Duration::ZERO)).unwrap();
        let mut read = op::submit(op::Read {
            fd: Arc::new(File::open("/proc/self/exe").unwrap().into()),
            buf: Vec::with_capacity(16),
            offset: 0,
        });
        turn_until(reactor, || poll_once(&mut read, Waker::noop()).is_ready());
        assert_eq!(reactor.metrics().ops_in_flight, 80);
        drop((writes, waits));
        turn_until(reactor, || reactor.metrics().ops_in_flight == 0);
    });
}
