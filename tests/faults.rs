//! Short transfers, interruptions, spurious events, failures and late cancels, made to happen: no
//! byte is lost, and an error comes out of the call that met it.
//!
//! `WAKELINE_TEST_BYTES` sets how much is echoed, per backend and family (64 MiB without it):
//! `WAKELINE_TEST_BYTES=10737418240 cargo test --test faults -- echo`. Faults are not in builds
//! without debug assertions.

#![cfg(debug_assertions)]

mod support;

use std::io;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;

use support::drops::{descriptors_back_to, descriptors_before, drop_at_random, poll_once, share};
use support::{Backend, Chance, alloc, for_each_backend, setting};
use wakeline::fs::{self, AtomicFile, File};
use wakeline::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use wakeline::net::{TcpListener, TcpStream, UnixStream};
use wakeline::{pipe, spawn, yield_now};
use wakeline_reactor::faults::{self, Plan};
use wakeline_reactor::op;

#[global_allocator]
static ALLOCATOR: alloc::Watching = alloc::Watching;

/// On both backends with one worker and with two; a plan is for the process.
fn on_every_runtime(test: impl AsyncFn(Backend)) {
    let _alone = support::alone();
    for_each_backend(|backend| {
        for workers in [1, 2] {
            backend.runtime(workers).block_on(test(backend));
        }
    });
}

/// Everything that a kernel may do to a transfer without an error.
fn rough(seed: u64) -> Plan {
    Plan {
        seed,
        short: 2,
        spurious: 4,
        interrupt: 4,
        late: 2,
        ..Plan::default()
    }
}

/// Bytes that differ at every place where a piece could be lost or doubled.
struct Content(Vec<u8>);

impl Content {
    fn new() -> Content {
        let mut bytes = vec![0; (1 << 20) + 7]; // no power of two divides it
        Chance::new().fork(7).fill(&mut bytes);
        Content(bytes)
    }

    /// As many of the bytes at `at` as there are in one piece.
    fn at(&self, at: u64) -> &[u8] {
        let start = at % self.0.len() as u64;
        &self.0[usize::try_from(start).expect("it is below the length")..]
    }

    #[track_caller]
    fn check(&self, mut at: u64, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let expected = self.at(at);
            let n = expected.len().min(bytes.len());
            assert!(bytes[..n] == expected[..n], "a difference behind byte {at}");
            (at, bytes) = (at + n as u64, &bytes[n..]);
        }
    }
}

async fn send(mut writer: impl AsyncWrite + Unpin, content: &Content, total: u64) {
    let mut sent = 0;
    while sent < total {
        let piece = content.at(sent);
        let most = (total - sent).min(100_000);
        let piece = &piece[..piece.len().min(most as usize)];
        writer.write_all(piece).await.expect("it takes them");
        sent += piece.len() as u64;
    }
    writer.close().await.expect("it closes");
}

async fn receive(mut reader: impl AsyncRead + Unpin, content: &Content, total: u64) {
    let (mut received, mut buf) = (0, vec![0; 128 << 10]);
    loop {
        let n = reader.read(&mut buf).await.expect("it gives them");
        if n == 0 {
            break;
        }
        content.check(received, &buf[..n]);
        received += n as u64;
    }
    assert_eq!(received, total, "lost or made up");
}

#[test]
fn an_echo_comes_back_byte_for_byte() {
    let total = setting("WAKELINE_TEST_BYTES", 64 << 20) / 2;
    on_every_runtime(async |_| {
        // Made under the lock: other tests count blocks of this size.
        let content = Content::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let there = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (here, _) = listener.accept().await.unwrap();
        let plan = faults::install(rough(1));
        let server = spawn(async move { wakeline::io::copy(&here, &here).await });
        let (reader, writer) = there.into_split();
        wakeline::join!(send(writer, &content, total), async {
            receive(reader, &content, total).await;
        });
        assert_eq!(server.await.unwrap().unwrap(), total);
        check(&plan);

        let (here, there) = UnixStream::pair().unwrap();
        let server = spawn(by_hand(here));
        let (reader, writer) = there.into_split();
        wakeline::join!(
            send(writer, &content, total),
            receive(reader, &content, total)
        );
        assert_eq!(server.await.unwrap(), total);

        let (sender, receiver) = pipe::pipe().unwrap();
        wakeline::join!(
            send(sender, &content, total),
            receive(receiver, &content, total)
        );
    });
}

