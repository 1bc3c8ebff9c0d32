//! A file's content in one go, copies, and locks.

mod support;

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use futures_lite::future::poll_once;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use support::disk::bounded;
use support::{alone, descriptors_come_down_to, for_each_backend, open_descriptors};
use wakeline::fs::{self, File, TryLockError};
use wakeline::io::AsyncReadExt;

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let name = format!("wakeline-contents-{}-{name}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        let _left = std::fs::remove_dir_all(&dir);
        std::fs::create_dir(&dir).expect("a directory");
        Scratch(dir)
    }
}

impl std::ops::Deref for Scratch {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

#[track_caller]
fn on_each(name: &str, test: impl AsyncFn(&Scratch) -> io::Result<()>) {
    let _alone = alone();
    for_each_backend(|backend| {
        let dir = Scratch::new(name);
        backend
            .runtime(1)
            .block_on(bounded(&dir, test(&dir)))
            .unwrap_or_else(|error| panic!("on {}: {error}", backend.name()));
    });
}

#[track_caller]
fn fails<T: std::fmt::Debug>(result: io::Result<T>, kind: ErrorKind, told: &[&str]) {
    let error = result.expect_err("it cannot be done");
    assert_eq!(error.kind(), kind, "{error}");
    for part in told {
        assert!(error.to_string().contains(part), "{error}: no {part}");
    }
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i % 251) as u8).collect()
}

#[test]
fn what_is_written_is_read_whatever_its_length() {
    on_each("lengths", async |dir| {
        let path = dir.join("file");
        for length in [0, 1, 63, 64, 65, 32 << 10, (256 << 10) + 1, 3_000_001] {
            let content = pattern(length);
            fs::write(&path, &content).await?;
            assert!(fs::read(&path).await? == content, "{length} bytes");
        }
        fs::write(&path, "short").await?;
        assert_eq!(
            fs::read_to_string(&path).await?,
            "short",
            "the rest is cut off"
        );
        Ok(())
    });
}

#[test]
fn files_without_a_size_are_read_to_their_end() {
    on_each("proc", async |_dir| {
        let limits = fs::read_to_string("/proc/self/limits").await?;
        assert!(limits.contains("Max open files"), "{limits}");
        assert!(fs::read("/proc/self/maps").await?.ends_with(b"\n"));
        Ok(())
    });
}

#[test]
fn errors_name_the_file() {
    on_each("errors", async |dir| {
        fails(
            fs::read(dir.join("none")).await,
            ErrorKind::NotFound,
            &["none"],
        );
        fails(
            fs::read(&**dir).await,
            ErrorKind::IsADirectory,
            &["read \"/"],
        );
        fails(
            fs::write(dir.join("no/such"), "").await,
            ErrorKind::NotFound,
            &["no/such"],
        );
        fails(
            fs::write("/dev/full", "x").await,
            ErrorKind::StorageFull,
            &["write \"/dev/full\""],
        );
        fs::write(dir.join("latin"), b"na\xefve").await?;
        let told = ["read \"", "latin", "byte 2 is 0xef"];
        fails(
            fs::read_to_string(dir.join("latin")).await,
            ErrorKind::InvalidData,
            &told,
        );
        Ok(())
    });
}

#[test]
fn a_copy_has_content_and_permissions_and_refuses_what_would_lose_data() {
    on_each("copy", async |dir| {
        let (from, to) = (dir.join("from"), dir.join("to"));
        let content = pattern(9_000_001);
        std::fs::write(&from, &content)?;
        std::fs::set_permissions(&from, PermissionsExt::from_mode(0o631))?;
        std::fs::write(&to, pattern(10_000_000))?;
        assert_eq!(fs::copy(&from, &to).await?, 9_000_001);
        assert!(std::fs::read(&to)? == content);
        assert_eq!(std::fs::metadata(&to)?.mode() & 0o7777, 0o631);

        std::fs::hard_link(&from, dir.join("same"))?;
        for same in [from.clone(), dir.join("same")] {
            fails(
                fs::copy(&from, &same).await,
                ErrorKind::InvalidInput,
                &["the same file"],
            );
        }
        assert!(std::fs::read(&from)? == content, "it is not emptied");
        let told = ["copy \"", "\" to \"", "regular file"];
        fails(fs::copy(&**dir, &to).await, ErrorKind::InvalidInput, &told);
        fails(
            fs::copy(dir.join("none"), dir.join("x")).await,
            ErrorKind::NotFound,
            &["none"],
        );
        assert!(!dir.join("x").exists());
        fails(
            fs::copy(&from, &**dir).await,
            ErrorKind::IsADirectory,
            &["copy"],
        );
        fails(
            fs::copy(&from, "/dev/full").await,
            ErrorKind::StorageFull,
            &["/dev/full"],
        );

        // What has no size, and what is on another file system.
        assert!(fs::copy("/proc/self/limits", dir.join("limits")).await? > 100);
        assert!(std::fs::read(dir.join("limits"))?.ends_with(b"\n"));
        if Path::new("/dev/shm").is_dir() {
            let far = PathBuf::from(format!("/dev/shm/wakeline-contents-{}", std::process::id()));
            let copied = fs::copy(&from, &far).await;
            let same = std::fs::read(&far).map(|bytes| bytes == content);
            std::fs::remove_file(&far)?;
            assert!(copied? == 9_000_001 && same?);
        }
        Ok(())
    });
}

