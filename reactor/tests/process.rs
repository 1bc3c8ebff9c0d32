//! Forks and refusals: what a reactor says where it may not run.

mod common;
use common::deny::{URING, deny};
use common::*;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::panic::Location;
use std::pin::Pin;
use std::process::Command;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use wakeline_context::Kind;
use wakeline_reactor::time::sleep;
use wakeline_reactor::{
    Config, Direction, DriverKind, ForkedRuntime, Reactor, SetupError, enter_lazy, probe,
};

/// Runs `child` in a fork and returns its verdict.
fn in_fork(child: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child runs `child`, which allocates and makes system calls
    // (glibc permits both after a fork), and leaves by `_exit`.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let verdict = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child));
        // SAFETY: ends the process.
        unsafe { libc::_exit(i32::from(!matches!(verdict, Ok(true)))) }
    }
    let mut status = 0;
    // SAFETY: `status` is writable; the child is ours.
    assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
    libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
}

fn is_forked(error: &std::io::Error) -> bool {
    error
        .get_ref()
        .is_some_and(|inner| inner.is::<ForkedRuntime>())
}

#[test]
fn a_forked_child_is_refused_and_the_parent_goes_on() {
    for_each_driver(|reactor| {
        let (source, mut other) = half_pair();
        let mut wait = source.ready(Direction::Read, Kind::Read, Location::caller());
        assert!(poll_once(&mut wait, Waker::noop()).is_pending());
        reactor.turn(Some(Duration::ZERO)).unwrap();
        let (fresh, _fresh_other) = half_pair();
        assert!(in_fork(|| {
            let turned = reactor.turn(Some(Duration::ZERO));
            let mut armed = fresh.ready(Direction::Read, Kind::Read, Location::caller());
            let Poll::Ready(Err(refused)) = poll_once(&mut armed, Waker::noop()) else {
                return false;
            };
            // Dropping what is armed must not disarm the parent's.
            let _ = reactor.drain(Duration::ZERO);
            is_forked(&turned.unwrap_err()) && is_forked(&refused)
        }));
        std::io::Write::write_all(&mut other, b"x").unwrap();
        block_on(reactor, wait).unwrap();
    });
}

#[test]
fn a_forked_child_may_make_a_reactor_of_its_own() {
    for_each_driver(|reactor| {
        let kind = reactor.backend().kind();
        assert!(in_fork(|| {
            let own = Reactor::new(&config(kind)).unwrap();
            let _entered = own.enter();
            let (source, mut other) = half_pair();
            std::io::Write::write_all(&mut other, b"x").unwrap();
            block_on(&own, read_some(&source, &mut [0])).unwrap() == 1
        }));
    });
}

#[test]
fn the_inner_test_of_a_refused_ring() {
    // Does its work when run by the tests below, in a process of its own.
    let Ok(expected) = std::env::var("WAKELINE_TEST_REFUSED") else {
        return;
    };
    if expected == "ulimit -n" || expected.starts_with("env ") {
        return;
    }
    let backend = probe(&Config::default()).unwrap();
    println!("{backend}");
    assert_eq!(backend.kind(), DriverKind::Epoll);
    assert!(backend.reason().contains(&expected), "{backend}");
    let error = Reactor::new(&Config::default().driver(DriverKind::Uring)).unwrap_err();
    println!("{error}");
    let setup = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<SetupError>())
        .unwrap();
    assert!(!setup.hint().is_empty());
    let reactor = Reactor::new(&Config::default()).unwrap();
    let _entered = reactor.enter();
    let (source, mut other) = half_pair();
    std::io::Write::write_all(&mut other, b"x").unwrap();
    assert_eq!(block_on(&reactor, read_some(&source, &mut [0])).unwrap(), 1);
}

fn run_inner(expected: &str, prepare: fn() -> std::io::Result<()>) {
    run_test("the_inner_test_of_a_refused_ring", expected, prepare);
}

fn run_test(test: &str, expected: &str, prepare: fn() -> std::io::Result<()>) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", test, "--nocapture"])
        .env("WAKELINE_TEST_REFUSED", expected)
        .env_remove("WAKELINE_DRIVER");
    // SAFETY: `prepare` makes system calls only, as is allowed between fork and exec.
    unsafe { command.pre_exec(prepare) };
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

fn refuse(errno: i32) -> std::io::Result<()> {
    deny(errno, &URING)
}

#[test]
fn a_sandbox_that_forbids_rings_is_named() {
    run_inner("seccomp", || refuse(libc::EPERM));
}

#[test]
fn a_kernel_without_rings_is_named() {
    run_inner("no io_uring", || refuse(libc::ENOSYS));
}

#[test]
fn a_memory_limit_is_named() {
    run_inner("ulimit -l", || refuse(libc::ENOMEM));
}

