//! Files, one after the other, to standard output.
//!
//! ```text
//! cargo run --example cat -- Cargo.toml - README.md < /etc/hostname
//! ```
//!
//! Each is read in pieces of 64 KiB, so the memory is the same for a terabyte,
//! and nothing blocks: a pipe that gives nothing, or takes nothing, costs no
//! thread.

use std::io::{self, Seek};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use wakeline::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, Stdout};
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
    /// This file cannot be opened, and the error names it; the others follow.
    Open(io::Error),
    /// This file cannot be read; the others follow.
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
            standard(&mut out).await
        } else {
            one(file, &mut out).await
        };
        match done {
            Ok(()) => {}
            Err(Stop::Open(error)) => {
                tell(&error.to_string());
                code = 1;
            }
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

async fn one(path: &Path, out: &mut Stdout) -> Result<(), Stop> {
    let mut file = fs::File::open(path).await.map_err(Stop::Open)?;
    refuse_output(file.as_fd(), out).await?;
    transfer(&mut file, out).await
}

async fn standard(out: &mut Stdout) -> Result<(), Stop> {
    refuse_output(io::stdin().as_fd(), out).await?;
    transfer(&mut wakeline::io::stdin(), out).await
}

/// Refuses a file that standard output goes to, unless all of it is read
/// already: each byte that is written would be one more to read, without end.
async fn refuse_output(input: BorrowedFd<'_>, out: &mut Stdout) -> Result<(), Stop> {
    let both = (known(input), known(io::stdout().as_fd()));
    let (Ok((mut file, found)), Ok((_, output))) = both else {
        return Ok(()); // what is wrong with it, reading tells
    };
    let same = (found.dev(), found.ino()) == (output.dev(), output.ino());
    if !found.is_file() || !same {
        return Ok(());
    }
    // What the files before have given is in it only now.
    out.flush().await.map_err(Stop::Output)?;
    let length = file.metadata().map_err(Stop::Input)?.len();
    if file.stream_position().map_err(Stop::Input)? < length {
        return Err(Stop::Input(io::Error::other("input file is output file")));
    }
    Ok(())
}

/// The same file once more, to be asked about.
fn known(fd: BorrowedFd<'_>) -> io::Result<(std::fs::File, std::fs::Metadata)> {
    let file = std::fs::File::from(fd.try_clone_to_owned()?);
    let found = file.metadata()?;
    Ok((file, found))
}

async fn transfer<R>(from: &mut R, out: &mut Stdout) -> Result<(), Stop>
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
