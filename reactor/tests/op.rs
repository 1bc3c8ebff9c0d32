//! One-shot operations: results, buffers back, and cancelling.

mod common;
use common::*;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::net::TcpListener;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;
use wakeline_reactor::{Config, DriverKind, Offload, Reactor, op};

fn temp_file(content: &[u8]) -> File {
    let path = std::env::temp_dir().join(format!(
        "wakeline-op-{}-{:?}",
        std::process::id(),
        std::thread::current().id()
    ));
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(&path)
        .unwrap();
    std::fs::remove_file(&path).unwrap();
    file.write_all(content).unwrap();
    file.rewind().unwrap();
    file
}

fn pipe() -> (Arc<op::Descriptor>, File) {
    let (read, write) = std::io::pipe().unwrap();
    (
        Arc::new(op::Descriptor::from(read)),
        File::from(OwnedFd::from(write)),
    )
}

#[test]
fn a_file_is_read_at_an_offset_into_the_spare_capacity() {
    for_each_driver(|reactor| {
        let fd = Arc::new(op::Descriptor::from(temp_file(b"0123456789")));
        let mut buf = Vec::with_capacity(100);
        buf.extend_from_slice(b"> ");
        let (n, buf) = block_on(reactor, op::submit(op::Read { fd, buf, offset: 4 }));
        assert_eq!(n.unwrap(), 6);
        assert_eq!(buf, b"> 456789");
        turn_until(reactor, || reactor.metrics().ops_in_flight == 0);
    });
}

/// On the disk, and not in memory, as far as the file system has both.
fn cold_file(content: &[u8]) -> File {
    let file = temp_file(content);
    file.sync_all().unwrap();
    // SAFETY: takes integers.
    let told = unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
    assert_eq!(told, 0);
    file
}

/// Watching a file tells nothing, and takes a descriptor: there may be none left.
#[test]
fn a_file_that_is_not_in_memory_is_read_and_never_watched() {
    for_each_driver(|reactor| {
        for vectored in [false, true] {
            let fd = Arc::new(op::Descriptor::from(cold_file(&[7; 1 << 13])));
            let before = reactor.metrics().controls;
            let (n, buf) = if vectored {
                let bufs = vec![Vec::with_capacity(8)];
                let read = op::submit(op::ReadV::new(fd, bufs, 4096));
                let (n, mut bufs) = block_on(reactor, read);
                (n, bufs.remove(0))
            } else {
                let buf = Vec::with_capacity(8);
                let offset = 4096;
                block_on(reactor, op::submit(op::Read { fd, buf, offset }))
            };
            assert_eq!((n.unwrap(), &buf[..]), (8, &[7; 8][..]));
            assert_eq!(reactor.metrics().controls, before);
        }
    });
}

#[test]
fn the_end_of_a_file_is_nothing_read() {
    for_each_driver(|reactor| {
        let fd = Arc::new(op::Descriptor::from(temp_file(b"0123")));
        let read = |capacity, offset| {
            let fd = Arc::clone(&fd);
            let buf = Vec::with_capacity(capacity);
            block_on(reactor, op::submit(op::Read { fd, buf, offset }))
        };
        assert_eq!(read(8, 4).0.unwrap(), 0);
        assert_eq!(read(0, 0).0.unwrap(), 0, "no room");
        let bufs = vec![Vec::with_capacity(8)];
        let at_end = op::ReadV::new(Arc::clone(&fd), bufs, 4);
        assert_eq!(block_on(reactor, op::submit(at_end)).0.unwrap(), 0);
    });
}

#[test]
fn a_file_is_written_and_synced() {
    for_each_driver(|reactor| {
        let file = temp_file(b"aaaaaa");
        let fd = Arc::new(op::Descriptor::from(file.try_clone().unwrap()));
        let write = op::Write {
            fd: Arc::clone(&fd),
            buf: b"XY".to_vec(),
            offset: 2,
        };
        let (n, buf) = block_on(reactor, op::submit(write));
        assert_eq!((n.unwrap(), buf), (2, b"XY".to_vec()));
        for data_only in [false, true] {
            let fsync = op::Fsync {
                fd: Arc::clone(&fd),
                data_only,
            };
            block_on(reactor, op::submit(fsync)).0.unwrap();
        }
        let mut text = String::new();
        (&file).read_to_string(&mut text).unwrap();
        assert_eq!(text, "aaXYaa");
    });
}

