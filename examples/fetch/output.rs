//! Files: written beside their final name, then renamed, all off the loop.
//!
//! ```text
//!   Sink ──write──▶ buffer ──full──▶ a blocking job appends it to `.fetch-PID-N.part`
//!     └────commit──▶ one more job: append the rest, rename to the final name
//! ```
//! So a name in the directory never shows half a body, whatever happens: a `Sink` that is
//! dropped takes its `.part` file with it. A file from an earlier run is replaced, by the rename.
//!
//! The `.part` file is opened with `create_new`, which follows no link, and the rename replaces a
//! link instead of following it. Nothing outside the directory is touched.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    mem,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use super::error::{Failure, Kind};

/// Bytes collected before a blocking job is worth its two thread switches.
const BATCH: usize = 256 * 1024;

/// The file that one attempt writes.
pub(crate) struct Sink {
    target: PathBuf,
    part: Option<Part>,
    buffer: Vec<u8>,
}

impl Sink {
    /// A sink for `target`; the file system is not touched before the first write.
    pub(crate) fn new(target: &Path) -> Sink {
        Sink {
            target: target.to_owned(),
            part: None,
            buffer: Vec::new(),
        }
    }

    /// Adds `bytes`.
    ///
    /// # Errors
    ///
    /// `Kind::Output`.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() < BATCH {
            return Ok(());
        }
        // File and buffer travel into the job and back: neither is shared, and if this future is
        // dropped meanwhile, the job's result is dropped, and with it the `.part` file.
        let (part, mut buffer, target) = (
            self.part.take(),
            mem::take(&mut self.buffer),
            self.target.clone(),
        );
        let job = move || {
            let part = append(part, &buffer, &target)?;
            buffer.clear();
            Ok((part, buffer))
        };
        let (part, buffer) = blocking(&self.target, job).await?;
        (self.part, self.buffer) = (Some(part), buffer);
        Ok(())
    }

    /// Writes what is left and gives the file its name.
    ///
    /// # Errors
    ///
    /// `Kind::Output`.
    pub(crate) async fn commit(self) -> Result<(), Failure> {
        let Sink {
            target,
            part,
            buffer,
        } = self;
        let shown = target.clone();
        blocking(&shown, move || {
            append(part, &buffer, &target)?.persist(&target)
        })
        .await
    }
}

/// A `.part` file, removed when it is dropped.
struct Part {
    file: File,
    path: Option<PathBuf>,
}

impl Part {
    fn create(target: &Path) -> io::Result<Part> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        loop {
            // Relaxed: only the number counts.
            let name = format!(
                ".fetch-{}-{}.part",
                process::id(),
                NEXT.fetch_add(1, Ordering::Relaxed)
            );
            let path = target.with_file_name(name);
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => {
                    return Ok(Part {
                        file,
                        path: Some(path),
                    });
                }
                // Left by a process that had our number and was killed.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn persist(mut self, target: &Path) -> io::Result<()> {
        if let Some(path) = self.path.take()
            && let Err(error) = fs::rename(&path, target)
        {
            self.path = Some(path);
            return Err(error);
        }
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if let Some(path) = self.path.take() {
            // Nobody is left to be told; at worst a hidden file stays.
            let _ = fs::remove_file(path);
        }
    }
}

fn append(part: Option<Part>, bytes: &[u8], target: &Path) -> io::Result<Part> {
    let mut part = match part {
        Some(part) => part,
        None => Part::create(target)?,
    };
    part.file.write_all(bytes)?;
    Ok(part)
}

async fn blocking<T: Send + 'static>(
    target: &Path,
    job: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Failure> {
    let failed = |why: String| {
        Failure::new(
            Kind::Output,
            format!("cannot write {}: {why}", target.display()),
        )
    };
    match wakeline::spawn_blocking(job).await {
        Ok(done) => done.map_err(|error| failed(error.to_string())),
        Err(error) => Err(failed(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("fetch-output-{name}-{}", process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        path
    }

    #[test]
    fn a_part_is_gone_unless_it_was_given_its_name() {
        let directory = directory("part");
        let target = directory.join("a");
        drop(append(None, b"half", &target).unwrap());
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);

        let part = append(None, b"who", &target).unwrap();
        append(Some(part), b"le", &target)
            .unwrap()
            .persist(&target)
            .unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"whole");
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_link_in_the_way_is_replaced_and_not_followed() {
        let directory = directory("link");
        let (outside, target) = (directory.join("outside"), directory.join("a"));
        fs::write(&outside, "safe").unwrap();
        std::os::unix::fs::symlink(&outside, &target).unwrap();
        append(None, b"new", &target)
            .unwrap()
            .persist(&target)
            .unwrap();
        assert_eq!(fs::read(&outside).unwrap(), b"safe");
        assert_eq!(fs::read(&target).unwrap(), b"new");
        fs::remove_dir_all(directory).unwrap();
    }
}
