//! Opens where `openat2` with `RESOLVE_CACHED` is refused: by a kernel that does not know
//! the one or the other, or by a filter before it.

mod common;
use common::deny::deny;
use common::*;
use std::io;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use wakeline_reactor::{Config, DriverKind, LateWake, Offload, Reactor, op};

/// A job runs where it is handed over, and is counted.
#[derive(Default)]
struct Here(AtomicUsize);

impl Offload for Here {
    fn offload(&self, job: Box<dyn FnOnce() -> LateWake + Send>) -> io::Result<()> {
        self.0.fetch_add(1, Ordering::SeqCst);
        drop(job());
        Ok(())
    }
}

/// Whether an open with `flags` takes a job. On epoll: what is had at once is so before a
/// driver hears of it, and a ring has jobs of its own.
fn takes_a_job(flags: i32) -> bool {
    let here = Arc::new(Here::default());
    let config = Config::default().driver(DriverKind::Epoll);
    let reactor = Reactor::new(&config.offload(here.clone())).unwrap();
    let _entered = reactor.enter();
    let open = op::OpenAt {
        dir: None,
        path: c"/".into(),
        flags: libc::O_RDONLY | flags,
        mode: 0,
    };
    block_on(&reactor, op::submit(open)).0.unwrap();
    here.0.load(Ordering::SeqCst) > 0
}

#[test]
fn the_inner_test_where_an_open_is_refused() {
    let Ok(errno) = std::env::var("WAKELINE_TEST_REFUSED") else {
        return; // it is for the test below
    };
    if takes_a_job(0) {
        return eprintln!("not tested: nothing is opened at once here");
    }
    let unknown_flag = 1 << 30;
    assert!(
        takes_a_job(unknown_flag),
        "`open` takes it, `openat2` does not"
    );
    assert!(!takes_a_job(0), "the flag was at fault, not the call");
    let denied = move || {
        // A filter is its thread's alone.
        deny(errno.parse().unwrap(), &[libc::SYS_openat2]).expect("filters are known");
        takes_a_job(0)
    };
    assert!(std::thread::spawn(denied).join().unwrap());
    assert!(takes_a_job(0), "it is remembered: nobody tries");
}

/// As processes of their own: what is remembered is so by the whole process.
#[test]
fn who_refuses_the_call_is_not_asked_again() {
    for errno in [libc::ENOSYS, libc::EINVAL, libc::EPERM] {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_inner_test_where_an_open_is_refused"])
            .arg("--nocapture")
            .env("WAKELINE_TEST_REFUSED", errno.to_string())
            .output()
            .unwrap();
        eprintln!("{errno}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success());
    }
}
