//! A disk that a broken file cannot fill.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

/// What no test of files needs, in bytes on the disk.
const MOST: u64 = 64 << 20;
/// Nor so many polls; small writes would take their time to come to `MOST`.
const POLLS_MOST: u64 = 1_000_000;

/// Runs `test`, whose files are `path` or in it. It panics when they take more
/// room than any test needs: a write that is begun again and again, say.
pub(crate) fn bounded<F: Future>(path: &Path, test: F) -> Bounded<F> {
    Bounded {
        path: path.to_path_buf(),
        polls: 0,
        test: Box::pin(test),
    }
}

pub(crate) struct Bounded<F> {
    path: PathBuf,
    polls: u64,
    test: Pin<Box<F>>,
}

impl<F: Future> Future for Bounded<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let output = self.test.as_mut().poll(cx);
        // A poll writes little: its budget is small.
        let taken = taken(&self.path);
        assert!(taken <= MOST, "{taken} bytes on the disk");
        self.polls += 1;
        assert!(self.polls <= POLLS_MOST, "it comes to no end");
        output
    }
}

/// Bytes on the disk; the holes of a file are none.
fn taken(path: &Path) -> u64 {
    let Ok(found) = fs::symlink_metadata(path) else {
        return 0; // removed meanwhile
    };
    let inside = match fs::read_dir(path) {
        Ok(entries) if found.is_dir() => {
            let entries = entries.filter_map(Result::ok);
            entries.map(|entry| taken(&entry.path())).sum()
        }
        _ => 0,
    };
    found.blocks() * 512 + inside
}
