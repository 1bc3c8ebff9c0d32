//! A runtime dropped with reads in flight: no hang, and no write into freed memory.

mod support;

use std::fs::{self, File};
use std::future::pending;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use support::{Chance, alloc, for_each_backend, setting};
use wakeline::net::UnixStream;
use wakeline::{spawn, yield_now};
use wakeline_reactor::op;

#[global_allocator]
static ALLOCATOR: alloc::Watching = alloc::Watching;

/// Large enough that a disk is still busy with it when the runtime goes.
const FILE: usize = 8 << 20;

/// A file read past the page cache, where the file system can do that.
fn direct_file() -> Option<(PathBuf, Arc<op::Descriptor>)> {
    let path = std::env::temp_dir().join(format!("wakeline-direct-{}", std::process::id()));
    fs::write(&path, vec![1; FILE]).expect("room for 8 MiB");
    match File::options()
        .read(true)
        .custom_flags(libc::O_DIRECT)
        .open(&path)
    {
        Ok(file) => Some((path, Arc::new(file.into()))),
        Err(error) => {
            eprintln!("-- no O_DIRECT in {}: {error}", path.display());
            let _ = fs::remove_file(&path);
            None
        }
    }
}

/// Starts reads of all kinds, drops the runtime at a random moment, and writes
/// to what was read from only then: a read that the kernel still had would now
/// fill a buffer that is freed.
fn drop_once(
    runtime: wakeline::Runtime,
    chance: &mut Chance,
    direct: Option<&Arc<op::Descriptor>>,
) {
    let (pipe, mut pipe_writer) = std::io::pipe().unwrap();
    let pipe = Arc::new(op::Descriptor::from(pipe));
    let (socket, mut socket_writer) = std::os::unix::net::UnixStream::pair().unwrap();
    let owned = Arc::new(op::Descriptor::from(socket.try_clone().unwrap()));
    let moment = chance.below(6);
    let abandoned = chance.one_in(2);
    runtime.block_on(async {
        let buffer = || Vec::with_capacity(alloc::WATCHED);
        for fd in [&pipe, &owned] {
            let read = op::Read {
                fd: Arc::clone(fd),
                buf: buffer(),
                offset: u64::MAX,
            };
            if abandoned {
                drop(op::submit(read));
            } else {
                drop(spawn(async move {
                    let _ = op::submit(read).await;
                    pending::<()>().await
                }));
            }
        }
        if let Some(direct) = direct {
            let read = op::Read {
                fd: Arc::clone(direct),
                buf: Vec::with_capacity(FILE),
                offset: 0,
            };
            drop(spawn(async move {
                let _ = op::submit(read).await;
                pending::<()>().await
            }));
        }
        let stream = UnixStream::from_std(socket).unwrap();
        drop(spawn(async move {
            let mut buf = vec![0; alloc::WATCHED];
            let _ = stream.read(&mut buf).await;
            pending::<()>().await
        }));
        for _ in 0..moment {
            yield_now().await;
        }
    });
    if chance.one_in(4) {
        let report = runtime.shutdown(Duration::ZERO);
        assert_eq!(report.leaked_operations, 0, "{report:?}");
    } else {
        drop(runtime);
    }
    let _ = pipe_writer.write_all(&[2; 4096]);
    let _ = socket_writer.write_all(&[2; 4096]);
}

#[test]
fn at_random_points_nothing_hangs_and_no_freed_memory_is_written() {
    let seed = Chance::new();
    let direct = direct_file();
    let drops = setting("WAKELINE_TEST_RUNTIME_DROPS", 1_000);
    for_each_backend(|backend| {
        let mut chance = seed.fork(1);
        for round in 0..drops {
            // Both ways of watching: by pattern, and by taking the pages away.
            alloc::protect_freed(round % 2 == 1);
            let workers = 1 + (round / 2 % 2) as usize;
            // The disk is the slow part: in every tenth round.
            let direct = direct
                .as_ref()
                .filter(|_| round % 20 < 2)
                .map(|(_, file)| file);
            drop_once(backend.runtime(workers), &mut chance, direct);
            assert_eq!(alloc::disturbed(), 0, "round {round} on {}", backend.name());
        }
        alloc::protect_freed(false);
    });
    if let Some((path, _)) = direct {
        let _ = fs::remove_file(path);
    }
}
