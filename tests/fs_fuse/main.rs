//! Files that somebody else keeps, who takes his time: a worker must not stand
//! still meanwhile. The somebody is a FUSE server in this process; a network
//! file system asks in the same places.

#[path = "../support/mod.rs"]
mod support;

mod server;

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::time::{Duration, Instant};

use futures_lite::future;
use server::{FLUSH, Fuse, GETATTR, MKDIR, OPEN, READ, SETLK, TEXT, WRITE};
use support::{alone, for_each_backend};
use wakeline::fs::{self, AtomicFile, File, LockFile, create_dir};
use wakeline::io::AsyncWriteExt;
use wakeline::task::yield_now;
use wakeline::time::sleep;
use wakeline_reactor::op::Descriptor;

/// Runs `test` with a server, on one worker; where nothing may be mounted it says so.
#[track_caller]
fn with_fuse(name: &str, test: impl AsyncFn(&Fuse) -> io::Result<()>) {
    let _alone = alone();
    for_each_backend(|backend| {
        let fuse = match Fuse::mount(name) {
            Ok(fuse) => fuse,
            Err(error) => return eprintln!("-- nothing can be mounted here: {error}"),
        };
        // The name is in the kernel's cache.
        std::fs::metadata(fuse.file()).expect("the server answers");
        backend
            .runtime(1)
            .block_on(test(&fuse))
            .unwrap_or_else(|error| panic!("on {}: {error}", backend.name()));
        assert!(!fuse.was_forsaken(), "the worker stood still");
    });
}

/// Runs `work`, for which the server thinks about a request until another task of
/// this worker tells it to go on. It must come to such a request.
async fn beside<F: Future>(fuse: &Fuse, kind: u32, work: F) -> F::Output {
    fuse.think_about(kind);
    let asked = Cell::new(false);
    let others = async {
        while !fuse.is_asked() {
            yield_now().await;
        }
        asked.set(true);
        fuse.go_on();
        future::pending().await
    };
    let output = future::or(work, others).await;
    assert!(asked.get() || fuse.was_forsaken(), "nobody was asked");
    fuse.go_on();
    output
}

#[test]
fn an_open_is_waited_for_elsewhere() {
    with_fuse("open", async |fuse| {
        let file = beside(fuse, OPEN, File::open(fuse.file())).await?;
        file.close().await
    });
}

/// Each first read and write asks so.
#[test]
fn what_a_file_is_is_asked_of_nobody_else() {
    with_fuse("getattr", async |fuse| {
        let file = File::open(fuse.file()).await?.into_std()?;
        let file = Descriptor::from(file);
        fuse.think_about(GETATTR);
        assert!(!file.is_stream() && !fuse.is_asked());
        Ok(())
    });
}

#[test]
fn a_close_is_waited_for_elsewhere() {
    with_fuse("close", async |fuse| {
        for write in [false, true] {
            let mut options = File::options();
            let file = options.read(true).write(write).open(fuse.file()).await?;
            beside(fuse, FLUSH, file.close()).await?;
        }
        Ok(())
    });
}

#[test]
fn a_close_at_the_position_is_waited_for_elsewhere() {
    with_fuse("trait", async |fuse| {
        let mut file = File::options().write(true).open(fuse.file()).await?;
        beside(fuse, FLUSH, AsyncWriteExt::close(&mut file)).await?;
        file.close().await
    });
}

#[test]
fn what_is_read_or_written_in_one_go_is_closed_elsewhere() {
    with_fuse("contents", async |fuse| {
        let path = fuse.file();
        assert_eq!(beside(fuse, FLUSH, fs::read(&path)).await?, TEXT);
        assert_eq!(
            beside(fuse, FLUSH, fs::read_to_string(&path)).await?,
            "hello"
        );
        beside(fuse, FLUSH, fs::write(&path, TEXT)).await
    });
}

#[test]
fn a_new_content_is_closed_elsewhere() {
    with_fuse("atomic", async |fuse| {
        let path = fuse.file();
        beside(fuse, FLUSH, fs::write_atomic(&path, TEXT)).await?;
        let new = AtomicFile::create(&path).await?;
        beside(fuse, FLUSH, new.commit_unsynced()).await?;
        let new = AtomicFile::create(&path).await?;
        beside(fuse, FLUSH, new.discard()).await
    });
}

