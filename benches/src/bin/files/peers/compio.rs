//! compio: its io_uring driver.

use crate::data::{BLOCK, IN_FLIGHT, LARGE, PAGE, Paths, READS_EACH, SYNCS};
use crate::data::{blocks, offsets, per_op};
use crate::{Contestant, Row};
use compio::BufResult;
use compio::fs::{File, OpenOptions};
use compio::io::{AsyncReadAt, AsyncWriteAt};
use std::io;
use std::rc::Rc;
use std::time::Instant;

pub(crate) const CONTESTANT: Contestant = Contestant {
    name: "compio",
    run: |row, data| {
        let runtime = compio::runtime::Runtime::new().expect("a runtime");
        let task = run(row, data.share());
        let done = runtime.block_on(async { compio::runtime::spawn(task).await });
        let done = done.unwrap_or_else(|_| panic!("a panic in the task"));
        Some(done.expect("the files are there"))
    },
};

async fn run(row: Row, data: Rc<Paths>) -> io::Result<f64> {
    Ok(match row {
        Row::Sequential => {
            let file = File::open(&data.large).await?;
            let mut buf = vec![0; BLOCK];
            let start = Instant::now();
            for at in blocks() {
                let BufResult(n, back) = file.read_at(buf, at).await;
                assert_eq!(n?, BLOCK);
                buf = back;
            }
            per_op(start, LARGE / BLOCK)
        }
        Row::Random => {
            let file = Rc::new(File::open(&data.large).await?);
            let start = Instant::now();
            let tasks: Vec<_> = (0..IN_FLIGHT)
                .map(|seed| {
                    let file = Rc::clone(&file);
                    compio::runtime::spawn(async move {
                        let mut buf = vec![0; PAGE];
                        for at in offsets(seed) {
                            let BufResult(n, back) = file.read_at(buf, at).await;
                            assert_eq!(n.expect("a read"), PAGE);
                            buf = back;
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap_or_else(|_| panic!("a panic in the task"));
            }
            per_op(start, IN_FLIGHT * READS_EACH)
        }
        Row::SmallFiles => {
            let mut buf = vec![0; PAGE];
            let start = Instant::now();
            for path in &data.small {
                let file = File::open(path).await?;
                let BufResult(n, back) = file.read_at(buf, 0).await;
                assert_ne!(n?, 0);
                buf = back;
                file.close().await?;
            }
            per_op(start, data.small.len())
        }
        Row::Fsync => {
            let mut file = OpenOptions::new().write(true).open(&data.synced).await?;
            let mut buf = vec![2; PAGE];
            let start = Instant::now();
            for _ in 0..SYNCS {
                let BufResult(n, back) = file.write_at(buf, 0).await;
                assert_eq!(n?, PAGE);
                buf = back;
                file.sync_all().await?;
            }
            per_op(start, SYNCS)
        }
    })
}
