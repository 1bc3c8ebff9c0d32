//! Files: what a user sees of `wakeline::fs::File`.

#[path = "../support/mod.rs"]
mod support;

mod directions;
mod random;
mod special;
mod writes;

use std::cell::Cell;
use std::future::poll_fn;
use std::io::Write as _;
use std::path::PathBuf;
use std::rc::Rc;
use std::task::Poll;
use std::{env, fs, io};

use support::disk::bounded;
use support::drops::poll_once;
use support::{Backend, for_each_backend};
use wakeline::fs::File;
use wakeline::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt, BufReader, BufWriter, SeekFrom};

/// A directory of the test's own, gone with the value.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = env::temp_dir().join(format!("wakeline-fs-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("the temporary directory is writable");
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs `test` in a task on io_uring and epoll, with one worker and with two.
#[track_caller]
fn on_every_runtime<F>(name: &str, test: impl Fn(Backend, PathBuf) -> F)
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    for_each_backend(|backend| {
        for workers in [1, 2] {
            let scratch = Scratch::new(&format!("{name}-{}-{workers}", backend.name()));
            let runtime = backend.runtime(workers);
            let task = bounded(&scratch.0, test(backend, scratch.0.clone()));
            let done = runtime.block_on(async { wakeline::spawn(task).await });
            done.expect("no panic").unwrap_or_else(|error| {
                panic!("on {} with {workers} workers: {error}", backend.name())
            });
        }
    });
}

#[test]
fn what_is_written_at_an_offset_is_read_there() {
    on_every_runtime("positional", async |_, dir| {
        let file = File::create_new(dir.join("file")).await?;
        assert_eq!(file.write_at(b"world", 6).await?, 5);
        assert_eq!(file.write_at(b"hello ", 0).await?, 6);
        let (n, buf) = file.write_at_owned(b"!".to_vec(), 11).await;
        assert_eq!((n?, buf), (1, b"!".to_vec()));
        file.sync_all().await?;
        file.sync_data().await?;
        let mut buf = [0; 32];
        let n = file.read_at(&mut buf, 0).await?;
        assert_eq!(&buf[..n], b"hello world!");
        let (n, buf) = file.read_at_owned(Vec::with_capacity(5), 6).await;
        assert_eq!((n?, &buf[..]), (5, &b"world"[..]));
        assert_eq!(file.read_at(&mut [0; 8], 12).await?, 0, "the end");
        assert_eq!(file.read_at(&mut [], 0).await?, 0, "nothing");
        assert_eq!(file.metadata().await?.len(), 12);
        file.set_len(5).await?;
        assert_eq!(file.metadata().await?.len(), 5);
        file.allocate(0, 4096).await?;
        assert_eq!(file.metadata().await?.len(), 4096);
        file.close().await
    });
}

#[test]
fn the_position_moves_by_what_was_read_and_written() {
    on_every_runtime("cursor", async |_, dir| {
        let mut file = File::create_new(dir.join("file")).await?;
        file.write_all(b"hello world").await?;
        assert_eq!(file.stream_position().await?, 11);
        assert_eq!(file.read(&mut [0; 8]).await?, 0, "the end");
        assert_eq!(file.seek(SeekFrom::End(-5)).await?, 6);
        let mut text = String::new();
        file.read_to_string(&mut text).await?;
        assert_eq!(text, "world");
        assert_eq!(file.seek(SeekFrom::Start(1)).await?, 1);
        assert_eq!(file.seek(SeekFrom::Current(1)).await?, 2);
        let mut two = [0; 2];
        file.read_exact(&mut two).await?;
        assert_eq!((&two, file.stream_position().await?), (b"ll", 4));
        // A read that begins at the position moves nothing else's.
        assert_eq!(file.read_at(&mut two, 0).await?, 2);
        assert_eq!(file.stream_position().await?, 4);
        AsyncWriteExt::close(&mut file).await?;
        file.close().await
    });
}

