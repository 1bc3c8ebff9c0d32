//! Where no thread can be started: the limit of processes, or that of a container.
//!
//! The kernel's own threads, which do for a ring what may block, are counted, too.

mod common;
use common::*;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::{Arc, mpsc};
use wakeline_reactor::{Config, DriverKind, LateWake, Offload, Reactor, op};

/// A user without rights: root is not held to the limit.
const NOBODY: libc::uid_t = 65_534;

type Job = Box<dyn FnOnce() -> LateWake + Send>;

/// One thread, which was there before.
struct One(mpsc::Sender<Job>);

impl One {
    fn new() -> One {
        let (jobs, taken) = mpsc::channel::<Job>();
        std::thread::spawn(move || taken.into_iter().for_each(|job| drop(job())));
        One(jobs)
    }
}

impl Offload for One {
    fn offload(&self, job: Job) -> io::Result<()> {
        self.0
            .send(job)
            .map_err(|_| io::Error::other("it has ended"))
    }
}

/// Lets the calling thread start no other; whether it does.
fn forbid_threads() -> bool {
    // SAFETY: takes integers. By the call itself, and not by libc, it is for this thread
    // alone; the test's harness has others.
    let set = unsafe { libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY) };
    if set != 0 {
        eprintln!(
            "as the same user, who is no root: {}",
            io::Error::last_os_error()
        );
    }
    let limit = libc::rlimit {
        rlim_cur: 1,
        rlim_max: 1,
    };
    // SAFETY: a valid structure, read during the call.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NPROC, &limit) }, 0);
    match Threads.offload(Box::new(LateWake::default)) {
        // Who is root, and may not become another, is not held to it.
        Ok(()) => false,
        Err(error) => {
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
            true
        }
    }
}

/// A descriptor that the kernel does not close without a thread: its file has a word to
/// say. `None` on a kernel without message queues.
fn queue() -> Option<OwnedFd> {
    let name = CString::new(format!("/wakeline-{}", std::process::id())).unwrap();
    let flags = libc::O_CREAT | libc::O_RDWR | libc::O_CLOEXEC;
    let attributes = std::ptr::null::<libc::mq_attr>();
    // SAFETY: a C string, and no attributes.
    let fd = unsafe { libc::mq_open(name.as_ptr(), flags, 0o600, attributes) };
    if fd == -1 {
        eprintln!("no message queue to close: {}", io::Error::last_os_error());
        return None;
    }
    // SAFETY: a C string.
    unsafe { libc::mq_unlink(name.as_ptr()) };
    // SAFETY: the kernel has just made it.
    Some(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn is_open(raw: RawFd) -> bool {
    // SAFETY: takes integers.
    unsafe { libc::fcntl(raw, libc::F_GETFD) != -1 }
}

fn create(reactor: &Reactor, name: &str) -> io::Result<OwnedFd> {
    let dir = std::env::var("WAKELINE_TEST_NO_THREAD").unwrap();
    let open = op::OpenAt {
        dir: None,
        path: CString::new(format!("{dir}/{name}")).unwrap(),
        flags: libc::O_WRONLY | libc::O_CREAT,
        mode: 0o600,
    };
    block_on(reactor, op::submit(open)).0
}

/// A close is done in any case, and once.
fn close<C: op::Op<Output = (), Back = ()>>(reactor: &Reactor, close: impl Fn(OwnedFd) -> C) {
    for _ in 0..3 {
        let Some(fd) = queue() else { return };
        let raw = fd.as_raw_fd();
        let (closed, ()) = block_on(reactor, op::submit(close(fd)));
        closed.unwrap();
        assert!(!is_open(raw));
    }
}

fn close_both(reactor: &Reactor) {
    close(reactor, op::Close::new);
    close(reactor, |fd| op::CloseFile::new(fd.into()));
}

#[test]
fn the_inner_test_where_no_thread_can_be_started() {
    if std::env::var_os("WAKELINE_TEST_NO_THREAD").is_none() {
        return; // it is for the test below
    }
    let reactors = drivers().into_iter().map(|kind| {
        let config = Config::default().driver(kind);
        let one = Reactor::new(&config.clone().offload(Arc::new(One::new()))).unwrap();
        (
            kind,
            one,
            Reactor::new(&config.offload(Arc::new(Threads))).unwrap(),
        )
    });
    let reactors: Vec<_> = reactors.collect();
    if !forbid_threads() {
        return eprintln!("not tested: this user starts threads beyond the limit");
    }
    for (kind, one, none) in &reactors {
        eprintln!("on {kind}");
        let entered = one.enter();
        create(one, &format!("{kind}")).unwrap();
        close_both(one);
        drop(entered);
        let _entered = none.enter();
        let error = create(none, &format!("{kind} again")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "{error}");
        assert!(!op::was_stopped(&error), "{error}");
        close_both(none);
    }
    assert!(reactors.iter().any(|(kind, ..)| *kind == DriverKind::Epoll));
}

/// Runs as a process of its own: the limit is the whole process's.
#[test]
fn what_needs_a_thread_goes_to_the_pool_or_says_so() {
    let name = format!("wakeline-no-thread-{}", std::process::id());
    let dir = std::env::temp_dir().join(name);
    std::fs::create_dir(&dir).unwrap();
    std::fs::set_permissions(&dir, PermissionsExt::from_mode(0o777)).unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_inner_test_where_no_thread_can_be_started"])
        .arg("--nocapture")
        .env("WAKELINE_TEST_NO_THREAD", &dir)
        .output()
        .unwrap();
    std::fs::remove_dir_all(&dir).unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    eprintln!("{told}");
    assert!(output.status.success());
}
