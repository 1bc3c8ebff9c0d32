//! A file is closed where no descriptor is to be had. Alone in its process, since
//! the limit is the process's.

mod exhausted;

use exhausted::Exhausted;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::fs;
use std::pin::pin;
use wakeline_net::fs::File;
use wakeline_net::io::{AsyncReadExt, AsyncWriteExt};
use wakeline_net::testing::{on_each_driver, poll_now};

#[test]
fn a_file_is_closed_without_a_descriptor_to_spare() {
    let dir = std::env::temp_dir().join(format!("wakeline-limit-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    let (path, fifo) = (dir.join("file"), dir.join("fifo"));
    mknodat(CWD, &fifo, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    on_each_driver(|| async {
        let mut file = File::create(&path).await?;
        file.write_all(b"whole").await?;
        let mut options = File::options();
        let mut read = options.read(true).write(true).open(&fifo).await?;
        let mut buf = [0; 8];
        // Its operation has the descriptor, too, until the kernel lets go of it.
        assert!(poll_now(pin!(read.read(&mut buf))).is_pending());

        let exhausted = Exhausted::new()?;
        let closed = [
            AsyncWriteExt::close(&mut file).await,
            AsyncWriteExt::close(&mut file).await, // once more is nothing
            file.close().await,
            read.close().await,
        ];
        drop(exhausted);

        for closed in closed {
            closed?;
        }
        assert_eq!(fs::read(&path)?, b"whole");
        Ok(())
    });
    fs::remove_dir_all(&dir).unwrap();
}
