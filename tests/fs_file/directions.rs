//! Both directions of one file at once, by its halves.

use super::special::fifo;
use super::{on_every_runtime, poll_once};
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::Poll;
use wakeline::fs::File;
use wakeline::io::{self, AsyncReadExt, AsyncWriteExt};
use wakeline::{join, spawn, yield_now};

/// More than a pipe holds.
fn much() -> Vec<u8> {
    (0..300_000_u32).map(|n| (n / 7) as u8).collect()
}

/// A FIFO that is open for both is its own other end: so the write ends only if the
/// read goes on beside it.
#[test]
fn a_stream_is_read_while_a_write_waits() {
    on_every_runtime("both-joined", async |_, dir| {
        let path = dir.join("fifo");
        fifo(&path)?;
        for reader_first in [false, true] {
            let both = File::options().read(true).write(true).open(&path).await?;
            let (mut reader, mut writer) = io::split(both);
            let (sent, mut got) = (much(), vec![0; much().len()]);
            let write = writer.write_all(&sent);
            let read = reader.read_exact(&mut got);
            if reader_first {
                let (read, written) = join!(biased; read, write);
                read.and(written)?;
            } else {
                let (written, read) = join!(biased; write, read);
                read.and(written)?;
            }
            assert!(got == sent, "reader first: {reader_first}");
        }
        Ok(())
    });
}

#[test]
fn a_stream_is_read_and_written_by_two_tasks() {
    on_every_runtime("both-tasks", async |_, dir| {
        let path = dir.join("fifo");
        fifo(&path)?;
        let both = File::options().read(true).write(true).open(&path).await?;
        let (mut reader, mut writer) = io::split(both);
        let writing = spawn(async move { writer.write_all(&much()).await });
        let mut got = vec![0; much().len()];
        reader.read_exact(&mut got).await?;
        writing.await.expect("no panic")?;
        assert!(got == much());
        Ok(())
    });
}

/// It has one position, so a read waits for the write before it; but the write is the
/// other's to be told of.
#[test]
fn who_reads_beside_a_write_does_not_make_it_happen_again() {
    on_every_runtime("both-file", async |_, dir| {
        let path = dir.join("file");
        let file = File::create_new(&path).await?;
        let (mut reader, mut writer) = io::split(file);
        let written = AtomicBool::new(false);
        let reading = async {
            while !written.load(Relaxed) {
                assert_eq!(reader.read(&mut [0; 1]).await?, 0, "it is at its end");
                yield_now().await;
            }
            std::io::Result::Ok(())
        };
        let writing = async {
            writer.write_all(b"abc").await?;
            written.store(true, Relaxed);
            Ok(())
        };
        let (read, wrote) = join!(biased; reading, writing);
        read.and(wrote)?;
        assert_eq!(fs::read(&path)?, b"abc");
        Ok(())
    });
}

/// A read that has waited for the write and was dropped does not keep its end.
#[test]
fn a_write_is_told_of_its_end_although_a_read_has_waited_for_it() {
    on_every_runtime("both-dropped", async |_, dir| {
        let path = dir.join("file");
        let file = File::create_new(&path).await?;
        let (mut reader, mut writer) = io::split(file);
        let (tell, told) = wakeline::sync::oneshot::channel();
        let writing = spawn(async move {
            let written = writer.write_all(&much()).await;
            let _ = tell.send(());
            written
        });
        yield_now().await; // the write is under way
        let mut space = [0; 8];
        let mut read = Box::pin(reader.read(&mut space));
        if let Poll::Ready(read) = poll_once(read.as_mut()).await {
            read?;
        }
        drop(read);
        told.await.expect("the write has an end");
        writing.await.expect("no panic")?;
        assert_eq!(fs::read(&path)?, much());
        Ok(())
    });
}
