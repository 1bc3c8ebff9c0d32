//! What is in non-blocking mode, and knows no single call that does not wait
//! (`RWF_NOWAIT`): an inotify and a terminal here, and before Linux 6.4 also pipes.

mod common;
use common::*;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;
use wakeline_reactor::{Reactor, op};

/// An inotify, and a directory that it watches.
fn inotify() -> (Arc<op::Descriptor>, std::path::PathBuf) {
    // SAFETY: takes integers.
    let fd = unsafe { libc::inotify_init1(libc::IN_NONBLOCK | libc::IN_CLOEXEC) };
    assert!(fd >= 0);
    // SAFETY: the kernel has just made it.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    let name = format!("wakeline-inotify-{}", std::process::id());
    let dir = std::env::temp_dir().join(name);
    std::fs::create_dir(&dir).unwrap();
    let path = std::ffi::CString::new(dir.to_str().unwrap()).unwrap();
    // SAFETY: a C string, read during the call.
    let watch = unsafe { libc::inotify_add_watch(fd.as_raw_fd(), path.as_ptr(), libc::IN_CREATE) };
    assert!(watch >= 0);
    (Arc::new(fd.into()), dir)
}

/// A terminal, as the program has it that draws one; and what writes to its screen.
fn terminal() -> (Arc<op::Descriptor>, File) {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_NONBLOCK | libc::O_CLOEXEC;
    // SAFETY: takes integers.
    let master = unsafe { libc::posix_openpt(flags) };
    assert!(master >= 0);
    // SAFETY: takes an integer.
    assert_eq!(unsafe { libc::unlockpt(master) }, 0);
    // SAFETY: takes integers.
    let slave = unsafe { libc::ioctl(master, libc::TIOCGPTPEER, flags) };
    assert!(slave >= 0);
    // SAFETY: the kernel has just made both.
    let ours = |fd| unsafe { OwnedFd::from_raw_fd(fd) };
    (Arc::new(ours(master).into()), ours(slave).into())
}

/// Drops a read of an inotify that was told of an event, and reads again.
fn drop_one<F>(reactor: &Reactor, read: impl Fn(Arc<op::Descriptor>) -> F) -> F::Output
where
    F: Future + Unpin,
{
    let (fd, dir) = inotify();
    let event = || std::fs::write(dir.join("file"), "").unwrap();
    let output = drop_one_of(reactor, &fd, event, read);
    std::fs::remove_dir_all(&dir).unwrap();
    output
}

fn drop_one_of<F>(
    reactor: &Reactor,
    fd: &Arc<op::Descriptor>,
    event: impl FnOnce(),
    read: impl Fn(Arc<op::Descriptor>) -> F,
) -> F::Output
where
    F: Future + Unpin,
{
    let flag = Flag::new(reactor);
    let mut dropped = read(Arc::clone(fd));
    let waker = Waker::from(Arc::clone(&flag));
    assert!(poll_once(&mut dropped, &waker).is_pending());
    reactor.turn(Some(Duration::ZERO)).unwrap();
    event();
    turn_until(reactor, || flag.count() > 0);
    drop(dropped);
    block_on(reactor, read(Arc::clone(fd)))
}

#[test]
fn a_dropped_read_of_it_takes_nothing() {
    for_each_driver(|reactor| {
        let (n, buf) = drop_one(reactor, |fd| {
            let buf = Vec::with_capacity(4096);
            op::submit(op::Read { fd, buf, offset: 0 })
        });
        assert!(n.unwrap() > 0 && buf.windows(4).any(|part| part == b"file"));
        let (n, bufs) = drop_one(reactor, |fd| {
            let bufs = vec![Vec::with_capacity(4096)];
            op::submit(op::ReadV::new(fd, bufs, u64::MAX))
        });
        assert!(n.unwrap() > 0 && bufs[0].windows(4).any(|part| part == b"file"));
    });
}

/// Another device may not heed its mode; a terminal does.
#[test]
fn a_dropped_read_of_a_terminal_takes_nothing() {
    for_each_driver(|reactor| {
        let (fd, mut screen) = terminal();
        let draw = || screen.write_all(b"text").unwrap();
        let (n, buf) = drop_one_of(reactor, &fd, draw, |fd| {
            let buf = Vec::with_capacity(4096);
            op::submit(op::Read { fd, buf, offset: 0 })
        });
        assert_eq!((n.unwrap(), &buf[..]), (4, &b"text"[..]));
    });
}
