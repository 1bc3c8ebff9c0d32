use super::*;
use crate::config::{Config, DriverKind, Offload};
use crate::op::{self, Op};
use crate::reactor::Reactor;
use std::ffi::CString;
use std::io;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use wakeline_context::LateWake;

/// Runs a job where it is handed over, and counts.
#[derive(Default)]
struct Counting(AtomicUsize);

impl Offload for Counting {
    fn offload(&self, job: Box<dyn FnOnce() -> LateWake + Send>) -> io::Result<()> {
        self.0.fetch_add(1, Ordering::Relaxed);
        drop(job());
        Ok(())
    }
}

fn run<O: Op>(reactor: &Reactor, op: O) -> O::Output {
    let mut future = pin!(op::submit(op));
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..10_000 {
        if let Poll::Ready((result, _)) = future.as_mut().poll(&mut cx) {
            return result.unwrap();
        }
        reactor.turn(Some(Duration::from_millis(1))).unwrap();
    }
    panic!("it did not end in 10,000 turns");
}

/// What the ring of every kernel does, and what it may lack.
fn everything(reactor: &Reactor, dir: &Path) {
    let path = |name: &str| CString::new(dir.join(name).to_str().unwrap()).unwrap();
    let (file, other, link) = (path("file"), path("other"), path("link"));
    let (mode, flags) = (0o600, libc::O_RDWR | libc::O_CREAT);
    let open = op::OpenAt {
        dir: None,
        path: file.clone(),
        flags,
        mode,
    };
    let fd = Arc::new(op::Descriptor::from(run(reactor, open)));
    let (buf, offset) = (b"hello".to_vec(), 0);
    assert_eq!(
        run(
            reactor,
            op::Write {
                fd: Arc::clone(&fd),
                buf,
                offset
            }
        ),
        5
    );
    run(
        reactor,
        op::Ftruncate {
            fd: Arc::clone(&fd),
            length: 3,
        },
    );
    let buf = Vec::with_capacity(8);
    assert_eq!(run(reactor, op::Read { fd, buf, offset }), 3);
    let (from_dir, to_dir) = (None, None);
    run(
        reactor,
        op::LinkAt {
            from_dir,
            from: file.clone(),
            to_dir: None,
            to: other.clone(),
            flags: 0,
        },
    );
    run(
        reactor,
        op::SymlinkAt {
            target: file.clone(),
            dir: None,
            path: link.clone(),
        },
    );
    run(
        reactor,
        op::RenameAt {
            from_dir: None,
            from: other,
            to_dir,
            to: file.clone(),
            flags: 0,
        },
    );
    run(
        reactor,
        op::MkdirAt {
            dir: None,
            path: path("dir"),
            mode: 0o700,
        },
    );
    run(
        reactor,
        op::UnlinkAt {
            dir: None,
            path: link,
            flags: 0,
        },
    );
}

/// How many jobs the pool has had; `None` on a machine without rings.
fn jobs(name: &str) -> Option<usize> {
    let jobs = Arc::new(Counting::default());
    let config = Config::default().driver(DriverKind::Uring);
    let offload = Arc::clone(&jobs) as Arc<dyn Offload>;
    let reactor = Reactor::new(&config.offload(offload)).ok()?;
    let entered = reactor.enter();
    let dir = std::env::temp_dir().join(format!("wakeline-{name}-{}", std::process::id()));
    std::fs::create_dir(&dir).unwrap();
    everything(&reactor, &dir);
    std::fs::remove_dir_all(&dir).unwrap();
    drop(entered);
    Some(jobs.0.load(Ordering::Relaxed))
}

#[test]
fn what_an_old_kernel_lacks_the_pool_does() {
    // On a thread of its own, whose kernel stays old.
    let old = std::thread::spawn(|| {
        IS_OLD.set(true);
        jobs("old")
    });
    let Some(old) = old.join().unwrap() else {
        return;
    };
    assert!(old >= 6, "{old} jobs for six requests that it lacks");
}