fn fifo(dir: &Scratch) -> PathBuf {
    let path = dir.join("fifo");
    let mode = Mode::RUSR | Mode::WUSR;
    mknodat(CWD, &path, FileType::Fifo, mode, 0).expect("a FIFO");
    path
}

/// The other end, on a thread of its own.
fn other<T: Send + 'static>(
    act: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> std::thread::JoinHandle<T> {
    std::thread::spawn(move || act().expect("the other end"))
}

#[test]
fn a_pipe_is_read_and_written_to_its_end() {
    on_each("pipes", async |dir| {
        let path = fifo(dir);
        // More than it holds, and in parts.
        let content = pattern(300_000);
        let (to, parts) = (path.clone(), content.clone());
        let writer = other(move || {
            let mut fifo = std::fs::OpenOptions::new().write(true).open(to)?;
            parts
                .chunks(70_001)
                .try_for_each(|part| fifo.write_all(part))
        });
        assert!(fs::read(&path).await? == content);
        writer.join().expect("the writer");

        let mut reader = std::fs::File::options()
            .read(true)
            .write(true)
            .open(&path)?;
        let mut got = vec![0; content.len()];
        let reading = other(move || {
            reader.read_exact(&mut got)?;
            Ok((reader, got))
        });
        fs::write(&path, &content).await?;
        let (_reader, got) = reading.join().expect("the reader");
        assert!(got == content);

        // As /dev/stdin and /dev/stdout are.
        let (reader, mut writer) = io::pipe()?;
        let name = |fd: &dyn AsRawFd| format!("/proc/self/fd/{}", fd.as_raw_fd());
        writer.write_all(b"in and ")?;
        fs::write(name(&writer), "out").await?;
        drop(writer);
        assert_eq!(fs::read_to_string(name(&reader)).await?, "in and out");
        let (reader, writer) = io::pipe()?;
        drop(writer);
        assert_eq!(fs::read(name(&reader)).await?, b"");
        Ok(())
    });
}

/// A file server's lease, which it gives back when it is asked to.
#[test]
fn a_copy_waits_for_who_has_leased_the_file() {
    const F_SETSIG: i32 = 10; // of Linux
    on_each("leased", async |dir| {
        let (from, to) = (dir.join("from"), dir.join("to"));
        std::fs::write(&from, "new")?;
        std::fs::write(&to, "old content")?;
        let holder = std::fs::File::open(&to)?;
        // A signal that is ignored if nobody has asked for it tells that it is wanted.
        // SAFETY: takes integers.
        let set = unsafe { libc::fcntl(holder.as_raw_fd(), F_SETSIG, libc::SIGURG) };
        assert_eq!(set, 0);
        let lease = move |cmd: i32, kind: i32| {
            // SAFETY: takes integers.
            unsafe { libc::fcntl(holder.as_raw_fd(), cmd, kind) }
        };
        if lease(libc::F_SETLEASE, libc::F_RDLCK) != 0 {
            eprintln!("-- this file system has no leases");
            return Ok(());
        }
        let server = other(move || {
            while lease(libc::F_GETLEASE, 0) != libc::F_UNLCK {
                std::thread::yield_now();
            }
            assert_eq!(lease(libc::F_SETLEASE, libc::F_UNLCK), 0);
            Ok(())
        });
        assert_eq!(fs::copy(&from, &to).await?, 3);
        server.join().expect("the server");
        assert_eq!(std::fs::read(&to)?, b"new");
        Ok(())
    });
}

#[test]
fn a_fifo_is_copied_from_and_onto() {
    on_each("fifo", async |dir| {
        let (path, from, to) = (fifo(dir), dir.join("from"), dir.join("to"));
        let content = pattern(300_000);
        std::fs::write(&from, &content)?;
        let told = ["copy \"", "fifo", "open for reading"];
        let kind = io::Error::from_raw_os_error(libc::ENXIO).kind();
        fails(fs::copy(&from, &path).await, kind, &told); // nobody reads

        let mut reader = File::open(&path).await?;
        let mut got = Vec::new();
        let (copied, read) = wakeline::join!(fs::copy(&from, &path), reader.read_to_end(&mut got));
        assert_eq!((copied?, read?), (300_000, 300_000));
        assert!(got == content);
        drop(reader);

        let (there, sent) = (path.clone(), content.clone());
        let writer = other(move || std::fs::write(there, sent));
        std::fs::write(&to, pattern(400_000))?;
        assert_eq!(fs::copy(&path, &to).await?, 300_000);
        assert!(std::fs::read(&to)? == content);
        writer.join().expect("the writer");

        fails(
            fs::copy(&path, &path).await,
            ErrorKind::InvalidInput,
            &["the same file"],
        );
        for other in ["/dev/zero", "/proc"] {
            let told = ["regular file"];
            fails(fs::copy(other, &to).await, ErrorKind::InvalidInput, &told);
        }
        Ok(())
    });
}

