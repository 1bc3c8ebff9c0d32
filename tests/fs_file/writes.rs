//! Writes that fail, and writes that were dropped.

use super::{on_every_runtime, poll_once};
use std::process::Command;
use std::task::Poll;
use std::{env, fs, io};
use wakeline::fs::File;
use wakeline::io::{AsyncSeekExt, AsyncWriteExt, BufWriter, SeekFrom};

#[test]
fn a_full_disk_is_told_by_the_write() {
    on_every_runtime("full", async |_, _| {
        let mut full = File::options().write(true).open("/dev/full").await?;
        let error = full.write(b"x").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        full.flush().await?; // told once
        let error = full.write_at(b"x", 0).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        let mut buffered = BufWriter::new(full);
        buffered.write_all(b"x").await?;
        let error = buffered.flush().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        Ok(())
    });
}

/// Begins a write and drops it; whether it was left under way.
async fn dropped_write(file: &mut File, bytes: &[u8]) -> io::Result<bool> {
    let mut write = Box::pin(file.write(bytes));
    match poll_once(write.as_mut()).await {
        Poll::Ready(Ok(_)) => Ok(false),
        Poll::Ready(Err(error)) => Err(error),
        Poll::Pending => Ok(true),
    }
}

#[test]
fn the_error_of_a_dropped_write_is_told_to_whoever_comes_next() {
    on_every_runtime("full-dropped", async |_, _| {
        type Next = fn(File) -> std::pin::Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;
        let next: [Next; 4] = [
            |mut file| Box::pin(async move { file.write(b"other").await.map(drop) }),
            |mut file| Box::pin(async move { file.flush().await }),
            |mut file| Box::pin(async move { AsyncWriteExt::close(&mut file).await }),
            |file| Box::pin(async move { file.close().await }),
        ];
        for next in next {
            let mut full = File::options().write(true).open("/dev/full").await?;
            // If it failed in the poll, its caller has heard.
            if dropped_write(&mut full, b"x")
                .await
                .is_ok_and(|pending| pending)
            {
                let error = next(full).await.unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::StorageFull);
            }
        }
        Ok(())
    });
}

#[test]
fn a_dropped_write_has_happened_once_or_not_at_all() {
    on_every_runtime("dropped-write", async |_, dir| {
        let path = dir.join("file");
        for round in 0..50_usize {
            let mut file = File::create(&path).await?;
            file.write_all(b"[").await?;
            let large = vec![b'a'; 1 + round * 5_000];
            dropped_write(&mut file, &large).await?;
            if round % 3 == 1 {
                file.flush().await?;
            }
            file.write_all(b"bbb").await?;
            file.close().await?;
            let text = fs::read(&path)?;
            let first = text.len() - 4;
            assert!(first <= large.len(), "round {round}");
            assert_eq!(text[0], b'[');
            assert!(
                text[1..=first].iter().all(|byte| *byte == b'a'),
                "round {round}"
            );
            assert_eq!(&text[1 + first..], b"bbb", "round {round}: never mixed");
        }
        Ok(())
    });
}

#[test]
fn a_dropped_write_that_is_tried_again_is_written_once() {
    on_every_runtime("retried-write", async |_, dir| {
        let path = dir.join("file");
        for round in 0..50_usize {
            let mut file = File::create(&path).await?;
            let line = format!("line {round}\n").repeat(1 + round * 100);
            let left = dropped_write(&mut file, line.as_bytes()).await?;
            if left {
                file.write_all(line.as_bytes()).await?;
            }
            file.write_all(b"end").await?;
            file.close().await?;
            assert_eq!(
                fs::read_to_string(&path)?,
                format!("{line}end"),
                "round {round}"
            );
        }
        Ok(())
    });
}

#[test]
fn after_a_flush_the_same_bytes_are_another_write() {
    on_every_runtime("same-flushed", async |_, dir| {
        let path = dir.join("file");
        for round in 0..20_usize {
            let mut file = File::create(&path).await?;
            let line = b"tick\n".repeat(1 + round * 100);
            dropped_write(&mut file, &line).await?;
            if round % 2 == 1 {
                file.flush().await?;
            } else {
                AsyncWriteExt::close(&mut file).await?;
            }
            // Whoever looks sees them, so they cannot be a later write's.
            let before = fs::read(&path)?;
            file.write_all(&line).await?;
            assert!(fs::read(&path)? == [before, line].concat(), "round {round}");
            file.close().await?;
        }
        Ok(())
    });
}

#[test]
fn the_same_bytes_elsewhere_are_another_write() {
    on_every_runtime("same-elsewhere", async |_, dir| {
        let path = dir.join("file");
        let mut file = File::create(&path).await?;
        dropped_write(&mut file, b"same").await?;
        file.seek(SeekFrom::Start(10)).await?;
        file.write_all(b"same").await?;
        file.flush().await?;
        assert_eq!(&fs::read(&path)?[10..], b"same");
        // What was written and cut off since is written again.
        file.set_len(0).await?;
        file.rewind().await?;
        dropped_write(&mut file, b"same").await?;
        file.flush().await?;
        file.set_len(0).await?;
        file.rewind().await?;
        file.write_all(b"same").await?;
        assert_eq!(fs::read(&path)?, b"same");
        // Nor may a length that was set meanwhile have cut them off.
        dropped_write(&mut file, b"same").await?;
        file.set_len(0).await?;
        file.write_all(b"same").await?;
        file.close().await?;
        assert_eq!(&fs::read(&path)?[8..], b"same");
        Ok(())
    });
}

/// Runs as a process of its own: the limit is the whole process's.
#[test]
fn a_limit_on_the_size_of_files_is_an_error_of_the_write() {
    const CHILD: &str = "WAKELINE_TEST_FILE_LIMIT";
    const LIMIT: usize = 100_000;
    if env::var_os(CHILD).is_none() {
        let name = "writes::a_limit_on_the_size_of_files_is_an_error_of_the_write";
        let mut child = Command::new(env::current_exe().expect("the test knows its own path"));
        // Through pipes: a log that is a long file has met the limit already.
        let output = child
            .args(["--exact", name, "--nocapture"])
            .env(CHILD, "1")
            .output()
            .expect("the test starts");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}");
        return;
    }
    let limit = libc::rlimit {
        rlim_cur: LIMIT as libc::rlim_t,
        rlim_max: LIMIT as libc::rlim_t,
    };
    // SAFETY: a valid structure, read during the call.
    let set = unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) };
    assert_eq!(set, 0);
    // SAFETY: no handler is installed; the signal is ignored from now on.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    on_every_runtime("limit", async |_, dir| {
        let mut file = File::create(dir.join("file")).await?;
        let error = file.write_all(&[7; 2 * LIMIT]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(
            file.stream_position().await?,
            LIMIT as u64,
            "as far as it went"
        );
        assert_eq!(file.metadata().await?.len(), LIMIT as u64);
        file.seek(SeekFrom::Start(0)).await?;
        file.write_all(b"x").await?;
        file.close().await
    });
}
