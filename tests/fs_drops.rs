//! Files whose futures, or whose runtimes, are dropped at any moment: nothing is
//! left over, nothing hangs, and no freed memory is written.

mod support;

use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;
use std::{env, fs, io};

use support::disk::bounded;
use support::drops::{descriptors_back_to, drop_at_random, poll_once, share};
use support::{Chance, alloc, for_each_backend, open_descriptors, setting};
use wakeline::fs::File;
use wakeline::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use wakeline::spawn;

#[global_allocator]
static ALLOCATOR: alloc::Watching = alloc::Watching;

/// What one read takes: a block that the allocator watches.
const BLOCK: usize = 2 * alloc::WATCHED;
const BLOCKS: u64 = 32;

/// A file of `BLOCKS` blocks, each of its own number, gone with the value.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = env::temp_dir().join(format!("wakeline-drops-{}-{name}", std::process::id()));
        let file = fs::File::create(&path).expect("the temporary directory is writable");
        for n in 0..BLOCKS {
            let block = vec![n as u8 + 1; BLOCK];
            file.write_all_at(&block, n * BLOCK as u64).expect("room");
        }
        file.sync_all().expect("a sync");
        Scratch(path)
    }

    /// Another file, which is made again and again.
    fn made(&self) -> PathBuf {
        self.0.with_extension("made")
    }

    /// Past the page cache, where the file system can do that: so that reads
    /// are really under way.
    async fn open_direct(&self) -> io::Result<File> {
        let mut options = File::options();
        options.read(true).write(true);
        match options
            .clone()
            .custom_flags(libc::O_DIRECT)
            .open(&self.0)
            .await
        {
            Ok(file) => Ok(file),
            Err(error) => {
                eprintln!("-- no O_DIRECT here: {error}");
                options.open(&self.0).await
            }
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
        let _ = fs::remove_file(self.made());
    }
}

#[test]
fn an_open_that_was_dropped_leaves_no_descriptor() {
    let _alone = support::alone();
    let seed = Chance::new();
    let scratch = Scratch::new("open");
    for_each_backend(|backend| {
        for workers in [1, 2] {
            let mut chance = seed.fork(workers as u64);
            let runtime = backend.runtime(workers);
            runtime.block_on(async {
                // What the first operations make for good is there before the count.
                let made = scratch.made();
                drop(File::create(&made).await.expect("an open"));
                let before = open_descriptors();
                for _ in 0..share(1) / 2 {
                    if chance.one_in(2) {
                        // It is made, so it is no matter of the cache.
                        let open = File::create(&made);
                        if let Some(file) = drop_at_random(&mut chance, open, || {}).await {
                            file.expect("an open").close().await.expect("a close");
                        }
                    } else {
                        let open = File::open(&scratch.0);
                        if let Some(file) = drop_at_random(&mut chance, open, || {}).await {
                            drop(file.expect("an open").close());
                        }
                    }
                }
                descriptors_back_to(before).await;
                fs::remove_file(made).expect("it was made");
            });
        }
    });
}

type Started<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// One read or write of some kind, of a block by chance.
fn begin<'a>(file: &'a mut File, buf: &'a mut [u8], kind: u64, at: u64) -> Started<'a> {
    let offset = at * BLOCK as u64;
    match kind {
        0 => Box::pin(async move {
            let n = file.read_at(buf, offset).await.expect("a read");
            assert!(buf[..n].iter().all(|byte| *byte == at as u8 + 1));
        }),
        1 => Box::pin(async move {
            file.seek(io::SeekFrom::Start(offset))
                .await
                .expect("a seek");
            let n = file.read(buf).await.expect("a read");
            assert!(buf[..n].iter().all(|byte| *byte == at as u8 + 1));
        }),
        2 => Box::pin(async move {
            buf.fill(at as u8 + 1);
            file.write_at(buf, offset).await.expect("a write");
        }),
        3 => Box::pin(async move {
            buf.fill(at as u8 + 1);
            file.seek(io::SeekFrom::Start(offset))
                .await
                .expect("a seek");
            file.write(buf).await.expect("a write");
        }),
        5 => Box::pin(async move {
            let end = file.seek(io::SeekFrom::End(0)).await.expect("a seek");
            assert_eq!(end, BLOCKS * BLOCK as u64);
        }),
        6 => Box::pin(async move { AsyncWriteExt::close(file).await.expect("a close") }),
        _ => Box::pin(async move {
            let (n, buf) = file
                .read_at_owned(vec![0; BLOCK].into_boxed_slice(), offset)
                .await;
            let n = n.expect("a read");
            assert!(buf[..n].iter().all(|byte| *byte == at as u8 + 1));
        }),
    }
}

