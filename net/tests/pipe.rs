//! Pipes: what a drop takes (nothing), how they end, which writes stay whole,
//! and FIFOs whose other end is not there yet.

use rustix::fs::{CWD, FileType, Mode};
use rustix::pipe::PipeFlags;
use std::fs::File;
use std::io::{ErrorKind, Read, Result};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use wakeline_net::io::AsyncWriteExt;
use wakeline_net::pipe::{self, OpenOptions, PIPE_BUF, Receiver, Sender};
use wakeline_net::testing::{both, on_each_driver, poll_now, yield_times};

/// A FIFO with a path of its own, removed at the end.
struct Fifo(PathBuf);

impl Fifo {
    fn new() -> Result<Fifo> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed); // only to be unique
        let name = format!("wakeline-{}-{n}.fifo", std::process::id());
        let path = std::env::temp_dir().join(name);
        rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0)?;
        Ok(Fifo(path))
    }
}

impl Drop for Fifo {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Writes until the pipe takes no more.
fn fill(sender: &Sender) -> Result<usize> {
    let mut filled = 0;
    loop {
        match sender.try_write(&[7; PIPE_BUF]) {
            Ok(n) => filled += n,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(filled),
            Err(error) => return Err(error),
        }
    }
}

#[test]
fn a_dropped_read_has_taken_nothing() {
    on_each_driver(|| async {
        let (sender, receiver) = pipe::pipe()?;
        {
            let mut buf = [0; 8];
            let mut read = pin!(receiver.read(&mut buf));
            assert!(poll_now(read.as_mut()).is_pending());
            sender.write(b"hello").await?;
            yield_times(3).await; // the event comes while nobody polls
        }
        assert_eq!(&receiver.read_pooled().await?[..], b"hello");
        Ok(())
    });
}

#[test]
fn a_dropped_write_has_written_nothing() {
    on_each_driver(|| async {
        let (sender, receiver) = pipe::pipe()?;
        let filled = fill(&sender)?;
        {
            let mut write = pin!(sender.write(b"lost?"));
            assert!(poll_now(write.as_mut()).is_pending());
        }
        drop(sender);
        let mut read = 0;
        loop {
            let buf = receiver.read_pooled().await?;
            if buf.is_empty() {
                break;
            }
            assert!(buf.iter().all(|byte| *byte == 7));
            read += buf.len();
        }
        assert_eq!(read, filled);
        Ok(())
    });
}

#[test]
fn who_waits_learns_that_the_other_end_is_gone() {
    on_each_driver(|| async {
        let (sender, receiver) = pipe::pipe()?;
        let waits = receiver.read_pooled();
        let leaves = async {
            yield_times(2).await;
            drop(sender);
        };
        let (read, ()) = both(waits, leaves).await;
        assert!(read?.is_empty(), "the end");

        let (sender, receiver) = pipe::pipe()?;
        fill(&sender)?;
        let leaves = async {
            yield_times(2).await;
            drop(receiver);
        };
        let (wrote, ()) = both(sender.write(b"x"), leaves).await;
        assert_eq!(wrote.unwrap_err().kind(), ErrorKind::BrokenPipe);
        sender.writable().await?;
        Ok(())
    });
}

#[test]
fn a_closed_sender_is_the_end_for_the_reader_and_broken_for_the_writer() {
    on_each_driver(|| async {
        let (mut sender, receiver) = pipe::pipe()?;
        sender.write_all(b"last").await?;
        sender.close().await?;
        sender.close().await?; // it is closed already
        assert_eq!(&receiver.read_pooled().await?[..], b"last");
        assert!(receiver.read_pooled().await?.is_empty());
        let error = sender.write_all(b"more").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        Ok(())
    });
}

/// Two writers, blocks of `PIPE_BUF`, and a pipe that is mostly full.
#[test]
fn blocks_of_pipe_buf_bytes_are_never_mixed() {
    const BLOCKS: usize = 100;
    on_each_driver(|| async {
        let (sender, receiver) = pipe::pipe()?;
        let write = async |byte: u8| {
            for _ in 0..BLOCKS {
                let n = sender.write(&[byte; PIPE_BUF]).await?;
                assert_eq!(n, PIPE_BUF, "all or nothing");
            }
            Result::Ok(())
        };
        let read = async {
            let mut all = Vec::new();
            let mut buf = [0; 1000];
            while all.len() < 2 * BLOCKS * PIPE_BUF {
                let n = receiver.read(&mut buf).await?;
                all.extend_from_slice(&buf[..n]);
            }
            Result::Ok(all)
        };
        let ((a, b), all) = both(both(write(1), write(2)), read).await;
        a?;
        b?;
        for (i, block) in all?.chunks(PIPE_BUF).enumerate() {
            assert!(block.iter().all(|byte| *byte == block[0]), "block {i}");
        }
        Ok(())
    });
}

#[test]
fn a_pipe_of_packets_is_read_packet_by_packet() {
    on_each_driver(|| async {
        let (reading, writing) = rustix::pipe::pipe_with(PipeFlags::DIRECT)?;
        let receiver = Receiver::from_owned_fd(reading)?;
        let sender = Sender::from_owned_fd(writing)?;
        let mut buf = [0; 16];
        {
            let mut read = pin!(receiver.read(&mut buf));
            assert!(poll_now(read.as_mut()).is_pending());
        }
        sender.write(b"first").await?;
        sender.write(b"second").await?;
        assert_eq!(receiver.read(&mut buf).await?, 5);
        // A short read that is not the last: no event comes for the second.
        assert_eq!(receiver.read(&mut buf).await?, 6);
        Ok(())
    });
}

#[test]
fn a_fifo_without_a_reader_says_what_to_try() -> Result<()> {
    let fifo = Fifo::new()?;
    let error = OpenOptions::new().open_sender(&fifo.0).unwrap_err();
    let text = error.to_string();
    assert!(text.contains(".fifo"), "{text}");
    assert!(
        text.contains("no process has it open for reading"),
        "{text}"
    );
    OpenOptions::new().read_write(true).open_sender(&fifo.0)?;
    OpenOptions::new().open_receiver(&fifo.0)?;
    let error = OpenOptions::new()
        .open_receiver("/no/such.fifo")
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let error = OpenOptions::new()
        .open_receiver("/proc/self/status")
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("no pipe"), "{error}");
    Ok(())
}

