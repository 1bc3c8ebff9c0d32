//! glommio: buffered files. It allocates the buffer of each read itself.

use crate::data::{BLOCK, IN_FLIGHT, LARGE, PAGE, Paths, READS_EACH, SYNCS};
use crate::data::{blocks, offsets, per_op};
use crate::{Contestant, Row};
use glommio::io::{BufferedFile, OpenOptions};
use glommio::{LocalExecutorBuilder, Placement};
use std::rc::Rc;
use std::time::Instant;

pub(crate) const CONTESTANT: Contestant = Contestant {
    name: "glommio",
    run: |row, data| {
        // It wants more locked memory than some machines give.
        let executor = LocalExecutorBuilder::new(Placement::Unbound).make().ok()?;
        let task = run(row, data.share());
        let done = executor.run(async { glommio::spawn_local(task).await });
        Some(done.expect("the files are there"))
    },
};

async fn run(row: Row, data: Rc<Paths>) -> Result<f64, glommio::GlommioError<()>> {
    Ok(match row {
        Row::Sequential => {
            let file = BufferedFile::open(&data.large).await?;
            let start = Instant::now();
            for at in blocks() {
                assert_eq!(file.read_at(at, BLOCK).await?.len(), BLOCK);
            }
            let micros = per_op(start, LARGE / BLOCK);
            file.close().await?;
            micros
        }
        Row::Random => {
            let file = Rc::new(BufferedFile::open(&data.large).await?);
            let start = Instant::now();
            let tasks: Vec<_> = (0..IN_FLIGHT)
                .map(|seed| {
                    let file = Rc::clone(&file);
                    glommio::spawn_local(async move {
                        for at in offsets(seed) {
                            let read = file.read_at(at, PAGE).await.expect("a read");
                            assert_eq!(read.len(), PAGE);
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
            let start = Instant::now();
            for path in &data.small {
                let file = BufferedFile::open(path).await?;
                assert_ne!(file.read_at(0, PAGE).await?.len(), 0);
                file.close().await?;
            }
            per_op(start, data.small.len())
        }
        Row::Fsync => {
            let file = OpenOptions::new()
                .write(true)
                .buffered_open(&data.synced)
                .await?;
            let start = Instant::now();
            for _ in 0..SYNCS {
                assert_eq!(file.write_at(vec![2; PAGE], 0).await?, PAGE);
                file.fdatasync().await?;
            }
            let micros = per_op(start, SYNCS);
            file.close().await?;
            micros
        }
    })
}