#[test]
fn reads_and_writes_dropped_at_any_moment_write_no_freed_memory() {
    let _alone = support::alone();
    let seed = Chance::new();
    let scratch = Scratch::new("read");
    let drops = setting("WAKELINE_TEST_FILE_DROPS", 30);
    for_each_backend(|backend| {
        let mut chance = seed.fork(2);
        for round in 0..drops {
            let runtime = backend.runtime(1 + (round % 2) as usize);
            runtime.block_on(async {
                let mut file = scratch.open_direct().await.expect("an open");
                for _ in 0..10 {
                    let (kind, at) = (chance.below(5), chance.below(BLOCKS));
                    let mut buf = vec![0; BLOCK];
                    let operation = begin(&mut file, &mut buf, kind, at);
                    drop_at_random(&mut chance, operation, || {}).await;
                }
                // And one is under way when the runtime goes.
                let mut buf = vec![0; BLOCK];
                let mut last = begin(&mut file, &mut buf, chance.below(5), 0);
                let _ = poll_once(last.as_mut()).await;
            });
            if chance.one_in(2) {
                let report = runtime.shutdown(Duration::ZERO);
                assert_eq!(report.leaked_operations, 0, "{report:?}");
            } else {
                drop(runtime);
            }
            assert_eq!(alloc::disturbed(), 0, "round {round} on {}", backend.name());
        }
    });
    // What was written is what was there: every block has its number still.
    let text = fs::read(&scratch.0).expect("the file");
    for (n, block) in text.chunks(BLOCK).enumerate() {
        assert!(block.iter().all(|byte| *byte == n as u8 + 1), "block {n}");
    }
}

#[test]
fn a_shutdown_with_hundreds_of_operations_under_way_returns() {
    let _alone = support::alone();
    let scratch = Scratch::new("many");
    for_each_backend(|backend| {
        for workers in [1, 2] {
            let runtime = backend.runtime(workers);
            runtime.block_on(async {
                for n in 0..300_u64 {
                    let mut file = scratch.open_direct().await.expect("an open");
                    let task = async move {
                        let mut buf = vec![0; BLOCK];
                        for at in 0.. {
                            begin(&mut file, &mut buf, n % 5, at % BLOCKS).await;
                        }
                    };
                    drop(spawn(task));
                }
                for _ in 0..10 {
                    wakeline::yield_now().await;
                }
            });
            let report = runtime.shutdown(Duration::ZERO);
            assert_eq!(report.leaked_operations, 0, "{report:?}");
            assert_eq!(alloc::disturbed(), 0, "on {}", backend.name());
        }
    });
}

/// A file in memory: its length is not told at once, as that of a disk's is.
fn in_memory() -> fs::File {
    let flags = rustix::fs::MemfdFlags::CLOEXEC;
    let memory = rustix::fs::memfd_create("wakeline-drops", flags).expect("a file");
    let memory = fs::File::from(memory);
    memory.set_len(BLOCK as u64).expect("a length");
    memory
}