#[test]
fn a_fifo_waits_for_its_first_writer_and_ends_with_the_last() {
    on_each_driver(|| async {
        let fifo = Fifo::new()?;
        let receiver = OpenOptions::new().open_receiver(&fifo.0)?;
        let write = async |text: &'static [u8]| {
            let sender = OpenOptions::new().open_sender(&fifo.0)?;
            assert_eq!(sender.write(text).await?, text.len());
            Result::Ok(())
        };
        let comes_late = async {
            yield_times(3).await;
            write(b"first").await
        };
        let (read, wrote) = both(receiver.read_pooled(), comes_late).await;
        wrote?;
        assert_eq!(&read?[..], b"first");
        assert!(
            receiver.read_pooled().await?.is_empty(),
            "all writers are gone"
        );
        write(b"second").await?;
        assert_eq!(&receiver.read_pooled().await?[..], b"second");
        Ok(())
    });
}

#[test]
fn a_fifo_opened_both_ways_does_not_end() {
    on_each_driver(|| async {
        let fifo = Fifo::new()?;
        let receiver = OpenOptions::new().read_write(true).open_receiver(&fifo.0)?;
        for text in [b"first ", b"second"] {
            let sender = OpenOptions::new().open_sender(&fifo.0)?;
            sender.write(text).await?;
            drop(sender);
            assert_eq!(&receiver.read_pooled().await?[..], text);
        }
        let mut buf = [0; 8];
        let mut read = pin!(receiver.read(&mut buf));
        assert!(poll_now(read.as_mut()).is_pending());
        yield_times(3).await;
        assert!(poll_now(read.as_mut()).is_pending());
        Ok(())
    });
}

#[test]
fn only_the_right_end_of_a_pipe_is_taken() -> Result<()> {
    let (reading, writing) = std::io::pipe()?;
    let error = Sender::from_owned_fd(reading.into()).unwrap_err();
    assert!(error.to_string().contains("a `Receiver`"), "{error}");
    let error = Receiver::from_owned_fd(writing.into()).unwrap_err();
    assert!(error.to_string().contains("a `Sender`"), "{error}");
    let file = File::open("/proc/self/status")?;
    let error = Receiver::from_owned_fd(file.into()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    Ok(())
}

#[test]
fn a_descriptor_comes_back_blocking() {
    on_each_driver(|| async {
        let (sender, receiver) = pipe::pipe()?;
        {
            let mut buf = [0; 8];
            let mut read = pin!(receiver.read(&mut buf)); // it is watched
            assert!(poll_now(read.as_mut()).is_pending());
        }
        let mut file = File::from(receiver.into_blocking_fd()?);
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            file.read_to_string(&mut text).map(|_| text)
        });
        sender.write(b"hello").await?;
        drop(sender);
        yield_times(3).await; // a ring closes it in a turn
        assert_eq!(reader.join().unwrap()?, "hello");
        Ok(())
    });
}