#[test]
fn what_waits_for_a_fifo_keeps_no_thread() {
    let _alone = alone();
    for_each_backend(|backend| {
        let dir = Scratch::new("fifo-waits");
        let (path, from) = (fifo(&dir), dir.join("from"));
        std::fs::write(&from, pattern(300_000)).expect("room");
        // Open, and never read.
        let mut options = std::fs::File::options();
        let held = options.read(true).write(true).open(&path).expect("a FIFO");
        let runtime = backend.builder().workers(1).blocking_threads(1).build();
        let runtime = runtime.expect("a runtime");
        runtime.block_on(async {
            let mut onto = Box::pin(fs::copy(&from, &path));
            // Also when the FIFO has taken what it takes.
            let room = rustix::pipe::fcntl_getpipe_size(&held).expect("a number");
            let mut rounds_when_full = 0;
            while rounds_when_full < 20 {
                let taken = rustix::io::ioctl_fionread(&held).expect("a number");
                rounds_when_full += usize::from(taken == room as u64);
                assert!(poll_once(onto.as_mut()).await.is_none());
                let free = wakeline::spawn_blocking(|| ()).await;
                free.expect("a thread that does nothing else");
            }
            drop(onto);
            let mut write = Box::pin(fs::write(&path, "more"));
            for _ in 0..20 {
                assert!(poll_once(write.as_mut()).await.is_none());
                let free = wakeline::spawn_blocking(|| ()).await;
                free.expect("a thread that does nothing else");
            }
        });
        drop(runtime);
        drop(held);
    });
}

#[test]
fn dropped_copies_and_reads_leave_no_descriptor() {
    let _alone = alone();
    for_each_backend(|backend| {
        let dir = Scratch::new("dropped");
        let from = dir.join("from");
        let sparse = std::fs::File::create(&from).expect("a file");
        sparse.set_len(16 << 20).expect("it takes no room");
        drop(sparse);
        let before = open_descriptors();
        let runtime = backend.runtime(1);
        runtime.block_on(async {
            for round in 0..20_usize {
                let mut copy = Box::pin(fs::copy(&from, dir.join("to")));
                let mut read = Box::pin(fs::read(&from));
                for _ in 0..round {
                    let copied = poll_once(copy.as_mut()).await;
                    let was_read = poll_once(read.as_mut()).await;
                    if copied.is_some() || was_read.is_some() {
                        break;
                    }
                    wakeline::yield_now().await;
                }
            }
        });
        drop(runtime);
        descriptors_come_down_to(before); // a step of a copy may still run
    });
}

#[test]
fn a_lock_is_waited_for_and_given_up() {
    on_each("lock", async |dir| {
        let path = dir.join("lock");
        let (one, two, three) = (
            File::create(&path).await?,
            File::open(&path).await?,
            File::open(&path).await?,
        );
        one.lock().await?;
        assert!(matches!(two.try_lock(), Err(TryLockError::WouldBlock)));
        assert!(matches!(
            two.try_lock_shared(),
            Err(TryLockError::WouldBlock)
        ));

        // Given up: it holds nothing later.
        let mut waiting = Box::pin(two.lock());
        assert!(poll_once(waiting.as_mut()).await.is_none());
        drop(waiting);
        one.unlock()?;
        three.lock_shared().await?;
        one.lock_shared().await?;
        let mut waiting = Box::pin(two.lock());
        assert!(poll_once(waiting.as_mut()).await.is_none());
        one.unlock()?;
        assert!(
            poll_once(waiting.as_mut()).await.is_none(),
            "the other has it still"
        );
        drop(three); // closing lets it go
        waiting.await?;
        assert!(one.try_lock_shared().is_err());
        two.unlock()?;
        two.unlock()?;
        one.try_lock().expect("it is free");
        Ok(())
    });
}

#[test]
fn who_waits_for_a_lock_sleeps_on_the_runtimes_clock() {
    let _alone = alone();
    for_each_backend(|backend| {
        let dir = Scratch::new("lock-time");
        let path = dir.join("lock");
        let held = std::fs::File::create(&path).expect("a file");
        held.lock().expect("it is free");
        let runtime = backend.builder().workers(1).start_paused(true).build();
        runtime.expect("a runtime").block_on(async {
            let file = File::open(&path).await.expect("it is there");
            let hour = std::time::Duration::from_secs(3600);
            let waited = wakeline::FutureExt::timeout(file.lock(), hour).await;
            assert!(waited.is_err(), "it is held all the time");
            drop(held);
            file.lock().await.expect("it is free");
        });
    });
}