#[test]
fn the_end_that_a_dropped_seek_has_found_is_not_given_after_a_new_length() {
    let _alone = support::alone();
    for_each_backend(|backend| {
        for (by_clone, kind) in [(false, 0), (true, 0), (true, 1), (true, 2), (true, 3)] {
            backend.runtime(1).block_on(async {
                let memory = in_memory();
                let mut file = File::from_std(memory.try_clone().expect("a descriptor")).unwrap();
                let clone = file.try_clone().expect("a descriptor");
                let mut seek = Box::pin(file.seek(io::SeekFrom::End(0)));
                let _ = poll_once(seek.as_mut()).await;
                drop(seek);
                // It is over when one that was begun later is, by and large.
                file.metadata().await.expect("what it is");
                let by = if by_clone { &clone } else { &file };
                let one_more = BLOCK as u64;
                let mut change: Pin<Box<dyn Future<Output = ()>>> = match kind {
                    0 => Box::pin(async { drop(by.set_len(2 * one_more).await) }),
                    1 => Box::pin(async { drop(by.allocate(0, 2 * one_more).await) }),
                    // Somebody who is nobody's clone.
                    3 => Box::pin(async { drop(memory.set_len(2 * one_more)) }),
                    _ => {
                        let block = vec![1; BLOCK];
                        Box::pin(async { drop(by.write_at_owned(block, one_more).await) })
                    }
                };
                let _ = poll_once(change.as_mut()).await;
                // A write makes it longer by and by.
                while memory.metadata().expect("what it is").len() < 2 * one_more {
                    wakeline::yield_now().await;
                }
                drop(change); // it was not told that it has happened
                let end = file.seek(io::SeekFrom::End(0)).await.expect("a seek");
                assert_eq!(end, 2 * one_more, "{by_clone}, {kind}");
            });
        }
    });
}

#[test]
fn a_seek_to_the_end_is_begun_again_on_another_runtime() {
    let _alone = support::alone();
    for_each_backend(|backend| {
        let mut file = File::from_std(in_memory()).unwrap();
        backend.runtime(1).block_on(async {
            let mut seek = Box::pin(file.seek(io::SeekFrom::End(0)));
            let _ = poll_once(seek.as_mut()).await;
        });
        let seek = async { file.seek(io::SeekFrom::End(0)).await };
        let end = backend.runtime(1).block_on(seek).expect("a seek");
        assert_eq!(end, BLOCK as u64);
    });
}

#[test]
fn a_file_outlives_the_runtime_that_it_was_used_on() {
    let _alone = support::alone();
    let scratch = Scratch::new("outlives");
    for_each_backend(|backend| {
        for (kind, dropped) in (0..7).flat_map(|kind| [(kind, true), (kind, false)]) {
            let mut runtime = Some(backend.runtime(1));
            let begun = async {
                let mut file = scratch.open_direct().await.expect("an open");
                let mut buf = vec![0; BLOCK];
                let mut last = begin(&mut file, &mut buf, kind, 7);
                let _ = poll_once(last.as_mut()).await;
                drop(last);
                file
            };
            let mut file = runtime.as_ref().expect("there").block_on(begun);
            runtime.take_if(|_| dropped);
            backend.runtime(1).block_on(async {
                let mut buf = vec![0; BLOCK];
                for kind in [5, 1, 3, 6, 0, 2, 1] {
                    begin(&mut file, &mut buf, kind, 7).await;
                }
                file.close().await.expect("a close");
            });
        }
    });
}

#[test]
fn a_read_goes_on_in_another_task_and_gives_what_was_written_since() {
    let _alone = support::alone();
    let scratch = Scratch::new("moves");
    for_each_backend(|backend| {
        let runtime = backend.runtime(2);
        runtime.block_on(async {
            let mut file = scratch.open_direct().await.expect("an open");
            for round in 0..20_u8 {
                let mut buf = vec![0; BLOCK];
                let mut read = Box::pin(file.read(&mut buf));
                let early = poll_once(read.as_mut()).await.is_ready();
                drop(read);
                if early {
                    file.rewind().await.expect("a seek");
                }
                // The read that is under way has the old bytes, perhaps.
                let new = vec![100 + round; BLOCK];
                assert_eq!(file.write_at(&new, 0).await.expect("a write"), BLOCK);
                let task = spawn(async move {
                    let mut buf = vec![0; BLOCK];
                    let n = file.read(&mut buf).await.expect("a read");
                    assert!(n > 0 && buf[..n].iter().all(|byte| *byte == 100 + round));
                    file.rewind().await.expect("a seek");
                    file
                });
                file = task.await.expect("no panic");
            }
        });
    });
}