/// A filter is its thread's alone.
fn turn_denied(errno: libc::c_int) -> std::io::Error {
    let denied = move || {
        let reactor = Reactor::new(&Config::default().driver(DriverKind::Uring)).unwrap();
        let _entered = reactor.enter();
        let listener = quiet_listener(&reactor);
        refuse(errno).unwrap();
        drop(listener); // which asks the kernel at once, and cannot tell
        reactor.turn(None).unwrap_err()
    };
    std::thread::spawn(denied).join().unwrap()
}

#[test]
fn a_ring_that_fails_later_says_what_and_what_to_try() {
    if !drivers().contains(&DriverKind::Uring) {
        return;
    }
    for errno in [libc::EPERM, libc::EACCES, libc::ENOSYS] {
        let error = turn_denied(errno).to_string();
        for word in ["io_uring_enter", "sandbox", "driver epoll"] {
            assert!(error.contains(word), "{error}");
        }
    }
    let lost = turn_denied(libc::EBADR).to_string();
    assert!(lost.contains("has lost completions"), "{lost}");
}

#[test]
fn the_inner_test_of_used_up_descriptors() {
    if std::env::var("WAKELINE_TEST_REFUSED").as_deref() != Ok("ulimit -n") {
        return;
    }
    let rings = drivers().contains(&DriverKind::Uring);
    let mut files = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        files.push(file);
    }
    // At each step of the set-up another descriptor is the one too many.
    for spare in 0..6 {
        let error = match Reactor::new(&Config::default()) {
            Err(error) => error,
            Ok(_) => return assert!(spare > 1, "a reactor has descriptors"),
        };
        assert!(
            error.to_string().contains("ulimit -n"),
            "{spare} to spare: {error}"
        );
        assert!(
            error
                .get_ref()
                .is_some_and(|inner| inner.is::<SetupError>())
        );
        if rings {
            let config = Config::default().driver(DriverKind::Uring);
            let uring = Reactor::new(&config).unwrap_err().to_string();
            assert!(uring.contains("ulimit -n"), "{uring}");
            assert!(!uring.contains("or epoll"), "{uring}");
        }
        if spare == 0 {
            a_timer_that_cannot_wait_says_why();
        }
        files.pop();
    }
    panic!("six descriptors are enough");
}

fn a_timer_that_cannot_wait_says_why() {
    let config = Config::default();
    let _entered = enter_lazy(Arc::new(config), Box::new(|_| {}));
    let mut sleep = sleep(Duration::from_secs(1));
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = Pin::new(&mut sleep).poll(&mut Context::from_waker(Waker::noop()));
    }))
    .unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(message.contains("ulimit -n"), "{message}");
    assert!(
        !message.contains("block_on"),
        "it is inside of one: {message}"
    );
}

#[test]
fn the_limit_of_descriptors_is_named() {
    let test = "the_inner_test_of_used_up_descriptors";
    run_test(test, "ulimit -n", few_descriptors);
}

fn few_descriptors() -> std::io::Result<()> {
    let limit = libc::rlimit {
        rlim_cur: 30,
        rlim_max: 30,
    };
    // SAFETY: `limit` is read during the call.
    match unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

#[test]
fn the_inner_test_of_descriptors_that_come_back() {
    if std::env::var("WAKELINE_TEST_REFUSED").as_deref() != Ok("for a while") {
        return;
    }
    let uring = || probe(&Config::default().driver(DriverKind::Uring));
    let mut files = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        files.push(file);
    }
    // One is left for the eventfd, and none for a ring.
    files.pop();
    assert!(uring().unwrap_err().to_string().contains("ulimit -n"));
    drop(files);
    uring().expect("there was one before, and nothing has changed");
}

#[test]
fn a_ring_may_be_had_when_there_are_descriptors_again() {
    if drivers().contains(&DriverKind::Uring) {
        let test = "the_inner_test_of_descriptors_that_come_back";
        run_test(test, "for a while", few_descriptors);
    }
}

#[test]
fn the_inner_test_of_the_environment() {
    let Ok(expected) = std::env::var("WAKELINE_TEST_REFUSED") else {
        return;
    };
    match expected.as_str() {
        "env epoll" => {
            let backend = probe(&Config::default()).unwrap();
            assert_eq!(backend.to_string(), "epoll (asked for)");
        }
        "env kqueue" | "env \u{fffd}" => {
            let error = probe(&Config::default()).unwrap_err();
            assert!(
                error.to_string().starts_with("read WAKELINE_DRIVER"),
                "{error}"
            );
            let named = probe(&Config::default().driver(DriverKind::Epoll)).unwrap();
            assert_eq!(
                named.kind(),
                DriverKind::Epoll,
                "it decides for `Auto` only"
            );
        }
        _ => {}
    }
}

#[test]
fn the_environment_decides_where_the_program_does_not() {
    for name in [&b"epoll"[..], b"kqueue", b"\xff"] {
        let expected = format!("env {}", String::from_utf8_lossy(name));
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_inner_test_of_the_environment"])
            .env("WAKELINE_TEST_REFUSED", expected)
            .env("WAKELINE_DRIVER", OsStr::from_bytes(name))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
}
