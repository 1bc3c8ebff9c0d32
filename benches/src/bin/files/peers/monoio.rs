//! monoio: its io_uring driver.

use crate::data::{BLOCK, IN_FLIGHT, LARGE, PAGE, Paths, READS_EACH, SYNCS};
use crate::data::{blocks, offsets, per_op};
use crate::{Contestant, Row};
use monoio::fs::{File, OpenOptions};
use std::io;
use std::rc::Rc;
use std::time::Instant;

pub(crate) const CONTESTANT: Contestant = Contestant {
    name: "monoio",
    run: |row, data| {
        let runtime = monoio::RuntimeBuilder::<monoio::IoUringDriver>::new().build();
        let task = run(row, data.share());
        let done = runtime
            .expect("a runtime")
            .block_on(async { monoio::spawn(task).await });
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
                let (n, back) = file.read_at(buf, at).await;
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
                    monoio::spawn(async move {
                        let mut buf = vec![0; PAGE];
                        for at in offsets(seed) {
                            let (n, back) = file.read_at(buf, at).await;
                            assert_eq!(n.expect("a read"), PAGE);
                            buf = back;
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await;
            }
            per_op(start, IN_FLIGHT * READS_EACH)
        }
        Row::SmallFiles => {
            let mut buf = vec![0; PAGE];
            let start = Instant::now();
            for path in &data.small {
                let file = File::open(path).await?;
                let (n, back) = file.read_at(buf, 0).await;
                assert_ne!(n?, 0);
                buf = back;
                file.close().await?;
            }
            per_op(start, data.small.len())
        }
        Row::Fsync => {
            let file = OpenOptions::new().write(true).open(&data.synced).await?;
            let mut buf = vec![2; PAGE];
            let start = Instant::now();
            for _ in 0..SYNCS {
                let (n, back) = file.write_at(buf, 0).await;
                assert_eq!(n?, PAGE);
                buf = back;
                file.sync_all().await?;
            }
            per_op(start, SYNCS)
        }
    })
}
