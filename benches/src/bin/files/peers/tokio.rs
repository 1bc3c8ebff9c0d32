//! tokio: its file, which hands each call to a thread. It has no offsets, so the
//! random reads seek.

use crate::data::{BLOCK, IN_FLIGHT, LARGE, PAGE, Paths, READS_EACH, SYNCS};
use crate::data::{blocks, offsets, per_op};
use crate::{Contestant, Row};
use std::io::{self, SeekFrom};
use std::rc::Rc;
use std::time::Instant;
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use tokio::task::LocalSet;

pub(crate) const CONTESTANT: Contestant = Contestant {
    name: "tokio",
    run: |row, data| {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let task = run(row, data.share());
        let local = LocalSet::new();
        let done = local.block_on(&runtime.expect("a runtime"), async {
            tokio::task::spawn_local(task).await
        });
        Some(done.expect("no panic").expect("the files are there"))
    },
};

async fn run(row: Row, data: Rc<Paths>) -> io::Result<f64> {
    Ok(match row {
        Row::Sequential => {
            let mut file = File::open(&data.large).await?;
            let mut buf = vec![0; BLOCK];
            let start = Instant::now();
            for _ in blocks() {
                assert_eq!(file.read(&mut buf).await?, BLOCK);
            }
            per_op(start, LARGE / BLOCK)
        }
        Row::Random => {
            let start = Instant::now();
            let tasks: Vec<_> = (0..IN_FLIGHT)
                .map(|seed| {
                    let data = Rc::clone(&data);
                    tokio::task::spawn_local(async move {
                        let mut file = File::open(&data.large).await.expect("a file");
                        let mut buf = vec![0; PAGE];
                        for at in offsets(seed) {
                            file.seek(SeekFrom::Start(at)).await.expect("a seek");
                            assert_eq!(file.read(&mut buf).await.expect("a read"), PAGE);
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
                assert_ne!(File::open(path).await?.read(&mut buf).await?, 0);
            }
            per_op(start, data.small.len())
        }
        Row::Fsync => {
            let mut file = OpenOptions::new().write(true).open(&data.synced).await?;
            let buf = vec![2; PAGE];
            let start = Instant::now();
            for _ in 0..SYNCS {
                file.rewind().await?;
                file.write_all(&buf).await?;
                file.sync_all().await?;
            }
            per_op(start, SYNCS)
        }
    })
}
