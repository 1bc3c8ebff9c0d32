//! A file at its position: reads, writes, seeks and a new length, one after another.

use std::fs::OpenOptions as StdOptions;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::moments::Moments;
use crate::notes::{Notes, outcome, told};
use crate::support::Chance;
use crate::{Played, Script};
use wakeline::fs::File;
use wakeline::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt, SeekFrom};

/// How the file is opened, and so which way its operations take.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// Mostly at once, out of the page cache.
    Cached,
    /// Each write is an operation.
    Synced,
    Append,
    /// No disk below it.
    Memory,
}

#[derive(Clone, Debug)]
enum Step {
    Read(usize, Moments),
    ReadAt(usize, u64, Moments),
    /// Tried again after a drop.
    Write(Vec<u8>, Moments),
    /// Something else is done after a drop.
    LeftWrite(Vec<u8>, Moments),
    Seek(SeekFrom, Moments),
    SetLen(u64),
    Sync(bool, Moments),
    Length(Moments),
    /// Out of the page cache, so that reads are operations.
    Forget,
    Clone,
    Std,
    /// A file that is not there, and one that is.
    Wrong(Moments),
}

pub(crate) struct Cursor {
    way: Way,
    steps: Vec<Step>,
}

pub(crate) fn script(chance: &mut Chance) -> Cursor {
    let way = match chance.below(10) {
        0 => Way::Synced, // a disk takes its time
        1..4 => Way::Cached,
        4..7 => Way::Append,
        _ => Way::Memory,
    };
    let steps = (0..24).map(|_| step(chance)).collect();
    Cursor { way, steps }
}

fn step(chance: &mut Chance) -> Step {
    let moments = Moments::new(chance);
    let length = match chance.below(4) {
        0 => 60_000 + chance.below(10_000),
        _ => chance.below(200),
    };
    let place = [200, 100_000][chance.below(2) as usize];
    let place = chance.below(place);
    match chance.below(20) {
        0..4 => Step::Read(length as usize, moments),
        4 | 5 => Step::ReadAt(length as usize, place, moments),
        6..10 => Step::Write(bytes(chance, length), moments),
        10 | 11 => Step::LeftWrite(bytes(chance, length), moments),
        12..15 => {
            let by = chance.below(1_000).cast_signed() - 500;
            let to = match chance.below(3) {
                0 => SeekFrom::Start(place),
                1 => SeekFrom::Current(by),
                _ => SeekFrom::End(by),
            };
            Step::Seek(to, moments)
        }
        15 => Step::SetLen(place),
        16 if chance.one_in(2) => Step::Sync(chance.one_in(2), moments),
        16 => Step::Length(moments),
        17 if chance.one_in(3) => Step::Forget,
        17 => Step::Clone,
        18 => Step::Std,
        _ => Step::Wrong(moments),
    }
}

/// Now and then the same byte all over, so that a write begins like the one before.
fn bytes(chance: &mut Chance, length: u64) -> Vec<u8> {
    let mut bytes = vec![7; length as usize];
    if !chance.one_in(3) {
        chance.fill(&mut bytes);
    }
    bytes
}

impl Script for Cursor {
    fn play<'a>(&'a self, dir: &'a Path, notes: &'a mut Notes) -> Played<'a> {
        Box::pin(async move {
            let std = self.open(dir)?;
            let mut file = File::from_std(std.try_clone()?)?;
            for step in &self.steps {
                file = self.one(dir, file, step, notes).await?;
                let position = file.stream_position().await?;
                notes.note(format!("{}: at {position}", named(step)));
            }
            file.flush().await?;
            notes.note(outcome(&file.close().await));
            let mut content = vec![0; std.metadata()?.len() as usize];
            std::os::unix::fs::FileExt::read_exact_at(&std, &mut content, 0)?;
            notes.note(format!("in all {}", told(&content)));
            Ok(())
        })
    }
}

/// A step without its bytes.
fn named(step: &Step) -> String {
    match step {
        Step::Write(bytes, _) => format!("write of {}", told(bytes)),
        Step::LeftWrite(bytes, _) => format!("write, left, of {}", told(bytes)),
        other => format!("{other:?}"),
    }
}

impl Cursor {
    fn open(&self, dir: &Path) -> io::Result<std::fs::File> {
        if let Way::Memory = self.way {
            let flags = rustix::fs::MemfdFlags::CLOEXEC;
            return Ok(rustix::fs::memfd_create("wakeline-seed", flags)?.into());
        }
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let mut options = StdOptions::new();
        options.read(true).write(true).create_new(true);
        match self.way {
            Way::Append => drop(options.append(true)),
            Way::Synced => {
                use std::os::unix::fs::OpenOptionsExt;
                options.custom_flags(libc::O_DSYNC);
            }
            Way::Cached | Way::Memory => {}
        }
        options.open(dir.join(format!("cursor-{number}")))
    }