/// An echo by the stream's own methods, which wait in another way than its traits.
async fn by_hand(stream: UnixStream) -> u64 {
    let mut echoed = 0;
    loop {
        let bytes = stream.read_pooled().await.expect("it gives them");
        if bytes.is_empty() {
            return echoed;
        }
        let mut left = &bytes[..];
        while !left.is_empty() {
            let n = stream.write(left).await.expect("it takes them");
            left = &left[n..];
            echoed += n as u64;
        }
    }
}

/// The faults have happened: else the test shows nothing.
fn check(plan: &faults::Installed) {
    let counts = plan.counts();
    assert!(counts.short > 10, "{counts:?}");
    assert!(counts.spurious > 10, "{counts:?}");
    assert!(counts.interrupt > 10, "{counts:?}");
}

/// A name for a file, which is gone with the value.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        Scratch(std::env::temp_dir().join(format!("faults-{name}-{}", std::process::id())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_copied_file_is_the_same() {
    let total = setting("WAKELINE_TEST_BYTES", 16 << 20).min(1 << 30);
    on_every_runtime(async |_| {
        // Made under the lock: other tests count blocks of this size.
        let content = Content::new();
        let (from, to) = (Scratch::new("from"), Scratch::new("to"));
        let plan = faults::install(rough(2));
        send(File::create(&from.0).await.unwrap(), &content, total).await;
        let (mut source, mut target) = (File::open(&from.0).await.unwrap(), read_write(&to).await);
        let mut buf = vec![0; 300_000];
        loop {
            let n = source.read(&mut buf).await.unwrap();
            if n == 0 {
                break;
            }
            target.write_all(&buf[..n]).await.unwrap();
        }
        target.sync_all().await.unwrap();
        assert_eq!(target.metadata().await.unwrap().len(), total);
        // And at positions, by buffers that the operation owns.
        let mut at = 0;
        while at < total {
            buf.clear();
            let (n, part) = target.read_at_owned(std::mem::take(&mut buf), at).await;
            let n = n.unwrap();
            assert!(n > 0, "an end at {at} of {total}");
            content.check(at, &part[..n]);
            (at, buf) = (at + n as u64, part);
        }
        check(&plan);
        drop(plan);
        receive(File::open(&to.0).await.unwrap(), &content, total).await;
    });
}

/// To be written and read back.
async fn read_write(scratch: &Scratch) -> File {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(true);
    options.open(&scratch.0).await.unwrap()
}

#[test]
fn an_error_comes_out_of_the_call_that_met_it() {
    on_every_runtime(async |_| {
        let scratch = Scratch::new("errors");
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .open(&scratch.0)
            .await
            .unwrap();
        file.write_at(b"before", 0).await.unwrap();
        file.sync_all().await.unwrap();
        let before = descriptors_before().await;
        for (which, errno) in [
            ("OpenAt", libc::EMFILE),
            ("Write", libc::ENOSPC),
            ("Write", libc::EDQUOT),
            ("Read", libc::EIO),
            ("Fsync", libc::EIO),
            ("Fsync", libc::ENOSPC),
        ] {
            let plan = faults::install(Plan {
                spurious: 1, // nothing is done without an operation
                fail: Some((which, errno)),
                fail_one_in: 1,
                ..Plan::default()
            });
            let mut buf = [0; 6];
            let results = [
                ("OpenAt", File::open(&scratch.0).await.map(drop)),
                ("Write", file.write_at(b"after!", 0).await.map(drop)),
                ("Read", file.read_at(&mut buf, 0).await.map(drop)),
                ("Fsync", file.sync_all().await),
            ];
            for (name, result) in results {
                match result {
                    Ok(()) => assert_ne!(name, which, "{errno} of {which} is lost"),
                    Err(error) => {
                        assert_eq!(name, which, "{error}");
                        assert_eq!(errno_of(&error), Some(errno), "{name}: {error:?}");
                    }
                }
            }
            assert_eq!(plan.counts().fail, 1, "{which}");
        }
        // None of it has harmed the file.
        let mut buf = [0; 16];
        assert_eq!(file.read_at(&mut buf, 0).await.unwrap(), 6);
        assert_eq!(&buf[..6], b"after!");
        descriptors_back_to(before).await;
    });
}

