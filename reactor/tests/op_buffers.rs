//! Operations take any kind of buffer, and give the same one back.

mod common;
use bytes::{Bytes, BytesMut};
use common::*;
use std::cell::RefCell;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::panic::Location;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;
use wakeline_context::Kind;
use wakeline_reactor::op::{self, IoBuf, IoBufMut};
use wakeline_reactor::{Direction, Reactor, Source};

fn file(content: &[u8]) -> (File, Arc<op::Descriptor>) {
    let name = format!("op-buffers-{:?}", std::thread::current().id());
    let path = std::env::temp_dir().join(format!("{}-{name}", std::process::id()));
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(true);
    let mut file = options.open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    file.write_all(content).unwrap();
    file.rewind().unwrap();
    let fd = Arc::new(file.try_clone().unwrap().into());
    (file, fd)
}

fn pipe() -> (Arc<op::Descriptor>, File) {
    let (read, write) = std::io::pipe().unwrap();
    (Arc::new(read.into()), File::from(OwnedFd::from(write)))
}

/// A buffer that looks at the reactor whenever it may do what it likes.
struct Curious(Vec<u8>);

std::thread_local! {
    static LOOKED_AT: RefCell<Option<Reactor>> = const { RefCell::new(None) };
}

/// Panics where the driver is borrowed.
fn look() {
    LOOKED_AT.with_borrow(|reactor| reactor.as_ref().map(Reactor::metrics));
}

impl Default for Curious {
    fn default() -> Curious {
        look();
        Curious(Vec::new())
    }
}

impl Drop for Curious {
    fn drop(&mut self) {
        look();
    }
}