#[test]
fn a_path_is_opened_and_its_errors_are_told() {
    for_each_driver(|reactor| {
        let open = |path: &std::ffi::CStr| op::OpenAt {
            dir: None,
            path: path.to_owned(),
            flags: libc::O_RDONLY,
            mode: 0,
        };
        let (file, path) = block_on(reactor, op::submit(open(c"/proc/self/comm")));
        assert_eq!(path.as_c_str(), c"/proc/self/comm", "the path comes back");
        let mut text = String::new();
        File::from(file.unwrap()).read_to_string(&mut text).unwrap();
        assert!(!text.is_empty());
        let (missing, _) = block_on(reactor, op::submit(open(c"/no/such/file")));
        assert_eq!(missing.unwrap_err().raw_os_error(), Some(libc::ENOENT));
    });
}

fn lease(file: &File, kind: i32) -> i32 {
    // SAFETY: takes integers.
    unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, kind) }
}

/// Who holds a lease of `path`; `None`: a file system without leases.
fn leased(path: &std::path::Path) -> Option<File> {
    const F_SETSIG: i32 = 10; // of Linux
    let holder = File::open(path).unwrap();
    // A signal tells of the conflict: one that is ignored if nobody asked.
    // SAFETY: takes integers.
    let set = unsafe { libc::fcntl(holder.as_raw_fd(), F_SETSIG, libc::SIGURG) };
    assert_eq!(set, 0);
    (lease(&holder, libc::F_RDLCK) == 0).then_some(holder)
}

/// Whether somebody wants the lease to end.
fn is_to_end(holder: &File) -> bool {
    // SAFETY: takes integers.
    unsafe { libc::fcntl(holder.as_raw_fd(), libc::F_GETLEASE) == libc::F_UNLCK }
}

/// The lease of another opener: whoever conflicts with it waits until it is
/// given back, unless the flags say that it is not to wait.
#[test]
fn an_open_waits_for_a_lease_unless_it_is_told_not_to() {
    let path = std::env::temp_dir().join(format!("wakeline-leased-{}", std::process::id()));
    std::fs::write(&path, "12345").unwrap();
    let c_path = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
    for_each_driver(|reactor| {
        for asked in [0, libc::O_NONBLOCK] {
            let Some(holder) = leased(&path) else { return };
            let open = op::submit(op::OpenAt {
                dir: None,
                path: c_path.clone(),
                // Not from the cache, so that the first try is the driver's.
                flags: libc::O_WRONLY | libc::O_TRUNC | asked,
                mode: 0,
            });
            // A first try has begun to break the lease, and did not wait for it.
            turn_until(reactor, || is_to_end(&holder));
            if asked == 0 {
                assert_eq!(lease(&holder, libc::F_UNLCK), 0);
                block_on(reactor, open).0.unwrap();
            } else {
                let (opened, _) = block_on(reactor, open);
                let error = opened.unwrap_err();
                assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
            }
            turn_until(reactor, || reactor.metrics().ops_in_flight == 0);
        }
    });
    std::fs::remove_file(path).unwrap();
}