/// On a full disk it would take the room of what it was to replace.
#[test]
fn a_replacement_that_fails_has_left_nothing_when_the_error_is_told() {
    on_every_runtime(async |_| {
        let scratch = Scratch::new("replaced");
        std::fs::create_dir(&scratch.0).unwrap();
        let path = scratch.0.join("file");
        std::fs::write(&path, "old").unwrap();
        let names = || std::fs::read_dir(&scratch.0).unwrap().count();
        for (which, errno) in [("Write", libc::ENOSPC), ("Fsync", libc::EIO)] {
            let plan = faults::install(Plan {
                spurious: 1,
                fail: Some((which, errno)),
                fail_one_in: 1,
                ..Plan::default()
            });
            let error = fs::write_atomic(&path, "new").await.unwrap_err();
            assert_eq!((errno_of(&error), names()), (Some(errno), 1));
            drop(plan);
        }
        let late = AtomicFile::create_new(scratch.0.join("late")).await;
        std::fs::write(scratch.0.join("late"), "first").unwrap();
        let error = late.unwrap().commit().await.unwrap_err();
        assert_eq!((error.kind(), names()), (io::ErrorKind::AlreadyExists, 2));
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        std::fs::remove_dir_all(&scratch.0).unwrap();
    });
}

/// The kernel's number, also of an error that was given a context.
fn errno_of(error: &io::Error) -> Option<i32> {
    let mut source = error
        .get_ref()
        .map(|inner| inner as &(dyn std::error::Error + 'static));
    let mut errno = error.raw_os_error();
    while let (None, Some(inner)) = (errno, source) {
        errno = inner.downcast_ref().and_then(io::Error::raw_os_error);
        source = inner.source();
    }
    errno
}

#[test]
fn a_cancel_that_comes_too_late_gives_the_result_and_the_buffer() {
    on_every_runtime(async |_| {
        let scratch = Scratch::new("late");
        std::fs::write(&scratch.0, "content").unwrap();
        let fd: Arc<op::Descriptor> = Arc::new(std::fs::File::open(&scratch.0).unwrap().into());
        let plan = faults::install(Plan {
            late: 1,
            ..Plan::default()
        });
        for rounds in 0..20 {
            let read = op::Read {
                fd: Arc::clone(&fd),
                buf: Vec::with_capacity(100),
                offset: 0,
            };
            let mut read = pin!(op::submit(read).cancel());
            if rounds % 2 == 0 && poll_once(read.as_mut()).await.is_pending() {
                yield_now().await;
            }
        }
        let read = op::Read {
            fd,
            buf: Vec::with_capacity(100),
            offset: 3,
        };
        let (result, buf) = op::submit(read).cancel().await;
        assert_eq!((result.unwrap(), &buf[..]), (4, &b"tent"[..]));
        assert!(plan.counts().late > 20);
    });
}

#[test]
fn what_is_dropped_while_faults_happen_leaves_nothing() {
    let seed = Chance::new();
    on_every_runtime(async |_| {
        let mut chance = seed.fork(5);
        let scratch = Scratch::new("drops");
        std::fs::write(&scratch.0, vec![1; 3 * alloc::WATCHED]).unwrap();
        let options = File::options().read(true).write(true).clone();
        let file = options.open(&scratch.0).await.unwrap();
        file.sync_all().await.unwrap();
        let (descriptors, buffers) = (descriptors_before().await, alloc::live());
        let plan = faults::install(Plan {
            // Opening fails now and then, as it does without descriptors.
            fail: Some(("OpenAt", libc::EMFILE)),
            fail_one_in: 3,
            ..rough(5)
        });
        for _ in 0..share(2) {
            let buf = || Vec::with_capacity(alloc::WATCHED);
            match chance.below(4) {
                0 => {
                    let read = file.read_at_owned(buf(), 0);
                    if let Some((n, buf)) = drop_at_random(&mut chance, read, || {}).await {
                        assert_eq!(n.unwrap(), buf.len());
                    }
                }
                1 => {
                    let write = file.write_at_owned(vec![1; alloc::WATCHED], 0);
                    if let Some((n, _)) = drop_at_random(&mut chance, write, || {}).await {
                        assert!(n.unwrap() > 0);
                    }
                }
                2 => {
                    if let Some(opened) =
                        drop_at_random(&mut chance, options.open(&scratch.0), || {}).await
                    {
                        let failed = opened.map(drop).map_err(|error| errno_of(&error));
                        assert!(
                            matches!(failed, Ok(()) | Err(Some(libc::EMFILE))),
                            "{failed:?}"
                        );
                    }
                }
                _ => {
                    if let Some(synced) = drop_at_random(&mut chance, file.sync_data(), || {}).await
                    {
                        synced.unwrap();
                    }
                }
            }
        }
        let counts = plan.counts();
        assert!(counts.late > 0 && counts.fail > 0, "{counts:?}");
        drop(plan);
        descriptors_back_to(descriptors).await;
        while alloc::live() > buffers {
            yield_now().await;
        }
        // Late writes have written what was there before.
        let text = std::fs::read(&scratch.0).unwrap();
        assert!(text.len() == 3 * alloc::WATCHED && text.iter().all(|byte| *byte == 1));
    });
}

#[test]
fn a_runtime_ends_while_cancels_come_too_late() {
    let _alone = support::alone();
    let scratch = Scratch::new("ends");
    std::fs::write(&scratch.0, vec![1; 1 << 20]).unwrap();
    for_each_backend(|backend| {
        let plan = faults::install(Plan {
            late: 1,
            ..Plan::default()
        });
        let before = (support::open_descriptors(), alloc::live());
        for workers in [1, 2] {
            let runtime = backend.runtime(workers);
            runtime.block_on(async {
                let file = std::fs::File::open(&scratch.0).unwrap();
                let fd: Arc<op::Descriptor> = Arc::new(file.into());
                for round in 0..100 {
                    let read = op::Read {
                        fd: Arc::clone(&fd),
                        buf: Vec::with_capacity(alloc::WATCHED),
                        offset: 0,
                    };
                    let mut read = pin!(op::submit(read));
                    if round % 2 == 0 {
                        let _ = poll_once(read.as_mut()).await;
                    }
                }
            });
        }
        assert!(plan.counts().late > 0);
        // A thread of the pool that is reading may outlive the runtime by that read;
        // what is kept for ever makes this hang.
        while support::open_descriptors() > before.0 || alloc::live() > before.1 {
            std::thread::yield_now();
        }
    });
}

/// The content is on the disk before it has the name, and the name before `commit` is
/// over: whichever of the two cannot be had is told, and what there is then.
#[test]
fn a_commit_brings_the_content_to_the_disk_and_then_the_name() {
    on_every_runtime(async |_| {
        let scratch = Scratch::new("commit");
        let (mut content_failed, mut name_failed) = (0, 0);
        for seed in 0..40 {
            std::fs::write(&scratch.0, "old").unwrap();
            let new = AtomicFile::create(&scratch.0).await.unwrap();
            new.file().write_at(b"new", 0).await.unwrap();
            let temporary = new.temporary_path().to_owned();
            let plan = faults::install(Plan {
                seed,
                fail: Some(("Fsync", libc::EIO)),
                fail_one_in: 2,
                ..Plan::default()
            });
            let committed = new.commit().await;
            assert_eq!(plan.counts().fail, u64::from(committed.is_err()), "{seed}");
            drop(plan);
            let now = std::fs::read(&scratch.0).unwrap();
            match committed {
                Ok(()) => assert_eq!(now, b"new"),
                Err(error) if error.to_string().contains("a power failure may undo") => {
                    assert_eq!(now, b"new", "{error}");
                    name_failed += 1;
                }
                Err(error) => {
                    assert_eq!(errno_of(&error), Some(libc::EIO), "{error}");
                    assert_eq!(now, b"old", "{error}");
                    content_failed += 1;
                }
            }
            // On the pool, by and by.
            while temporary.exists() {
                yield_now().await;
            }
        }
        assert!(
            content_failed > 0 && name_failed > 0,
            "{content_failed}, {name_failed}"
        );

        // Who does not want to wait for the disk does not hear of it.
        let plan = faults::install(Plan {
            fail: Some(("Fsync", libc::EIO)),
            fail_one_in: 1,
            ..Plan::default()
        });
        let new = AtomicFile::create(&scratch.0).await.unwrap();
        new.commit_unsynced().await.unwrap();
        assert_eq!(plan.counts().fail, 0);
    });
}
