//! wakeline on io_uring and on epoll, one worker: at offsets, and by the cursor.

use crate::data::{BLOCK, IN_FLIGHT, LARGE, PAGE, Paths, READS_EACH, SYNCS};
use crate::data::{blocks, offsets, per_op};
use crate::{Contestant, Row};
use std::io;
use std::rc::Rc;
use std::time::Instant;
use wakeline::fs::File;
use wakeline::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use wakeline::{Driver, Runtime};

pub(crate) const URING: Contestant = Contestant {
    name: "ours, io_uring",
    run: |row, data| on(Driver::Uring, at_offsets(row, data.share())),
};
pub(crate) const EPOLL: Contestant = Contestant {
    name: "ours, epoll",
    run: |row, data| on(Driver::Epoll, at_offsets(row, data.share())),
};
pub(crate) const URING_CURSOR: Contestant = Contestant {
    name: "ours, io_uring, cursor",
    run: |row, data| on(Driver::Uring, by_cursor(row, data.share())),
};
pub(crate) const EPOLL_CURSOR: Contestant = Contestant {
    name: "ours, epoll, cursor",
    run: |row, data| on(Driver::Epoll, by_cursor(row, data.share())),
};

fn on(
    driver: Driver,
    task: impl Future<Output = io::Result<Option<f64>>> + 'static,
) -> Option<f64> {
    let runtime = Runtime::builder().workers(1).driver(driver).build();
    let done = runtime
        .expect("a runtime")
        .block_on(async { wakeline::spawn_local(task).await });
    done.expect("no panic").expect("the files are there")
}

async fn at_offsets(row: Row, data: Rc<Paths>) -> io::Result<Option<f64>> {
    Ok(Some(match row {
        Row::Sequential => {
            let file = File::open(&data.large).await?;
            let mut buf = vec![0; BLOCK];
            let start = Instant::now();
            for at in blocks() {
                // Memory may be short, and then a read gives what is in it.
                let mut done = 0;
                while done < BLOCK {
                    let n = file.read_at(&mut buf[done..], at + done as u64).await?;
                    assert_ne!(n, 0);
                    done += n;
                }
            }
            per_op(start, LARGE / BLOCK)
        }
        Row::Random => {
            let file = Rc::new(File::open(&data.large).await?);
            let start = Instant::now();
            let tasks: Vec<_> = (0..IN_FLIGHT)
                .map(|seed| {
                    let file = Rc::clone(&file);
                    wakeline::spawn_local(async move {
                        let mut buf = vec![0; PAGE];
                        for at in offsets(seed) {
                            assert_eq!(file.read_at(&mut buf, at).await.expect("a read"), PAGE);
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.expect("no panic");
            }
            per_op(start, IN_FLIGHT * READS_EACH)
        }
        Row::SmallFiles => {
            let mut buf = vec![0; PAGE];
            let start = Instant::now();
            for path in &data.small {
                let file = File::open(path).await?;
                assert_ne!(file.read_at(&mut buf, 0).await?, 0);
                file.close().await?;
            }
            per_op(start, data.small.len())
        }
        Row::Fsync => {
            let file = File::options().write(true).open(&data.synced).await?;
            let buf = vec![2; PAGE];
            let start = Instant::now();
            for _ in 0..SYNCS {
                assert_eq!(file.write_at(&buf, 0).await?, PAGE);
                file.sync_all().await?;
            }
            per_op(start, SYNCS)
        }
    }))
}

async fn by_cursor(row: Row, data: Rc<Paths>) -> io::Result<Option<f64>> {
    Ok(Some(match row {
        Row::Sequential => {
            let mut file = File::open(&data.large).await?;
            let mut buf = vec![0; BLOCK];
            let start = Instant::now();
            for _ in blocks() {
                file.read_exact(&mut buf).await?;
            }
            per_op(start, LARGE / BLOCK)
        }
        // A position is one task's.
        Row::Random => return Ok(None),
        Row::SmallFiles => {
            let mut buf = vec![0; PAGE];
            let start = Instant::now();
            for path in &data.small {
                let mut file = File::open(path).await?;
                assert_ne!(file.read(&mut buf).await?, 0);
            }
            per_op(start, data.small.len())
        }
        Row::Fsync => {
            let mut file = File::options().write(true).open(&data.synced).await?;
            let buf = vec![2; PAGE];
            let start = Instant::now();
            for _ in 0..SYNCS {
                file.rewind().await?;
                file.write_all(&buf).await?;
                file.sync_all().await?;
            }
            per_op(start, SYNCS)
        }
    }))
}
