//! Reads and writes where a sandbox says no (EPERM) to `preadv2` and `pwritev2`: to
//! each that says whether it may wait, since it knows no such call.

mod common;
use common::deny::deny;
use common::*;
use std::io::Seek;
use std::sync::Arc;
use wakeline_reactor::{Config, LateWake, Offload, Reactor, op};

/// A job runs where it is handed over, and so under the same filter.
struct Here;

impl Offload for Here {
    fn offload(&self, job: Box<dyn FnOnce() -> LateWake + Send>) -> std::io::Result<()> {
        drop(job());
        Ok(())
    }
}

fn write(reactor: &Reactor, fd: &Arc<op::Descriptor>, offset: u64) {
    let (fd, buf) = (Arc::clone(fd), b"head".to_vec());
    let (n, _) = block_on(
        reactor,
        op::submit(op::Write {
            fd: Arc::clone(&fd),
            buf,
            offset,
        }),
    );
    assert_eq!(n.unwrap(), 4);
    let parts = vec![b"bo".to_vec(), b"dy".to_vec()];
    let offset = offset.saturating_add(4);
    let (n, _) = block_on(reactor, op::submit(op::WriteV::new(fd, parts, offset)));
    assert_eq!(n.unwrap(), 4);
}

fn read(reactor: &Reactor, fd: &Arc<op::Descriptor>, offset: u64) {
    let (fd, buf) = (Arc::clone(fd), Vec::with_capacity(4));
    let (n, buf) = block_on(
        reactor,
        op::submit(op::Read {
            fd: Arc::clone(&fd),
            buf,
            offset,
        }),
    );
    assert_eq!((n.unwrap(), &buf[..]), (4, &b"head"[..]));
    let parts = vec![Vec::with_capacity(2), Vec::with_capacity(2)];
    let offset = offset.saturating_add(4);
    let (n, parts) = block_on(reactor, op::submit(op::ReadV::new(fd, parts, offset)));
    assert_eq!((n.unwrap(), parts.concat()), (4, b"body".to_vec()));
}

fn everything(reactor: &Reactor) {
    let path = std::env::temp_dir().join(format!("wakeline-denied-{}", std::process::id()));
    let mut options = std::fs::File::options();
    let mut file = options
        .read(true)
        .write(true)
        .create(true)
        .open(&path)
        .unwrap();
    std::fs::remove_file(&path).unwrap();
    let fd = Arc::new(op::Descriptor::from(file.try_clone().unwrap()));
    write(reactor, &fd, 2);
    read(reactor, &fd, 2);
    // At its own position.
    write(reactor, &fd, u64::MAX);
    file.rewind().unwrap();
    read(reactor, &fd, u64::MAX);
    let (reader, writer) = std::io::pipe().unwrap();
    let (reader, writer) = (Arc::new(reader.into()), Arc::new(writer.into()));
    write(reactor, &writer, 7);
    read(reactor, &reader, 7);
}

#[test]
fn reads_and_writes_go_on_by_older_calls() {
    for kind in drivers() {
        eprintln!("on {kind}");
        let denied = move || {
            let config = Config::default().driver(kind).offload(Arc::new(Here));
            let reactor = Reactor::new(&config).unwrap();
            let _entered = reactor.enter();
            // A filter is its thread's alone.
            deny(libc::EPERM, &[libc::SYS_preadv2, libc::SYS_pwritev2]).expect("filters are known");
            everything(&reactor);
        };
        std::thread::spawn(denied).join().unwrap();
    }
}