/// What makes the bytes of a read that was dropped old.
#[derive(Clone, Copy, Debug)]
enum Newer {
    /// A write of another descriptor that shares the file.
    Clone,
    /// A write of another descriptor that does not, under the file's lock.
    Locked,
    /// A write that was begun before the read was, and is over after it.
    Before,
    /// A new length, by another descriptor.
    Length,
}

#[test]
fn what_a_dropped_read_has_read_is_not_given_after_somebody_elses_write() {
    let _alone = support::alone();
    let scratch = Scratch::new("newer");
    for_each_backend(|backend| {
        let runtime = backend.runtime(2);
        runtime.block_on(async {
            let mut file = scratch.open_direct().await.expect("an open");
            let clone = file.try_clone().expect("a descriptor");
            let other = scratch.open_direct().await.expect("an open");
            for round in 0..40_u8 {
                let by = [Newer::Clone, Newer::Locked, Newer::Before, Newer::Length];
                let by = by[usize::from(round) % by.len()];
                let new = vec![100 + round; BLOCK];
                let mut begun = None;
                if let Newer::Before = by {
                    let mut write = Box::pin(clone.write_at(&new, 0));
                    if poll_once(write.as_mut()).await.is_pending() {
                        begun = Some(write);
                    }
                }
                let mut buf = vec![0; BLOCK];
                let mut read = Box::pin(file.read(&mut buf));
                if poll_once(read.as_mut()).await.is_ready() {
                    drop(read);
                    file.rewind().await.expect("a seek");
                    continue; // no O_DIRECT here
                }
                drop(read);
                // It is over when one that was begun later is, by and large.
                let later = file.read_at(&mut buf, 0).await;
                later.expect("a read");
                match by {
                    Newer::Clone => drop(clone.write_at(&new, 0).await.expect("a write")),
                    Newer::Locked => {
                        other.lock().await.expect("a lock");
                        other.write_at(&new, 0).await.expect("a write");
                        other.unlock().expect("it has it");
                        file.lock().await.expect("a lock");
                        file.unlock().expect("it has it");
                    }
                    Newer::Before => {
                        if let Some(write) = begun {
                            write.await.expect("a write");
                        }
                    }
                    Newer::Length => clone.set_len(0).await.expect("a new length"),
                }
                let n = file.read(&mut buf).await.expect("a read");
                if let Newer::Length = by {
                    assert_eq!(n, 0, "the end, in round {round}");
                    let all = vec![1; BLOCKS as usize * BLOCK];
                    let restored = other.write_at(&all, 0).await.expect("a write");
                    assert!(restored >= BLOCK);
                } else {
                    assert_eq!(n, BLOCK);
                    let first = buf[0];
                    assert!(buf == new, "{by:?} in round {round}: {first} is old");
                }
                file.rewind().await.expect("a seek");
            }
        });
    });
}

#[test]
fn a_clones_writes_do_not_make_a_write_happen_twice() {
    let _alone = support::alone();
    let scratch = Scratch::new("clones");
    for_each_backend(|backend| {
        let runtime = backend.runtime(2);
        runtime.block_on(bounded(&scratch.0, async {
            const LINE: usize = 5_000;
            let mut file = File::create(&scratch.0).await.expect("an open");
            let clone = file.try_clone().expect("a descriptor");
            let others = spawn(async move {
                for _ in 0..200_u64 {
                    clone.write_at(b"x", 200 * LINE as u64).await.expect("room");
                }
            });
            for n in 0..200_u8 {
                file.write_all(&[n; LINE]).await.expect("room");
            }
            others.await.expect("no panic");
            file.close().await.expect("a close");
        }));
        let text = fs::read(&scratch.0).expect("the file");
        assert_eq!(text.len(), 200 * 5_000 + 1);
        for (n, line) in text.chunks(5_000).enumerate().take(200) {
            assert!(line.iter().all(|byte| *byte == n as u8), "line {n}");
        }
    });
}
