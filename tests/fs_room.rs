//! The room of a new content that is given up: it is given back by who removes the
//! name, on no worker, so by then the file is closed.

mod support;

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use support::for_each_backend;
use wakeline::fs::{self, AtomicFile};

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let name = format!("wakeline-room-{}-{name}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&dir).expect("the temporary directory is writable");
        Scratch(dir)
    }

    /// Whom the kernel tells what becomes of files here that were written.
    fn watch(&self) -> OwnedFd {
        let told = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).expect("room");
        let asked = WatchFlags::CLOSE_WRITE | WatchFlags::DELETE;
        inotify::add_watch(&told, &self.0, asked).expect("a directory");
        told
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

/// What was told since, in its order.
fn events(told: &OwnedFd) -> Vec<ReadFlags> {
    let mut room = [MaybeUninit::uninit(); 4096];
    let mut reader = inotify::Reader::new(told, &mut room);
    let mut events = Vec::new();
    loop {
        match reader.next() {
            Ok(event) => events.push(event.events()),
            Err(error) => {
                assert_eq!(error, Errno::AGAIN);
                return events;
            }
        }
    }
}

#[test]
fn a_new_content_that_is_given_up_is_closed_before_it_is_removed() {
    for_each_backend(|backend| {
        let dir = Scratch::new(backend.name());
        let (target, told) = (dir.0.join("target"), dir.watch());
        let in_order = [ReadFlags::CLOSE_WRITE, ReadFlags::DELETE];
        let tried = backend.runtime(1).block_on(async {
            let new = AtomicFile::create(&target).await?;
            new.file().write_at(b"new", 0).await?;
            new.discard().await?;
            assert_eq!(events(&told), in_order, "a discard");

            for synced in [false, true] {
                let new = AtomicFile::create(&target).await?;
                new.file().write_at(b"new", 0).await?;
                fs::create_dir(&target).await?; // so that it cannot get its name
                let failed = if synced {
                    new.commit().await
                } else {
                    new.commit_unsynced().await
                };
                assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::IsADirectory);
                assert_eq!(events(&told), in_order, "a commit");
                fs::remove_dir(&target).await?;
                events(&told);
            }
            io::Result::Ok(())
        });
        tried.unwrap_or_else(|error| panic!("on {}: {error}", backend.name()));
    });
}