/// What has the path may be another thing by the time of another try: one that
/// an open would wait for, for ever.
#[test]
fn who_waits_for_a_lease_does_not_wait_for_what_takes_its_path() {
    let path = std::env::temp_dir().join(format!("wakeline-swapped-{}", std::process::id()));
    let fifo = path.with_extension("fifo");
    let c_path = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
    for_each_driver(|reactor| {
        std::fs::write(&path, "12345").unwrap();
        let Some(holder) = leased(&path) else { return };
        make_fifo(&fifo);
        let open = op::submit(op::OpenAt {
            dir: None,
            path: c_path.clone(),
            flags: libc::O_WRONLY | libc::O_TRUNC,
            mode: 0,
        });
        turn_until(reactor, || is_to_end(&holder));
        std::fs::rename(&fifo, &path).unwrap();
        // The lease is still held: the path is what is asked for again, and a
        // FIFO that nobody reads says so.
        let error = block_on(reactor, open).0.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENXIO));
        std::fs::remove_file(&path).unwrap();
        turn_until(reactor, || reactor.metrics().ops_in_flight == 0);
    });
}

#[test]
fn what_the_kernel_has_in_its_cache_is_opened_without_a_turn() {
    let path = std::env::temp_dir().join(format!("wakeline-cached-{}", std::process::id()));
    std::fs::write(&path, "12345").unwrap();
    let c_path = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
    for_each_driver(|reactor| {
        let mut open = op::submit(op::OpenAt {
            dir: None,
            path: c_path.clone(),
            flags: libc::O_RDWR,
            mode: 0,
        });
        let Poll::Ready((file, _)) = poll_once(&mut open, Waker::noop()) else {
            panic!("a path that was just used is in the cache");
        };
        let fd = Arc::new(op::Descriptor::from(file.unwrap()));
        // SAFETY: takes integers.
        let flags = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) };
        assert_eq!(flags & libc::O_NONBLOCK, 0, "the flag of the open is gone");
        let cut = op::Ftruncate {
            fd: Arc::clone(&fd),
            length: 3,
        };
        block_on(reactor, op::submit(cut)).0.unwrap();
        let reserve = op::Fallocate {
            fd: Arc::clone(&fd),
            mode: libc::FALLOC_FL_KEEP_SIZE,
            offset: 0,
            length: 8192,
        };
        block_on(reactor, op::submit(reserve)).0.unwrap();
        let (stat, ()) = block_on(reactor, op::submit(op::Statx::of(fd)));
        let by_path = op::Statx::at(None, c_path.clone(), 0);
        let (same, ()) = block_on(reactor, op::submit(by_path));
        assert_eq!((stat.unwrap().size, same.unwrap().size), (3, 3));
        turn_until(reactor, || reactor.metrics().ops_in_flight == 0);
    });
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_pipe_is_waited_for_without_being_read() {
    for_each_driver(|reactor| {
        let (fd, mut write) = pipe();
        let mut readable = op::submit(op::Readable {
            fd: Arc::clone(&fd),
        });
        assert!(poll_once(&mut readable, Waker::noop()).is_pending());
        write.write_all(b"x").unwrap();
        block_on(reactor, readable).0.unwrap();
        let buf = Vec::with_capacity(8);
        let (n, _) = block_on(reactor, op::submit(op::Read { fd, buf, offset: 0 }));
        assert_eq!(n.unwrap(), 1, "nothing was taken");
        turn_until(reactor, || reactor.metrics().ops_in_flight == 0);
    });
}

#[test]
fn a_pipe_read_waits_for_its_bytes() {
    for_each_driver(|reactor| {
        let (fd, mut write) = pipe();
        let mut read = op::submit(op::Read {
            fd,
            buf: Vec::with_capacity(8),
            offset: u64::MAX,
        });
        assert!(poll_once(&mut read, Waker::noop()).is_pending());
        reactor.turn(Some(Duration::ZERO)).unwrap();
        assert!(poll_once(&mut read, Waker::noop()).is_pending());
        write.write_all(b"late").unwrap();
        let (n, buf) = block_on(reactor, read);
        assert_eq!((n.unwrap(), buf), (4, b"late".to_vec()));
    });
}

#[test]
fn an_operation_makes_progress_without_being_polled() {
    for_each_driver(|reactor| {
        let (fd, mut reader) = full_pipe();
        let mut write = stuck_write(&fd);
        reactor.turn(Some(Duration::ZERO)).unwrap();
        reader.read_exact(&mut [0; 1 << 16]).unwrap();
        turn_until(reactor, || reactor.metrics().ops_in_flight == 0);
        assert!(poll_once(&mut write, Waker::noop()).is_ready());
    });
}

