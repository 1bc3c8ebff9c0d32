//! Files, one after the other, to standard output.
//!
//! ```text
//! cargo run --example cat -- Cargo.toml - README.md < /etc/hostname
//! ```
//!
//! Each is read in pieces of 64 KiB, so the memory is the same for a terabyte,
//! and nothing blocks: a pipe that gives nothing, or takes nothing, costs no
//! thread.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use wakeline::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use wakeline::{Driver, Runtime, fs};

/// Bytes that are read, and then written, at a time.
const PIECE: usize = 64 << 10;

/// Writes files, or standard input, to standard output.
#[derive(Debug, Parser)]
#[command(
    name = "cat",
    version,
    after_help = "A file that cannot be read is told on stderr, and the rest follows.\n\n\
        Exit code: 0 all was written, or nobody reads it any more; 1 a file could not be read; \
        2 wrong usage; 3 standard output cannot be written."
)]
struct Options {
    /// What to write; - is standard input, as no file at all is.
    #[arg(value_name = "FILE", default_value = "-")]
    files: Vec<PathBuf>,

    /// How to wait for the kernel: auto, uring or epoll.
    #[arg(long, value_name = "DRIVER", default_value = "auto")]
    driver: Driver,
}

/// Why it ends before the last file.
enum Stop {
    /// This file; the others follow.
    Input(io::Error),
    /// Standard output: there is no use in going on.
    Output(io::Error),
}

fn main() -> ExitCode {
    let options = Options::parse();
    let runtime = match Runtime::builder().driver(options.driver).workers(1).build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tell(&format!("cannot start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(all(&options.files));
    // A read of a terminal may sit on a thread: nobody waits for that.
    drop(runtime);
    ExitCode::from(code)
}

/// Writes all of them; the exit code.
async fn all(files: &[PathBuf]) -> u8 {
    let mut code = 0;
    let mut out = wakeline::io::stdout();
    for file in files {
        let done = if file.as_os_str() == "-" {
            transfer(&mut wakeline::io::stdin(), &mut out).await
        } else {
            one(file, &mut out).await
        };
        match done {
            Ok(()) => {}
            Err(Stop::Input(error)) => {
                tell(&format!("{}: {error}", file.display()));
                code = 1;
            }
            Err(Stop::Output(error)) => return ended(&error),
        }
    }
    match out.flush().await {
        Ok(()) => code,
        Err(error) => ended(&error),
    }
}

/// Nobody takes the output any more.
fn ended(error: &io::Error) -> u8 {
    // `cat big | head -1`: that is how it should end.
    if error.kind() == io::ErrorKind::BrokenPipe {
        return 0;
    }
    tell(&format!("standard output: {error}"));
    3
}

async fn one(path: &Path, out: &mut wakeline::io::Stdout) -> Result<(), Stop> {
    let mut file = fs::File::open(path).await.map_err(Stop::Input)?;
    let found = file.metadata().await.map_err(Stop::Input)?;
    if found.is_file() && found.len() > 0 && is_output(found.dev(), found.ino()) {
        let text = "it is the output, too, and would never end";
        return Err(Stop::Input(io::Error::other(text)));
    }
    transfer(&mut file, out).await
}

/// Whether this file is what standard output goes to.
fn is_output(device: u64, inode: u64) -> bool {
    use std::os::fd::AsFd;
    let out = io::stdout().as_fd().try_clone_to_owned();
    let found = out.and_then(|fd| std::fs::File::from(fd).metadata());
    found.is_ok_and(|found| found.is_file() && (found.dev(), found.ino()) == (device, inode))
}

async fn transfer<R>(from: &mut R, out: &mut wakeline::io::Stdout) -> Result<(), Stop>
where
    R: AsyncRead + Unpin,
{
    let mut piece = vec![0; PIECE];
    loop {
        match from.read(&mut piece).await.map_err(Stop::Input)? {
            0 => return Ok(()),
            n => out.write_all(&piece[..n]).await.map_err(Stop::Output)?,
        }
    }
}

fn tell(message: &str) {
    use std::io::Write;
    // If stderr is closed, there is nobody to tell.
    let _ = writeln!(io::stderr(), "cat: {message}");
}