    async fn one(
        &self,
        dir: &Path,
        mut file: File,
        step: &Step,
        notes: &mut Notes,
    ) -> io::Result<File> {
        match step {
            Step::Read(n, moments) => {
                let mut buf = vec![0; *n];
                let first = moments.live(file.read(&mut buf), || {}).await;
                let mut got = first.transpose()?.unwrap_or(0);
                while got < *n {
                    match file.read(&mut buf[got..]).await? {
                        0 => break,
                        more => got += more,
                    }
                }
                notes.note(format!("read {}", told(&buf[..got])));
            }
            Step::ReadAt(n, at, moments) => {
                let mut buf = vec![0; *n];
                let first = moments.live(file.read_at(&mut buf, *at), || {}).await;
                let got = first.transpose()?.unwrap_or(0);
                let rest = read_at_fully(&file, n - got, at + got as u64).await?;
                let all = [&buf[..got], &rest].concat();
                notes.note(format!("read at {at} {}", told(&all)));
            }
            Step::Write(bytes, moments) => {
                let first = moments.live(file.write(bytes), || {}).await;
                let done = first.transpose()?.unwrap_or(0);
                file.write_all(&bytes[done..]).await?;
            }
            Step::LeftWrite(bytes, moments) => {
                if let Way::Append = self.way {
                    // Where it will be written: so that the position tells how much was.
                    file.seek(SeekFrom::End(0)).await?;
                }
                let before = file.stream_position().await?;
                moments.live(file.write(bytes), || {}).await.transpose()?;
                file.flush().await?; // it is over, or was never begun
                let done = (file.stream_position().await? - before) as usize;
                let there = read_at_fully(&file, done, before).await?;
                notes.note(format!(
                    "what the position says is there: {}",
                    bytes.starts_with(&there)
                ));
                file.write_all(&bytes[done..]).await?;
            }
            Step::Seek(to, moments) => {
                let first = moments.live(file.seek(*to), || {}).await;
                let done = match first {
                    Some(done) => done,
                    None => file.seek(*to).await, // it has moved nothing
                };
                notes.note(format!("seek {}", outcome(&done)));
            }
            Step::SetLen(length) => {
                // A dropped one may happen at any time: see `blocks.rs`.
                file.flush().await?;
                notes.note(outcome(&file.set_len(*length).await));
            }
            Step::Sync(data_only, moments) => {
                let synced = if *data_only {
                    moments.live(file.sync_data(), || {}).await
                } else {
                    moments.live(file.sync_all(), || {}).await
                };
                synced.transpose()?;
            }
            Step::Length(moments) => {
                moments.live(file.metadata(), || {}).await;
                file.flush().await?;
                notes.note(format!("{} bytes", file.metadata().await?.len()));
            }
            Step::Forget => {
                file.sync_all().await?;
                let advice = rustix::fs::Advice::DontNeed;
                rustix::fs::fadvise(file.as_fd(), 0, None, advice)?;
            }
            Step::Clone => {
                file.flush().await?;
                let clone = file.try_clone()?;
                file.close().await?;
                file = clone;
            }
            Step::Std => {
                file.flush().await?;
                file = File::from_std(file.into_std()?)?;
            }
            Step::Wrong(moments) => {
                let missing = File::open(dir.join("missing"));
                if let Some(opened) = moments.live(missing, || {}).await {
                    notes_if_wrong(&opened, io::ErrorKind::NotFound)?;
                }
                let missing = File::open(dir.join("missing")).await;
                let there = File::create_new(dir).await;
                let unreadable = File::open(dir).await?.read_at(&mut [0; 8], 0).await;
                notes.note(outcome(&missing.map(drop)));
                notes.note(outcome(&there.map(drop)));
                notes.note(outcome(&unreadable));
            }
        }
        Ok(file)
    }
}

fn notes_if_wrong(opened: &io::Result<File>, kind: io::ErrorKind) -> io::Result<()> {
    match opened {
        Err(error) if error.kind() == kind => Ok(()),
        other => Err(io::Error::other(format!("{other:?}, not {kind:?}"))),
    }
}

async fn read_at_fully(file: &File, n: usize, at: u64) -> io::Result<Vec<u8>> {
    let mut buf = vec![0; n];
    let mut got = 0;
    while got < n {
        match file.read_at(&mut buf[got..], at + got as u64).await? {
            0 => break,
            more => got += more,
        }
    }
    buf.truncate(got);
    Ok(buf)
}
