//! A copy of a file that is there as a whole or not at all.
//!
//! ```text
//! cargo run --release --example cp -- --sync big.iso /mnt/backup/
//! ```
//!
//! The content is written to a temporary name beside the target and renamed at
//! the end. Ctrl-C, an error, a full disk: what was there before is untouched.
//!
//! Read in this order: `options` (what may be asked for), this file (start and
//! end), `transfer` (the bytes), `progress` (what is told meanwhile).

mod options;
mod progress;
mod transfer;

use std::fs::Permissions;
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use wakeline::Runtime;
use wakeline::fs::{self, AtomicFile, File};
use wakeline::signal::unix::{SignalKind, signal};

use options::Options;
use progress::Progress;
use transfer::Failed;

/// How it ended without an error.
enum End {
    Copied,
    Interrupted,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let runtime = match Runtime::builder().driver(options.driver).workers(1).build() {
        Ok(runtime) => runtime,
        Err(error) => {
            progress::tell(&format!("cannot start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(copy(&options)) {
        Ok(End::Copied) => ExitCode::SUCCESS,
        Ok(End::Interrupted) => ExitCode::from(130),
        Err(message) => {
            progress::tell(&message);
            ExitCode::FAILURE
        }
    }
}

async fn copy(options: &Options) -> Result<End, String> {
    let text = |error: io::Error| error.to_string();
    // Before anything is made that a signal would leave behind.
    let mut interrupt = signal(SignalKind::interrupt()).map_err(text)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(text)?;

    let source = File::open(&options.from).await.map_err(text)?;
    let known = source.metadata().await.map_err(text)?;
    if !known.is_file() {
        let from = options.from.display();
        return Err(format!("{from}: not a regular file"));
    }
    let to = target(options).await?;
    if let Ok(found) = fs::metadata(&to).await
        && (found.dev(), found.ino()) == (known.dev(), known.ino())
    {
        return Err(format!("{}: it is the same file", to.display()));
    }
    let new = begin(&to, options.force).await?;

    let progress = Progress::new(known.len());
    let done = wakeline::select! {
        // A signal first, if both are ready: it was asked for.
        biased;
        _ = interrupt.recv() => None,
        _ = terminate.recv() => None,
        done = content(&source, &new, &progress) => Some(done),
    };
    progress.clear();
    match done {
        Some(Ok(())) => {}
        None => {
            new.discard().await.map_err(text)?;
            progress::tell("interrupted; nothing was changed");
            return Ok(End::Interrupted);
        }
        Some(Err(error)) => {
            // The first error is the one to be told.
            let _gone = new.discard().await;
            let (path, error) = match error {
                Failed::Reading(error) => (&options.from, error),
                Failed::Writing(error) => (&to, error),
            };
            return Err(format!("{}: {error}", path.display()));
        }
    }
    let committed = if options.sync {
        new.commit().await
    } else {
        new.commit_unsynced().await
    };
    committed.map_err(|error| exists(&to, &error))?;
    progress.sum_up();
    Ok(End::Copied)
}

/// The bytes, and who may read, write and run them; not with whose rights it runs: the
/// copy is another's.
async fn content(source: &File, new: &AtomicFile, progress: &Progress) -> Result<(), Failed> {
    transfer::all(source, new.file(), progress).await?;
    let known = source.metadata().await.map_err(Failed::Reading)?;
    let rights = Permissions::from_mode(known.mode() & 0o777);
    let set = new.file().set_permissions(rights).await;
    set.map_err(Failed::Writing)
}

/// The path of the copy: in a directory it has the name of the original.
async fn target(options: &Options) -> Result<PathBuf, String> {
    match fs::metadata(&options.to).await {
        Ok(found) if found.is_dir() => match options.from.file_name() {
            Some(name) => Ok(options.to.join(name)),
            None => Err(format!("{}: it has no file name", options.from.display())),
        },
        Ok(_) => Ok(options.to.clone()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let to = &options.to;
            if to.as_os_str().as_encoded_bytes().ends_with(b"/") {
                return Err(format!("{}: there is no such directory", to.display()));
            }
            Ok(to.clone())
        }
        Err(error) => Err(error.to_string()),
    }
}

async fn begin(to: &Path, force: bool) -> Result<AtomicFile, String> {
    let begun = if force {
        AtomicFile::create(to).await
    } else {
        AtomicFile::create_new(to).await
    };
    begun.map_err(|error| exists(to, &error))
}

fn exists(to: &Path, error: &io::Error) -> String {
    if error.kind() == ErrorKind::AlreadyExists {
        format!("{}: it exists: --force replaces it", to.display())
    } else {
        error.to_string()
    }
}
