//! A file of blocks, read and written at offsets by several at once, past the page
//! cache where that can be done.
//!
//! A dropped write may happen at any later time. So what is written to a block is
//! always the same, and so is the length that the file is given; a block that was
//! written to, but not to its end, is read and not noted.

use std::fs::OpenOptions as StdOptions;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::moments::Moments;
use crate::notes::{Notes, told};
use crate::support::Chance;
use crate::{Played, Script};
use wakeline::fs::File;

const BLOCK: usize = 4096;
const BLOCKS: usize = 8;
const LENGTH: u64 = (BLOCK * BLOCKS) as u64;

#[derive(Clone, Debug)]
enum Step {
    Read(usize, bool, Moments),
    /// To its end, also after a drop.
    Write(usize, bool, Moments),
    /// Left where it was dropped.
    Begin(usize, bool, Moments),
    SetLen(Moments),
    Sync(Moments),
    /// Out of the page cache, so that reads are operations.
    Forget,
}

pub(crate) struct Blocks {
    /// A flag of its open.
    way: i32,
    content: Vec<Vec<u8>>,
    steps: Vec<Step>,
}

/// `direct`: whether it may be past the page cache, where a short transfer is an error.
pub(crate) fn script(chance: &mut Chance, direct: bool) -> Blocks {
    let content = (0..BLOCKS).map(|_| {
        let mut block = vec![0; BLOCK];
        chance.fill(&mut block);
        block
    });
    let content = content.collect();
    let way = match chance.below(10) {
        0..5 if direct => libc::O_DIRECT,
        0 => libc::O_DSYNC, // a disk takes its time
        _ => 0,
    };
    let steps = (0..20).map(|_| {
        let moments = Moments::new(chance);
        let block = chance.below(BLOCKS as u64) as usize;
        // Who reads past the cache into a buffer of his own must align it.
        let owned = chance.one_in(2) && way != libc::O_DIRECT;
        match chance.below(11) {
            0..3 => Step::Read(block, owned, moments),
            3..5 => Step::Write(block, owned, moments),
            5..8 => Step::Begin(block, owned, moments),
            8 => Step::SetLen(moments),
            9 if chance.one_in(2) => Step::Sync(moments),
            9 => Step::Forget,
            _ => Step::Read(block, owned, moments),
        }
    });
    let steps = steps.collect();
    Blocks {
        way,
        content,
        steps,
    }
}

/// What is known of a block.
#[derive(Clone, Copy, PartialEq)]
enum State {
    Zeros,
    Begun,
    Written,
}

impl Script for Blocks {
    fn play<'a>(&'a self, dir: &'a Path, notes: &'a mut Notes) -> Played<'a> {
        Box::pin(async move {
            static NUMBER: AtomicU64 = AtomicU64::new(0);
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let path = dir.join(format!("blocks-{number}"));
            let made = StdOptions::new()
                .read(true)
                .write(true)
                .create_new(true)
                .open(&path)?;
            made.set_len(LENGTH)?;
            let file = self.open(&path).await?;
            let mut states = [State::Zeros; BLOCKS];
            for step in &self.steps {
                self.one(&file, step, &mut states, notes).await?;
            }
            for (block, state) in states.iter().enumerate() {
                if *state == State::Begun {
                    self.write(&file, block, false, 0).await?;
                }
            }
            file.close().await?;
            let mut content = vec![0; LENGTH as usize];
            made.read_exact_at(&mut content, 0)?;
            notes.note(format!("in all {}", told(&content)));
            notes.note(format!("{} long", made.metadata()?.len()));
            Ok(())
        })
    }
}

impl Blocks {
    async fn open(&self, path: &Path) -> io::Result<File> {
        let mut options = StdOptions::new();
        options.read(true).write(true);
        if let Ok(file) = options.clone().custom_flags(self.way).open(path) {
            let file = File::from_std(file)?;
            // Whether it can be read past the cache, it tells then.
            if file.read_at(&mut vec![0; BLOCK], 0).await.is_ok() {
                return Ok(file);
            }
        }
        File::from_std(options.open(path)?)
    }

    async fn one(
        &self,
        file: &File,
        step: &Step,
        states: &mut [State; BLOCKS],
        notes: &mut Notes,
    ) -> io::Result<()> {
        match step {
            Step::Read(block, owned, moments) => {
                let offset = (block * BLOCK) as u64;
                if *owned {
                    let read = file.read_at_owned(Vec::with_capacity(BLOCK), offset);
                    if let Some((result, buf)) = moments.live(read, || {}).await {
                        assert_eq!(result?, buf.len());
                    }
                } else {
                    let mut buf = vec![0; BLOCK];
                    let read = moments.live(file.read_at(&mut buf, offset), || {}).await;
                    read.transpose()?;
                }
                if states[*block] != State::Begun {
                    let mut buf = vec![0; BLOCK];
                    let mut got = 0;
                    while got < BLOCK {
                        let n = file.read_at(&mut buf[got..], offset + got as u64).await?;
                        assert_ne!(n, 0, "the file is longer");
                        got += n;
                    }
                    notes.note(format!("block {block}: {}", told(&buf)));
                }
            }
            Step::Write(block, owned, moments) => {
                let done = self.begin(file, *block, *owned, moments).await?;
                self.write(file, *block, *owned, done).await?;
                states[*block] = State::Written;
            }
            Step::Begin(block, owned, moments) => {
                self.begin(file, *block, *owned, moments).await?;
                // What is written over what is written changes nothing.
                if states[*block] == State::Zeros {
                    states[*block] = State::Begun;
                }
            }
            Step::SetLen(moments) => {
                let cut = moments.live(file.set_len(LENGTH), || {}).await;
                cut.transpose()?;
                notes.note(format!("{} long", file.metadata().await?.len()));
            }
            Step::Sync(moments) => {
                moments.live(file.sync_data(), || {}).await.transpose()?;
            }
            Step::Forget => {
                file.sync_all().await?;
                rustix::fs::fadvise(file.as_fd(), 0, None, rustix::fs::Advice::DontNeed)?;
            }
        }
        Ok(())
    }

    /// A write that may be dropped: how much it says that it wrote.
    async fn begin(
        &self,
        file: &File,
        block: usize,
        owned: bool,
        moments: &Moments,
    ) -> io::Result<usize> {
        let (bytes, offset) = (&self.content[block], (block * BLOCK) as u64);
        let done = if owned {
            let write = file.write_at_owned(bytes.clone(), offset);
            moments.live(write, || {}).await.map(|(done, _)| done)
        } else {
            moments.live(file.write_at(bytes, offset), || {}).await
        };
        Ok(done.transpose()?.unwrap_or(0))
    }

    /// Writes what is left after `done` bytes.
    async fn write(
        &self,
        file: &File,
        block: usize,
        owned: bool,
        mut done: usize,
    ) -> io::Result<()> {
        let (bytes, start) = (&self.content[block], (block * BLOCK) as u64);
        while done < BLOCK {
            let (rest, offset) = (&bytes[done..], start + done as u64);
            done += if owned {
                file.write_at_owned(rest.to_vec(), offset).await.0?
            } else {
                file.write_at(rest, offset).await?
            };
        }
        Ok(())
    }
}
