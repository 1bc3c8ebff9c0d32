//! A file that is watched, and what may become of it.
//!
//! ```text
//!   Open ──1──▶ Open     it has grown: write what is new
//!   Open ──2──▶ Open     it is shorter than what was read: begin again; but what
//!                        has no length, as most of /proc, is never shorter
//!   Open ──3──▶ Open     its name has another file: read this to its end, then that
//!   Open ──4──▶ Open     its name is gone, or a directory or FIFO has it: keep it,
//!                        and look for the name
//! ```
//!
//! It is looked at every so often, not by inotify: that says nothing of files on
//! a network, and the two looks that this takes cost some microseconds. What it
//! cannot see: a file cut off and grown beyond its old length between two looks.
//!
//! That nobody reads the output any more is an event, and ends it also while
//! there is nothing to write.

use std::fs::File as Blocking;
use std::future::pending;
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use wakeline::fs::{self, File, Metadata};
use wakeline::io::{AsyncFd, AsyncWriteExt, Interest, Stdout, stdout};
use wakeline::select;
use wakeline::time::sleep;

use crate::{Options, last_lines, tell};

/// Bytes that are read, and then written, at a time.
const PIECE: usize = 64 << 10;

const NOT_A_FILE: &str = "not a regular file";

/// Why it ends.
pub(crate) enum Stop {
    Input(io::Error),
    Output(io::Error),
}

struct Follower {
    file: File,
    /// What is written already.
    position: u64,
    /// That its length was not always zero: else it may have bytes all the same.
    has_length: bool,
    out: Stdout,
    piece: Vec<u8>,
    /// That no file has the name was told.
    missing: bool,
}

/// Writes the last lines, then follows, without end.
pub(crate) async fn run(options: &Options) -> Result<(), Stop> {
    let mut follower = Follower::open(&options.file, options.lines).await?;
    follower.drain().await?;
    if options.no_follow {
        return Ok(());
    }
    let follow = async {
        loop {
            sleep(options.every).await;
            follower.look(&options.file).await?;
        }
    };
    select! {
        biased;
        left = reader_left() => left.map_err(Stop::Output),
        stopped = follow => stopped,
    }
}

/// Ready when nobody reads the output any more, if it is a pipe.
async fn reader_left() -> io::Result<()> {
    let pipe = Blocking::from(io::stdout().as_fd().try_clone_to_owned()?);
    if !pipe.metadata()?.file_type().is_fifo() {
        return pending().await; // the next write tells
    }
    let pipe = AsyncFd::with_interest(pipe, Interest::READABLE)?;
    let left = |pipe: &Blocking| {
        let mut asked = [PollFd::new(pipe, PollFlags::empty())];
        poll(&mut asked, Some(&Timespec::default()))?;
        if asked[0].revents().contains(PollFlags::ERR) {
            return Ok(());
        }
        Err(ErrorKind::WouldBlock.into())
    };
    pipe.async_io(Interest::READABLE, left).await
}

impl Follower {
    async fn open(path: &Path, lines: u64) -> Result<Follower, Stop> {
        let file = File::open(path).await.map_err(Stop::Input)?;
        let known = file.metadata().await.map_err(Stop::Input)?;
        if !known.is_file() {
            let text = format!("{}: {NOT_A_FILE}", path.display());
            return Err(Stop::Input(io::Error::new(ErrorKind::InvalidInput, text)));
        }
        let start = last_lines::start_of(&file, known.len(), lines).await;
        Ok(Follower {
            file,
            position: start.map_err(Stop::Input)?,
            has_length: known.len() > 0,
            out: stdout(),
            piece: vec![0; PIECE],
            missing: false,
        })
    }

    /// Writes what there is up to the end of the file.
    async fn drain(&mut self) -> Result<(), Stop> {
        loop {
            let read = self.file.read_at(&mut self.piece, self.position).await;
            let n = read.map_err(Stop::Input)?;
            if n == 0 {
                return self.out.flush().await.map_err(Stop::Output);
            }
            let written = self.out.write_all(&self.piece[..n]).await;
            written.map_err(Stop::Output)?;
            self.position += n as u64;
        }
    }

    /// Looks once at the file and at its name.
    async fn look(&mut self, path: &Path) -> Result<(), Stop> {
        // The name first: what the old file gets after that is not missed, as
        // it is read to its end below, after the new one was seen.
        let named = self.named(path).await?;
        let known = self.file.metadata().await.map_err(Stop::Input)?;
        self.has_length |= known.len() > 0;
        if self.has_length && known.len() < self.position {
            tell(&format!("{}: file truncated", path.display()));
            self.position = 0; // 2
        }
        self.drain().await?; // 1
        let Some(named) = named else { return Ok(()) }; // 4
        if (named.dev(), named.ino()) != (known.dev(), known.ino()) {
            self.change_to(path).await?; // 3
        }
        Ok(())
    }

    /// The file that has the name now.
    async fn named(&mut self, path: &Path) -> Result<Option<Metadata>, Stop> {
        let why = match fs::metadata(path).await {
            Ok(named) if named.is_file() => {
                self.missing = false;
                return Ok(Some(named));
            }
            Ok(_) => NOT_A_FILE,
            Err(error) if error.kind() == ErrorKind::NotFound => "has become inaccessible",
            Err(error) => return Err(Stop::Input(error)),
        };
        if !self.missing {
            self.missing = true;
            tell(&format!("{}: {why}", path.display()));
        }
        Ok(None)
    }

    /// The file that has the name now, from its beginning.
    async fn change_to(&mut self, path: &Path) -> Result<(), Stop> {
        match File::open(path).await {
            Ok(file) => {
                let known = file.metadata().await.map_err(Stop::Input)?;
                if !known.is_file() {
                    return Ok(()); // already something else: the next look tells
                }
                tell(&format!("{}: following the new file", path.display()));
                self.file = file;
                self.position = 0;
                self.has_length = known.len() > 0;
                self.drain().await
            }
            // Gone again: the next look tells.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Stop::Input(error)),
        }
    }
}