#[test]
fn a_non_blocking_pipe_waits_all_the_same() {
    for_each_driver(|reactor| {
        let (fd, mut write) = pipe();
        // SAFETY: takes integers; the descriptor is ours.
        unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
        let mut read = op::submit(op::Read {
            fd,
            buf: Vec::with_capacity(8),
            offset: u64::MAX,
        });
        reactor.turn(Some(Duration::ZERO)).unwrap();
        reactor.turn(Some(Duration::ZERO)).unwrap();
        assert!(poll_once(&mut read, Waker::noop()).is_pending());
        write.write_all(b"late").unwrap();
        let (n, _) = block_on(reactor, read);
        assert_eq!(n.unwrap(), 4);
    });
}

#[test]
fn a_cancelled_read_gives_its_buffer_back_and_takes_no_byte() {
    for_each_driver(|reactor| {
        let (fd, mut write) = pipe();
        let buf = Vec::with_capacity(77);
        let read = op::submit(op::Read {
            fd: Arc::clone(&fd),
            buf,
            offset: u64::MAX,
        });
        reactor.turn(Some(Duration::ZERO)).unwrap();
        let (n, buf) = block_on(reactor, read.cancel());
        assert_eq!(n.unwrap_err().raw_os_error(), Some(libc::ECANCELED));
        assert_eq!((buf.len(), buf.capacity()), (0, 77));
        write.write_all(b"kept").unwrap();
        let read = op::submit(op::Read {
            fd,
            buf,
            offset: u64::MAX,
        });
        assert_eq!(block_on(reactor, read).0.unwrap(), 4);
    });
}

#[test]
fn an_operation_cancelled_before_it_was_sent_never_ran() {
    for_each_driver(|reactor| {
        let (fd, _reader) = full_pipe();
        let mut cancel = stuck_write(&fd).cancel();
        let Poll::Ready((n, _)) = poll_once(&mut cancel, Waker::noop()) else {
            panic!("the kernel never had it");
        };
        assert_eq!(n.unwrap_err().raw_os_error(), Some(libc::ECANCELED));
        assert_eq!(reactor.metrics().ops_in_flight, 0);
    });
}

#[test]
fn a_dropped_operation_wakes_nobody() {
    for_each_driver(|reactor| {
        for sent in [false, true] {
            let (fd, _reader) = full_pipe();
            let flag = Flag::new(reactor);
            let mut write = stuck_write(&fd);
            assert!(poll_once(&mut write, &Waker::from(Arc::clone(&flag))).is_pending());
            if sent {
                reactor.turn(Some(Duration::ZERO)).unwrap();
            }
            drop(write);
            turn_until(reactor, || reactor.metrics().ops_in_flight == 0);
            assert_eq!(flag.count(), 0);
            assert_eq!(Arc::strong_count(&flag), 1);
        }
    });
}

#[test]
fn a_dropped_operation_frees_its_descriptor() {
    for_each_driver(|reactor| {
        let (fd, _reader) = full_pipe();
        let write = stuck_write(&fd);
        reactor.turn(Some(Duration::ZERO)).unwrap();
        drop(write);
        turn_until(reactor, || Arc::strong_count(&fd) == 1);
        assert_eq!(reactor.metrics().ops_in_flight, 0);
    });
}

#[test]
fn a_dropped_read_of_a_pipe_stops_waiting() {
    for_each_driver(|reactor| {
        for sent in [false, true] {
            let (fd, mut write) = pipe();
            let flag = Flag::new(reactor);
            let mut read = op::submit(op::Read {
                fd: Arc::clone(&fd),
                buf: Vec::with_capacity(8),
                offset: 0,
            });
            assert!(poll_once(&mut read, &Waker::from(Arc::clone(&flag))).is_pending());
            if sent {
                reactor.turn(Some(Duration::ZERO)).unwrap();
            }
            drop(read);
            write.write_all(b"kept").unwrap();
            turn_until(reactor, || Arc::strong_count(&fd) == 1);
            assert_eq!(reactor.metrics().ops_in_flight, 0);
            assert_eq!((flag.count(), Arc::strong_count(&flag)), (0, 1));
        }
    });
}