// SAFETY: as of the `Vec` inside.
unsafe impl IoBuf for Curious {
    fn as_ptr(&self) -> *const u8 {
        self.0.as_ptr()
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

// SAFETY: as of the `Vec` inside.
unsafe impl IoBufMut for Curious {
    fn as_mut_ptr(&mut self) -> *mut u8 {
        self.0.as_mut_ptr()
    }

    fn room(&mut self) -> (*mut u8, usize) {
        IoBufMut::room(&mut self.0)
    }

    unsafe fn filled(&mut self, n: usize) {
        look();
        // SAFETY: the caller's promise.
        unsafe { self.0.filled(n) };
    }
}

#[test]
fn a_buffer_is_filled_and_dropped_when_nothing_is_borrowed() {
    for_each_driver(|reactor| {
        LOOKED_AT.set(Some(reactor.clone()));
        let (_file, fd) = file(b"0123");
        for drops in [false, true] {
            let buf = Curious(Vec::with_capacity(8));
            let (fd, same) = (Arc::clone(&fd), Arc::clone(&fd));
            let read = op::submit(op::Read { fd, buf, offset: 0 });
            if drops {
                turn_until(reactor, || reactor.metrics().ops_in_flight == 0);
                drop(read);
            } else {
                let (n, buf) = block_on(reactor, read);
                assert_eq!((n.unwrap(), &buf.0[..]), (4, &b"0123"[..]));
            }
            let (fd, buf) = (same, Curious(b"4567".to_vec()));
            let write = op::submit(op::Write { fd, buf, offset: 4 });
            if drops {
                drop(write);
            } else {
                assert_eq!(block_on(reactor, write).0.unwrap(), 4);
            }
            turn_until(reactor, || reactor.metrics().ops_in_flight == 0);
        }
        LOOKED_AT.take();
    });
}

#[test]
fn each_kind_is_read_into_as_its_table_says() {
    for_each_driver(|reactor| {
        let (_file, fd) = file(b"0123456789");
        let read = |offset| (Arc::clone(&fd), offset);
        let ((fd, offset), buf) = (read(8), b"ab....".to_vec().into_boxed_slice());
        let (n, buf) = block_on(reactor, op::submit(op::Read { fd, buf, offset }));
        assert_eq!((n.unwrap(), &buf[..]), (2, &b"89...."[..]));

        let ((fd, offset), mut buf) = (read(4), BytesMut::with_capacity(64));
        buf.extend_from_slice(b"> ");
        let (n, buf) = block_on(reactor, op::submit(op::Read { fd, buf, offset }));
        assert_eq!((n.unwrap(), &buf[..]), (6, &b"> 456789"[..]));

        let ((fd, offset), buf) = (read(0), b"......".to_vec().slice(1..4));
        let (n, buf) = block_on(reactor, op::submit(op::Read { fd, buf, offset }));
        assert_eq!((n.unwrap(), buf.into_inner()), (3, b".012..".to_vec()));

        let ((fd, offset), buf) = (read(0), Vec::new());
        let (n, buf) = block_on(reactor, op::submit(op::Read { fd, buf, offset }));
        assert_eq!((n.unwrap(), buf.len()), (0, 0), "no room");
    });
}

fn write<B: IoBuf>(reactor: &wakeline_reactor::Reactor, buf: B) -> (String, B) {
    let (file, fd) = file(b"");
    let write = op::Write { fd, buf, offset: 0 };
    let (n, buf) = block_on(reactor, op::submit(write));
    let mut text = String::new();
    (&file).read_to_string(&mut text).unwrap();
    assert_eq!(n.unwrap(), text.len());
    (text, buf)
}

#[test]
fn each_kind_is_written_and_comes_back() {
    for_each_driver(|reactor| {
        let bytes = Bytes::from(b"shared".to_vec());
        let (text, back) = write(reactor, bytes.clone());
        assert_eq!((text.as_str(), back.as_ptr()), ("shared", bytes.as_ptr()));
        assert_eq!(write(reactor, String::from("owned")).0, "owned");
        assert_eq!(write(reactor, "for ever").0, "for ever");
        assert_eq!(write(reactor, &b"static"[..]).0, "static");
        assert_eq!(write(reactor, Box::<[u8]>::from(&b"boxed"[..])).0, "boxed");
        let (text, part) = write(reactor, "a part of it".slice(2..6));
        assert_eq!((text.as_str(), part.into_inner()), ("part", "a part of it"));
    });
}

#[test]
fn several_buffers_are_read_and_written_in_order() {
    for_each_driver(|reactor| {
        let (_file, fd) = file(b"..........");
        let bufs = vec!["head", "", "body"];
        let write = op::WriteV::new(Arc::clone(&fd), bufs, 1);
        let (n, bufs) = block_on(reactor, op::submit(write));
        assert_eq!((n.unwrap(), bufs.len()), (8, 3));

        let mut begun = Vec::with_capacity(3);
        begun.push(b'>');
        let room = begun.capacity() - 1;
        let bufs = vec![begun, Vec::new(), Vec::with_capacity(64)];
        let (n, bufs) = block_on(reactor, op::submit(op::ReadV::new(fd, bufs, 0)));
        assert_eq!(n.unwrap(), 10);
        let text = b".headbody.";
        assert_eq!(bufs[0], [b">", &text[..room]].concat());
        assert!(bufs[1].is_empty());
        assert_eq!(bufs[2], text[room..]);
    });
}

#[test]
fn many_buffers_are_a_short_transfer_and_no_error() {
    for_each_driver(|reactor| {
        let (_file, fd) = file(b"");
        let write = op::WriteV::new(Arc::clone(&fd), vec!["x"; 3_000], 0);
        let (n, bufs) = block_on(reactor, op::submit(write));
        assert_eq!((n.unwrap(), bufs.len()), (1_024, 3_000));
        let bufs = (0..3_000).map(|_| Box::<[u8]>::from([0])).collect();
        let (n, bufs) = block_on(reactor, op::submit(op::ReadV::new(fd, bufs, 0)));
        assert_eq!((n.unwrap(), bufs.len()), (1_024, 3_000));
        assert_eq!((bufs[1_023][0], bufs[1_024][0]), (b'x', 0));
    });
}

#[test]
fn a_cancelled_read_of_a_pipe_gives_the_buffers_back_and_takes_nothing() {
    for_each_driver(|reactor| {
        let (fd, mut writer) = pipe();
        let bufs: Vec<Box<[u8]>> = vec![Box::from([0; 2]), Box::from([0; 8])];
        let mut reading = op::submit(op::ReadV::new(Arc::clone(&fd), bufs, u64::MAX));
        assert!(poll_once(&mut reading, Waker::noop()).is_pending());
        writer.write_all(b"later").unwrap();
        let (result, bufs) = block_on(reactor, reading.cancel());
        assert_eq!(result.unwrap_err().raw_os_error(), Some(libc::ECANCELED));
        assert_eq!(bufs.len(), 2);
        let (n, bufs) = block_on(reactor, op::submit(op::ReadV::new(fd, bufs, u64::MAX)));
        assert_eq!(n.unwrap(), 5);
        assert_eq!((&bufs[0][..], &bufs[1][..3]), (&b"la"[..], &b"ter"[..]));
        turn_until(reactor, || reactor.metrics().ops_in_flight == 0);
    });
}

#[test]
fn buffers_need_be_no_more_than_the_traits() {
    fn is_buffer<B: IoBufMut>() {}
    is_buffer::<op::Slice<op::Slice<Box<[u8]>>>>();
}

/// A buffer whose end is a panic, once there is something in it.
#[derive(Default)]
struct Bad(Vec<u8>);

impl Drop for Bad {
    fn drop(&mut self) {
        assert!(self.0.is_empty(), "planned");
    }
}

// SAFETY: as of the `Vec` inside.
unsafe impl IoBuf for Bad {
    fn as_ptr(&self) -> *const u8 {
        self.0.as_ptr()
    }
    fn len(&self) -> usize {
        self.0.len()
    }
}

/// A write that the kernel has, with a buffer that panics when it lets go of that,
/// and a source that is waited for; with the other ends of both.
fn a_panic_to_come(
    reactor: &Reactor,
    flag: &Arc<Flag>,
) -> (op::InFlight<op::Write<Bad>>, File, Source, UnixStream) {
    let (fd, reader) = full_pipe();
    let buf = Bad(vec![7]);
    let write = op::submit(op::Write { fd, buf, offset: 0 });
    let (source, other) = half_pair();
    let mut wait = source.ready(Direction::Read, Kind::Read, Location::caller());
    assert!(poll_once(&mut wait, &Waker::from(Arc::clone(flag))).is_pending());
    std::mem::forget(wait); // as a waiter on another thread: still listed
    reactor.turn(Some(Duration::ZERO)).unwrap();
    (write, reader, source, other)
}

fn panics(f: impl FnOnce()) -> bool {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).is_err()
}

#[test]
fn a_panicking_buffer_does_not_cost_the_others_their_wake() {
    for_each_driver(|reactor| {
        let flag = Flag::new(reactor);
        let (write, _reader, _source, mut other) = a_panic_to_come(reactor, &flag);
        // By mail, or epoll would let go of it here.
        std::thread::spawn(move || drop(write)).join().unwrap();
        other.write_all(b"x").unwrap();
        // The panic ends with the hook, in the midst of a turn.
        turn_until(reactor, || flag.count() == 1);
        let nothing_is_left = || reactor.metrics().ops_in_flight == 0;
        turn_until(reactor, nothing_is_left);
    });
}

#[test]
fn a_buffer_that_panics_in_the_drop_of_a_source_costs_nobody_a_wake() {
    for_each_driver(|reactor| {
        let flag = Flag::new(reactor);
        let (write, _reader, _source, mut other) = a_panic_to_come(reactor, &flag);
        let listener = quiet_listener(reactor);
        other.write_all(b"x").unwrap();
        let by_write = panics(|| drop(write));
        // It looks at what the kernel has, so that its address is free at once.
        let by_listener = panics(|| drop(listener));
        assert!(by_write || by_listener);
        turn_until(reactor, || flag.count() == 1);
    });
}