#[test]
fn a_seek_may_go_behind_the_end_and_not_before_the_beginning() {
    on_every_runtime("seek", async |_, dir| {
        let mut file = File::create_new(dir.join("file")).await?;
        file.write_all(b"abc").await?;
        for wrong in [
            SeekFrom::Current(-4),
            SeekFrom::End(-4),
            SeekFrom::Start(u64::MAX),
            SeekFrom::Start(1 << 63),
            SeekFrom::Current(i64::MIN),
            SeekFrom::End(i64::MAX),
        ] {
            let error = file.seek(wrong).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{wrong:?}");
            assert_eq!(file.stream_position().await?, 3, "{wrong:?} moved nothing");
        }
        let most = i64::MAX.cast_unsigned();
        assert_eq!(file.seek(SeekFrom::Start(most)).await?, most);
        assert!(file.seek(SeekFrom::Current(1)).await.is_err());
        assert!(
            file.write(b"x").await.is_err(),
            "no file is as long as that"
        );
        assert_eq!(file.seek(SeekFrom::End(2)).await?, 5);
        assert_eq!(file.read(&mut [0; 4]).await?, 0, "behind the end");
        file.write_all(b"d").await?;
        file.rewind().await?;
        let mut all = Vec::new();
        file.read_to_end(&mut all).await?;
        assert_eq!(all, b"abc\0\0d", "what was left out is zeros");
        for wrong in [1 << 63, u64::MAX - 1, u64::MAX] {
            assert!(file.read_at(&mut [0; 4], wrong).await.is_err(), "{wrong}");
            assert!(file.write_at(b"x", wrong).await.is_err(), "{wrong}");
            assert!(
                file.read_at_owned(Vec::with_capacity(4), wrong)
                    .await
                    .0
                    .is_err()
            );
            assert!(file.write_at_owned(vec![0; 4], wrong).await.0.is_err());
        }
        Ok(())
    });
}

#[test]
fn what_is_appended_goes_to_the_end_and_the_position_after_it() {
    on_every_runtime("append", async |_, dir| {
        fs::write(dir.join("file"), "abc")?;
        let mut file = File::options()
            .read(true)
            .append(true)
            .open(dir.join("file"))
            .await?;
        let mut one = [0];
        file.read_exact(&mut one).await?;
        assert_eq!(&one, b"a", "reading begins at the beginning");
        file.write_all(b"de").await?;
        assert_eq!(file.stream_position().await?, 5);
        fs::OpenOptions::new()
            .append(true)
            .open(dir.join("file"))?
            .write_all(b"f")?;
        file.rewind().await?;
        file.write_all(b"g").await?;
        assert_eq!(file.stream_position().await?, 7);
        file.flush().await?;
        assert_eq!(fs::read(dir.join("file"))?, b"abcdefg");
        Ok(())
    });
}

#[test]
fn buffers_lines_and_seeks_go_together() {
    on_every_runtime("lines", async |_, dir| {
        let mut writer = BufWriter::new(File::create(dir.join("file")).await?);
        for n in 0..10_000 {
            writer.write_all(format!("line {n}\n").as_bytes()).await?;
        }
        writer.flush().await?;
        let mut reader = BufReader::new(File::open(dir.join("file")).await?);
        let mut line = String::new();
        for n in 0..10_000 {
            line.clear();
            reader.read_line(&mut line).await?;
            assert_eq!(line, format!("line {n}\n"));
        }
        line.clear();
        assert_eq!(reader.read_line(&mut line).await?, 0);
        Ok(())
    });
}