#[test]
fn a_read_of_a_pipe_may_move_to_another_reactor() {
    for_each_driver(|reactor| {
        let (fd, mut write) = pipe();
        let mut read = op::submit(op::Read {
            fd,
            buf: Vec::with_capacity(8),
            offset: 0,
        });
        let flag = Flag::new(reactor);
        assert!(poll_once(&mut read, &Waker::from(Arc::clone(&flag))).is_pending());
        reactor.turn(Some(Duration::ZERO)).unwrap();
        write.write_all(b"moved").unwrap();
        turn_until(reactor, || flag.count() == 1);
        // What was waited for here is taken by a poll there.
        let (n, buf) = std::thread::spawn(move || {
            let there = Reactor::new(&Config::default()).unwrap();
            let _entered = there.enter();
            block_on(&there, read)
        })
        .join()
        .unwrap();
        assert_eq!((n.unwrap(), buf), (5, b"moved".to_vec()));
    });
}

#[test]
fn a_cancel_after_the_wait_takes_no_byte() {
    for_each_driver(|reactor| {
        let (fd, mut write) = pipe();
        let read = |buf| {
            op::submit(op::Read {
                fd: Arc::clone(&fd),
                buf,
                offset: 0,
            })
        };
        let mut first = read(Vec::with_capacity(8));
        let flag = Flag::new(reactor);
        assert!(poll_once(&mut first, &Waker::from(Arc::clone(&flag))).is_pending());
        reactor.turn(Some(Duration::ZERO)).unwrap();
        write.write_all(b"kept").unwrap();
        turn_until(reactor, || flag.count() == 1);
        let (n, buf) = block_on(reactor, first.cancel());
        assert_eq!(n.unwrap_err().raw_os_error(), Some(libc::ECANCELED));
        assert_eq!(block_on(reactor, read(buf)).1, b"kept");
    });
}

#[test]
fn an_operation_dropped_on_another_thread_is_cancelled_too() {
    for_each_driver(|reactor| {
        let (fd, _reader) = full_pipe();
        let write = stuck_write(&fd);
        reactor.turn(Some(Duration::ZERO)).unwrap();
        std::thread::spawn(move || drop(write)).join().unwrap();
        turn_until(reactor, || Arc::strong_count(&fd) == 1);
    });
}

#[test]
fn a_socket_connects_or_says_why_not() {
    for_each_driver(|reactor| {
        for non_blocking in [false, true] {
            // Of an address of its own, where nobody else gets the port meanwhile.
            let listener = TcpListener::bind("127.0.0.3:0").unwrap();
            let addr = listener.local_addr().unwrap();
            let socket = || {
                let socket =
                    socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)
                        .unwrap();
                socket.set_nonblocking(non_blocking).unwrap();
                Arc::new(OwnedFd::from(socket))
            };
            block_on(reactor, op::submit(op::Connect::new(socket(), addr)))
                .0
                .unwrap();
            drop(listener);
            let (refused, ()) = block_on(reactor, op::submit(op::Connect::new(socket(), addr)));
            assert_eq!(
                refused.unwrap_err().kind(),
                std::io::ErrorKind::ConnectionRefused
            );
        }
    });
}

#[test]
fn a_close_closes_also_when_nobody_waits() {
    for_each_driver(|reactor| {
        for wait in [true, false] {
            let (source, mut other) = half_pair();
            let close = op::submit(op::Close::new(source.into_fd().unwrap()));
            if wait {
                block_on(reactor, close).0.unwrap();
            } else {
                drop(close);
                turn_until(reactor, || reactor.metrics().ops_in_flight == 0);
            }
            assert_eq!(other.read(&mut [0]).unwrap(), 0);
        }
    });
}

