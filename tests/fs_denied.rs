//! Files where system calls are refused that are newer than some kernels and
//! filters: all the same, by older ones.

mod support;

use std::fs as std_fs;
use std::io::{self, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use support::deny::deny;
use support::{Backend, for_each_backend};
use wakeline::fs::{self, File};
use wakeline::io::{AsyncReadExt, AsyncSeekExt};

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let name = format!("wakeline-denied-{}-{name}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        std_fs::create_dir_all(&dir).expect("the temporary directory is writable");
        let mut file = std_fs::File::create(dir.join("file")).expect("a file");
        file.write_all(b"hello").expect("room");
        // Until then it may have no blocks.
        file.sync_all().expect("a disk");
        symlink("file", dir.join("link")).expect("a link");
        Scratch(dir)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _gone = std_fs::remove_dir_all(&self.0);
    }
}

/// What std tells while it is refused nothing: it does not expect that to change.
struct Known {
    file: std_fs::Metadata,
    link: std_fs::Metadata,
    null: std_fs::Metadata,
}

fn known(dir: &Path) -> io::Result<Known> {
    Ok(Known {
        file: std_fs::metadata(dir.join("file"))?,
        link: std_fs::symlink_metadata(dir.join("link"))?,
        null: std_fs::metadata("/dev/null")?,
    })
}

/// Runs `test` in a thread, and threads of its, that are refused the call.
fn without(call: libc::c_long, name: &str, test: fn(Backend, &Path, &Known) -> io::Result<()>) {
    let dir = Scratch::new(name);
    let known = known(&dir.0).expect("they are there");
    for_each_backend(|backend| {
        for errno in [libc::ENOSYS, libc::EPERM] {
            let denied = || {
                deny(errno, &[call]).expect("filters are known");
                test(backend, &dir.0, &known)
            };
            let done = std::thread::scope(|scope| scope.spawn(denied).join());
            done.expect("no panic").expect("it works without");
        }
    });
}

fn same(found: &fs::Metadata, known: &std_fs::Metadata) {
    assert_eq!(found.len(), known.len());
    assert_eq!(found.mode(), known.mode());
    assert_eq!(found.file_type().is_symlink(), known.is_symlink());
    assert_eq!((found.dev(), found.ino()), (known.dev(), known.ino()));
    assert_eq!((found.uid(), found.gid()), (known.uid(), known.gid()));
    assert_eq!(found.nlink(), known.nlink());
    assert_eq!(found.rdev(), known.rdev());
    assert_eq!(found.blocks(), known.blocks());
    assert_eq!(found.blksize(), known.blksize());
    assert_eq!(found.modified().unwrap(), known.modified().unwrap());
}

#[test]
fn without_statx_metadata_is_whole_and_files_are_read() {
    without(libc::SYS_statx, "statx", |backend, dir, known| {
        let (path, link) = (dir.join("file"), dir.join("link"));
        backend.runtime(1).block_on(async {
            same(&fs::metadata(&link).await?, &known.file);
            same(&fs::symlink_metadata(&link).await?, &known.link);
            same(&fs::metadata("/dev/null").await?, &known.null);
            assert!(!fs::try_exists(dir.join("none")).await?);
            let mut file = File::open(&path).await?;
            same(&file.metadata().await?, &known.file);
            assert_eq!(file.seek(SeekFrom::End(-2)).await?, 3);
            let mut text = String::new();
            file.read_to_string(&mut text).await?;
            assert_eq!(text, "lo");
            // The end is the end, at each look.
            for _ in 0..3 {
                assert_eq!(file.read(&mut [0; 8]).await?, 0);
                assert_eq!(file.read_at(&mut [0; 8], 5).await?, 0);
            }
            assert_eq!(fs::read(&path).await?, b"hello");
            file.close().await
        })
    });
}

#[test]
fn without_openat2_and_statmount_files_are_opened_elsewhere() {
    for (call, name) in [(libc::SYS_openat2, "openat2"), (457, "statmount")] {
        without(call, name, |backend, dir, _| {
            let path = dir.join("file");
            backend.runtime(1).block_on(async {
                for path in [&path, Path::new("/proc/self/comm")] {
                    let file = File::open(path).await?;
                    let mut buf = [0; 64];
                    assert!(file.read_at(&mut buf, 0).await? > 0);
                    file.close().await?;
                }
                Ok(())
            })
        });
    }
}

/// As Linux 5.9 and 5.10 may say of what is not in memory.
#[test]
fn without_statx_an_early_end_is_not_believed() {
    without(libc::SYS_statx, "end", |backend, dir, _| {
        deny(0, &[libc::SYS_preadv2]).expect("filters are known"); // it reads nothing
        let path = dir.join("file");
        backend.runtime(1).block_on(async {
            let mut file = File::open(&path).await?;
            let mut text = [0; 8];
            assert_eq!(file.read_at(&mut text, 0).await?, 5);
            assert_eq!(file.read(&mut text).await?, 5);
            assert_eq!(file.read(&mut text).await?, 0);
            assert_eq!(fs::read(&path).await?, b"hello");
            file.close().await
        })
    });
}
