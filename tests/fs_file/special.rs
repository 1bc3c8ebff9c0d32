//! Files that are none: devices, pipes, what the kernel makes up.

use super::on_every_runtime;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use wakeline::fs::File;
use wakeline::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt, BufReader, SeekFrom};

#[test]
fn a_file_of_no_size_is_read_to_its_end() {
    on_every_runtime("proc", async |_, _| {
        let mut file = File::open("/proc/self/status").await?;
        assert_eq!(file.metadata().await?.len(), 0);
        let mut text = String::new();
        file.read_to_string(&mut text).await?;
        assert!(text.contains("\nPid:"), "{text}");
        let mut lines = BufReader::new(File::open("/proc/self/status").await?);
        let mut line = String::new();
        lines.read_line(&mut line).await?;
        assert!(line.starts_with("Name:"), "{line}");
        Ok(())
    });
}

#[test]
fn devices_are_read_and_written() {
    on_every_runtime("devices", async |_, _| {
        let mut null = File::options()
            .read(true)
            .write(true)
            .open("/dev/null")
            .await?;
        assert_eq!(null.read(&mut [0; 8]).await?, 0);
        assert_eq!(null.write(b"gone").await?, 4);
        assert_eq!(null.seek(SeekFrom::End(0)).await?, 0);
        assert!(null.metadata().await?.file_type().is_char_device());
        let mut zero = File::open("/dev/zero").await?;
        let mut buf = vec![1; 100_000];
        zero.read_exact(&mut buf).await?;
        assert!(buf.iter().all(|byte| *byte == 0));
        let random = File::open("/dev/urandom").await?;
        assert_ne!(random.read_at(&mut buf, 0).await?, 0);
        AsyncWriteExt::close(&mut null).await?;
        null.close().await
    });
}

pub(super) fn fifo(path: &Path) -> io::Result<()> {
    Ok(mknodat(
        CWD,
        path,
        FileType::Fifo,
        Mode::RUSR | Mode::WUSR,
        0,
    )?)
}

/// The other end comes, or goes, when the reader is known to wait.
fn later(act: impl FnOnce() -> io::Result<()> + Send + 'static) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || act().expect("the other end"))
}

#[test]
fn a_fifo_is_opened_at_once_and_read_when_somebody_writes() {
    on_every_runtime("fifo", async |_, dir| {
        let path = dir.join("fifo");
        fifo(&path)?;
        let mut reader = File::open(&path).await?;
        let mut buf = [0; 8];
        {
            // Nobody has opened it for writing, and this is not its end.
            let mut early = Box::pin(reader.read(&mut buf));
            assert!(super::poll_once(early.as_mut()).await.is_pending());
        }
        let other = path.clone();
        let writer = later(move || {
            let mut writer = fs::OpenOptions::new().write(true).open(other)?;
            writer.write_all(b"hello")
        });
        // The dropped read has taken nothing.
        let mut text = String::new();
        reader.read_to_string(&mut text).await?;
        assert_eq!(text, "hello", "and the end when the writer is gone");
        writer.join().expect("the writer");
        assert!(
            reader.seek(SeekFrom::Start(0)).await.is_err(),
            "a pipe has no position"
        );
        assert!(reader.read_at(&mut buf, 0).await.is_err());
        Ok(())
    });
}

#[test]
fn a_fifo_is_written_while_somebody_reads() {
    on_every_runtime("fifo-write", async |_, dir| {
        let path = dir.join("fifo");
        fifo(&path)?;
        let alone = File::options().write(true).open(&path).await.unwrap_err();
        assert!(alone.to_string().contains("open for reading"), "{alone}");
        let mut reader = fs::OpenOptions::new().read(true).write(true).open(&path)?;
        let mut writer = File::options().write(true).open(&path).await?;
        // More than a pipe holds: the writer must wait for the reader.
        let sent: Vec<u8> = (0..300_000_u32).map(|n| n as u8).collect();
        let expected = sent.clone();
        let reading = later(move || {
            let mut got = vec![0; expected.len()];
            reader.read_exact(&mut got)?;
            assert_eq!(got, expected);
            Ok(())
        });
        writer.write_all(&sent).await?;
        reading.join().expect("the reader");
        writer.close().await
    });
}