#[test]
fn an_operation_without_a_reactor_gives_its_buffer_back() {
    let (fd, _write) = pipe();
    let buf = Vec::with_capacity(33);
    let mut read = op::submit(op::Read { fd, buf, offset: 0 });
    let Poll::Ready((n, buf)) = poll_once(&mut read, Waker::noop()) else {
        panic!("there is nobody to wait for");
    };
    assert!(
        n.unwrap_err()
            .to_string()
            .starts_with("no runtime on this thread")
    );
    assert_eq!(buf.capacity(), 33);
}

#[test]
fn a_blocking_job_hands_out_its_result_and_its_panic() {
    for_each_driver(|reactor| {
        let sum = block_on(reactor, wakeline_reactor::offload(|| 40 + 2));
        assert_eq!(sum.unwrap(), 42);
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let job = wakeline_reactor::offload(|| -> u32 { panic!("planned") });
            block_on(reactor, job)
        }));
        assert_eq!(caught.unwrap_err().downcast_ref::<&str>(), Some(&"planned"));
    });
}

/// A pool whose threads have other things to do: its jobs wait for the test.
#[derive(Default)]
struct Busy(Mutex<Vec<Job>>);

type Job = Box<dyn FnOnce() -> wakeline_reactor::LateWake + Send>;

impl Offload for Busy {
    fn offload(&self, job: Job) -> std::io::Result<()> {
        self.0.lock().unwrap().push(job);
        Ok(())
    }
}

/// By a call and not by a program: a child has a copy of each descriptor until it is
/// another program, and a listener that a test has dropped meanwhile goes on in there.
fn make_fifo(path: &std::path::Path) {
    let path = std::ffi::CString::new(path.as_os_str().as_bytes()).expect("no zero in it");
    // SAFETY: `path` ends with a zero and is only read, during the call.
    let made = unsafe { libc::mkfifo(path.as_ptr(), 0o600) };
    assert_eq!(made, 0, "mkfifo: {}", std::io::Error::last_os_error());
}

/// A FIFO, full: its writing end, and its reading end.
fn full_fifo() -> (File, File) {
    let path = std::env::temp_dir().join(format!("wakeline-op-fifo-{}", std::process::id()));
    make_fifo(&path);
    // To read and to write: it does not wait for the other end.
    let mut options = File::options();
    let reader = options.read(true).write(true).open(&path).unwrap();
    let mut writer = File::options().write(true).open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    writer.write_all(&[0; 1 << 16]).unwrap();
    (writer, reader)
}

/// A FIFO takes no call that may not wait.
#[test]
fn a_write_to_a_full_fifo_holds_no_thread() {
    let pool = Arc::new(Busy::default());
    let offload = Arc::clone(&pool) as Arc<dyn Offload>;
    let config = Config::default().driver(DriverKind::Epoll);
    let reactor = Reactor::new(&config.offload(offload)).unwrap();
    let _entered = reactor.enter();
    let (writer, mut reader) = full_fifo();
    let mut write = op::submit(op::Write {
        fd: Arc::new(writer.into()),
        buf: vec![7; 3 * libc::PIPE_BUF],
        offset: u64::MAX,
    });
    assert!(poll_once(&mut write, Waker::noop()).is_pending());
    assert_eq!(pool.0.lock().unwrap().len(), 0, "nobody reads yet");
    // Room for a part of it.
    reader.read_exact(&mut [0; libc::PIPE_BUF]).unwrap();
    turn_until(&reactor, || {
        assert!(poll_once(&mut write, Waker::noop()).is_pending());
        !pool.0.lock().unwrap().is_empty()
    });
    let jobs = std::mem::take(&mut *pool.0.lock().unwrap());
    jobs.into_iter().for_each(|job| drop(job()));
    let Poll::Ready((written, buf)) = poll_once(&mut write, Waker::noop()) else {
        panic!("the pool has done it")
    };
    assert_eq!(
        (written.unwrap(), buf.len()),
        (libc::PIPE_BUF, 3 * libc::PIPE_BUF)
    );
}