#[test]
fn offsets_above_four_gib_are_offsets() {
    on_every_runtime("sparse", async |_, dir| {
        const FAR: u64 = 5 << 30;
        let mut file = File::create_new(dir.join("file")).await?;
        file.seek(SeekFrom::Start(FAR)).await?;
        file.write_all(b"far").await?;
        assert_eq!(file.metadata().await?.len(), FAR + 3);
        assert!(
            file.metadata().await?.blocks() < 1024,
            "the rest takes no room"
        );
        assert_eq!(file.seek(SeekFrom::End(-3)).await?, FAR);
        let mut buf = [0; 8];
        assert_eq!(file.read(&mut buf).await?, 3);
        assert_eq!(&buf[..3], b"far");
        assert_eq!(file.read_at(&mut buf, FAR - 4).await?, 7);
        assert_eq!(&buf[..7], b"\0\0\0\0far");
        file.set_len(6 << 30).await?;
        assert_eq!(file.seek(SeekFrom::End(0)).await?, 6 << 30);
        Ok(())
    });
}

#[test]
fn errors_say_what_could_not_be_opened_and_why() {
    on_every_runtime("errors", async |_, dir| {
        let missing = File::open(dir.join("missing")).await.unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        assert!(
            missing.to_string().contains("missing\": No such file"),
            "{missing}"
        );
        // As it was given, in one line, and to be told from the words around.
        for (path, told) in [
            ("no\nsuch: file", "open \"no\\nsuch: file\": No such file"),
            ("", "open \"\": No such file"),
            ("a\0b", "open \"a\\0b\": a path has no zero byte"),
            ("./no/../such//", "open \"./no/../such//\": No such file"),
        ] {
            let error = File::open(path).await.unwrap_err().to_string();
            assert!(error.starts_with(told), "{error}");
        }
        fs::write(dir.join("file"), "")?;
        let there = File::create_new(dir.join("file")).await.unwrap_err();
        assert_eq!(there.kind(), io::ErrorKind::AlreadyExists);
        let inside = File::open(dir.join("file/inside")).await.unwrap_err();
        assert_eq!(inside.kind(), io::ErrorKind::NotADirectory);
        // A directory can be opened, and cannot be read.
        let directory = File::open(&dir).await?;
        let read = directory.read_at(&mut [0; 8], 0).await.unwrap_err();
        assert_eq!(read.kind(), io::ErrorKind::IsADirectory);
        let written = File::create(&dir).await.unwrap_err();
        assert_eq!(written.kind(), io::ErrorKind::IsADirectory);
        let zero = File::open("a\0b").await.unwrap_err();
        assert_eq!(zero.kind(), io::ErrorKind::InvalidInput);
        let nothing = File::options().open(dir.join("file")).await.unwrap_err();
        assert!(
            nothing.to_string().contains("set read, write or append"),
            "{nothing}"
        );
        let unwritable = File::open(dir.join("file")).await?;
        assert!(unwritable.write_at(b"x", 0).await.is_err());
        assert!(unwritable.set_len(1).await.is_err());
        Ok(())
    });
}

#[test]
fn a_loop_that_reads_a_cached_file_lets_others_run() {
    for_each_backend(|backend| {
        let scratch = Scratch::new(&format!("fair-{}", backend.name()));
        let path = scratch.0.join("file");
        fs::write(&path, vec![7; 64 << 10]).expect("room");
        let runtime = backend.runtime(1);
        runtime.block_on(async {
            let polls = Rc::new(Cell::new(0_usize));
            let counted = Rc::clone(&polls);
            // Ready at all times; not `yield_now`, which waits for a turn.
            let other = wakeline::spawn_local(poll_fn(move |cx| {
                counted.set(counted.get() + 1);
                cx.waker().wake_by_ref();
                Poll::<()>::Pending
            }));
            // 64 KiB are 5 units of 128: a poll reads no more than 26 times.
            let reading = wakeline::spawn_local(async move {
                let mut file = File::open(&path).await?;
                let mut buf = vec![0; 64 << 10];
                let before = polls.get();
                for _ in 0..130 {
                    assert_ne!(file.read_at(&mut buf, 0).await?, 0);
                    file.rewind().await?;
                    assert_ne!(file.read(&mut buf).await?, 0);
                }
                io::Result::Ok(polls.get() - before)
            });
            let others = reading.await.expect("no panic").expect("no error");
            assert!(others >= 9, "{others} polls of the other");
            other.abort();
        });
    });
}
