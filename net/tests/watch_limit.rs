//! A read that waits needs a descriptor under epoll, which watches a duplicate of the
//! FIFO. Alone in its process, since the limit is the process's.

mod exhausted;

use exhausted::Exhausted;
use wakeline_net::fs::File;
use wakeline_net::io::{AsyncReadExt, AsyncWriteExt};
use wakeline_net::testing::{Scratch, both, on_each_driver, yield_times};

#[test]
fn a_read_without_a_descriptor_to_spare_waits_or_says_what_to_do() {
    on_each_driver(|| async {
        let dir = Scratch::new();
        let path = dir.join("fifo");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0)?;
        let mut reader = File::open(&path).await?;
        let mut writer = File::options().write(true).open(&path).await?;
        let exhausted = Exhausted::new()?;
        let mut buf = [0; 8];
        let write = async {
            yield_times(3).await;
            writer.write_all(b"hello").await
        };
        let (read, wrote) = both(reader.read(&mut buf), write).await;
        drop(exhausted);
        wrote?;
        match read {
            Ok(n) => assert_eq!(&buf[..n], b"hello"),
            Err(error) => assert!(error.to_string().contains("ulimit -n"), "{error}"),
        }
        let mut again = [0; 8];
        if buf == [0; 8] {
            assert_eq!(reader.read(&mut again).await?, 5, "nothing was taken");
        }
        Ok(())
    });
}