/// The last word about what was written comes with the close.
#[test]
fn what_a_close_has_to_tell_is_an_error_of_what_was_written() {
    with_fuse("refused", async |fuse| {
        let path = fuse.file();
        fuse.fail(FLUSH, libc::EDQUOT);
        assert_eq!(fs::read(&path).await?, TEXT);
        let error = fs::write(&path, TEXT).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::QuotaExceeded);
        assert!(error.to_string().contains("write \""), "{error}");
        let new = AtomicFile::create(&path).await?;
        let error = new.commit_unsynced().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::QuotaExceeded);
        assert!(error.to_string().contains("replace \""), "{error}");
        AtomicFile::create(&path).await?.discard().await
    });
}

#[test]
fn reads_and_writes_are_waited_for_elsewhere() {
    with_fuse("getattr", async |fuse| {
        let path = fuse.file();
        let file = File::options().read(true).write(true).open(path).await?;
        let mut buf = [0; 16];
        let n = beside(fuse, GETATTR, file.read_at(&mut buf, 0)).await?;
        assert_eq!(&buf[..n], TEXT);
        beside(fuse, WRITE, file.write_at(TEXT, 0)).await?;
        file.close().await
    });
}

/// No cache is tried first, and a ring would try the call itself on the worker.
#[test]
fn reads_past_the_cache_are_waited_for_elsewhere() {
    with_fuse("direct", async |fuse| {
        let mut options = File::options();
        let options = options.read(true).custom_flags(libc::O_DIRECT);
        let file = options.open(fuse.file()).await?;
        let mut buf = [0; 16];
        let n = beside(fuse, READ, file.read_at(&mut buf, 0)).await?;
        assert_eq!(&buf[..n], TEXT);
        file.close().await
    });
}

/// The kernel says so, too, where it had no thread to do what it was asked.
#[test]
fn who_says_that_it_was_cancelled_is_asked_once() {
    with_fuse("cancelled", async |fuse| {
        let file = File::options().write(true).open(fuse.file()).await?;
        fuse.fail(WRITE, libc::ECANCELED);
        let error = file.write_at(TEXT, 0).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ECANCELED));
        assert_eq!(fuse.failed(), 1);
        fuse.fail(MKDIR, libc::ECANCELED);
        let dir = fuse.file().with_file_name("dir");
        create_dir(dir).await.unwrap_err();
        assert_eq!(fuse.failed(), 2);
        file.close().await
    });
}

#[test]
fn a_lock_is_asked_for_elsewhere() {
    with_fuse("lock", async |fuse| {
        let file = File::open(fuse.file()).await?;
        beside(fuse, SETLK, file.lock()).await?;
        assert_eq!(fuse.locks(), 1);
        file.unlock()
    });
}

/// Whether it is told of so many calls about locks, within some seconds.
async fn has_locks(fuse: &Fuse, calls: u32) -> bool {
    let late = Instant::now() + Duration::from_secs(5);
    while fuse.locks() < calls && Instant::now() < late {
        yield_now().await;
    }
    fuse.locks() == calls
}

/// Begins to wait for a lock, about which the server thinks then.
async fn begin_to_lock<'a>(fuse: &Fuse, file: &'a File) -> Pin<Box<LockFile<'a>>> {
    fuse.think_about(SETLK);
    let mut lock = Box::pin(file.lock());
    assert!(future::poll_once(&mut lock).await.is_none());
    while !fuse.is_asked() {
        yield_now().await;
    }
    lock
}

#[test]
fn a_lock_that_comes_to_nobody_is_let_go() {
    with_fuse("no lock", async |fuse| {
        let file = File::open(fuse.file()).await?;
        drop(begin_to_lock(fuse, &file).await);
        fuse.go_on();
        assert!(has_locks(fuse, 2).await, "taken, and let go of");
        Ok(())
    });
}

#[test]
fn a_lock_that_nobody_took_is_let_go_unless_it_was_asked_for_again() {
    for again in [false, true] {
        with_fuse("late lock", async |fuse| {
            let file = File::open(fuse.file()).await?;
            let lock = begin_to_lock(fuse, &file).await;
            fuse.go_on();
            sleep(Duration::from_millis(50)).await; // the thread has it
            if again {
                file.try_lock()?;
            }
            drop(lock);
            assert!(has_locks(fuse, 2).await);
            sleep(Duration::from_millis(50)).await;
            assert_eq!(fuse.locks(), 2, "taken, and let go of or taken again");
            Ok(())
        });
    }
}
