//! Operations on names: on the ring, and on the pool where there is none.

mod common;
use common::*;
use std::ffi::{CStr, CString};
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;
use wakeline_reactor::{Config, DriverKind, Reactor, op};

/// A directory of one test, and a descriptor of it.
struct Dir(PathBuf, Arc<OwnedFd>);

impl Dir {
    fn new() -> Dir {
        let thread = format!("{:?}", std::thread::current().id());
        let name = format!("wakeline-op-path-{}-{thread}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _left = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        let fd = Arc::new(File::open(&path).unwrap().into());
        Dir(path, fd)
    }

    fn fd(&self) -> Option<Arc<OwnedFd>> {
        Some(Arc::clone(&self.1))
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(&self.0)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn unlink(&self, name: &CStr, flags: i32) -> op::UnlinkAt {
        let (dir, path) = (self.fd(), name.to_owned());
        op::UnlinkAt { dir, path, flags }
    }

    fn rename(&self, from: &CStr, to: &CStr, flags: u32) -> op::RenameAt {
        let (from_dir, to_dir) = (self.fd(), self.fd());
        let (from, to) = (from.to_owned(), to.to_owned());
        op::RenameAt {
            from_dir,
            from,
            to_dir,
            to,
            flags,
        }
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

#[track_caller]
fn outcome<O: op::Op<Output = ()>>(reactor: &Reactor, op: O) -> Result<(), i32> {
    let (result, _) = block_on(reactor, op::submit(op));
    result.map_err(|error| error.raw_os_error().unwrap())
}

#[test]
fn names_are_made_linked_renamed_and_removed_relative_to_a_directory() {
    for_each_driver(|reactor| {
        let dir = Dir::new();
        let mkdir = |path: &CStr| op::MkdirAt {
            dir: dir.fd(),
            path: path.to_owned(),
            mode: 0o700,
        };
        assert_eq!(outcome(reactor, mkdir(c"sub")), Ok(()));
        assert_eq!(outcome(reactor, mkdir(c"sub")), Err(libc::EEXIST));
        assert_eq!(outcome(reactor, mkdir(c"no/sub")), Err(libc::ENOENT));
        fs::write(dir.0.join("file"), "content").unwrap();
        let link = op::LinkAt {
            from_dir: dir.fd(),
            from: c"file".into(),
            to_dir: dir.fd(),
            to: c"second".into(),
            flags: 0,
        };
        assert_eq!(outcome(reactor, link), Ok(()));
        let symlink = op::SymlinkAt {
            target: c"../far".into(),
            dir: dir.fd(),
            path: c"symbolic".into(),
        };
        assert_eq!(outcome(reactor, symlink), Ok(()));
        let says = fs::read_link(dir.0.join("symbolic")).unwrap();
        assert_eq!(says.as_os_str(), "../far");
        assert_eq!(dir.names(), ["file", "second", "sub", "symbolic"]);

        let rename = dir.rename(c"symbolic", c"sub/there", 0);
        assert_eq!(outcome(reactor, rename), Ok(()));
        let (unlink, rmdir) = (0, libc::AT_REMOVEDIR);
        assert_eq!(
            outcome(reactor, dir.unlink(c"sub", unlink)),
            Err(libc::EISDIR)
        );
        assert_eq!(
            outcome(reactor, dir.unlink(c"sub", rmdir)),
            Err(libc::ENOTEMPTY)
        );
        assert_eq!(outcome(reactor, dir.unlink(c"sub/there", unlink)), Ok(()));
        assert_eq!(outcome(reactor, dir.unlink(c"sub", rmdir)), Ok(()));
        assert_eq!(dir.names(), ["file", "second"]);
    });
}

#[test]
fn a_rename_heeds_its_flags() {
    for_each_driver(|reactor| {
        let dir = Dir::new();
        fs::write(dir.0.join("a"), "A").unwrap();
        fs::write(dir.0.join("b"), "B").unwrap();
        let read = |name| fs::read_to_string(dir.0.join(name)).unwrap();
        let refused = dir.rename(c"a", c"b", libc::RENAME_NOREPLACE);
        assert_eq!(outcome(reactor, refused), Err(libc::EEXIST));
        let exchange = dir.rename(c"a", c"b", libc::RENAME_EXCHANGE);
        assert_eq!(outcome(reactor, exchange), Ok(()));
        assert_eq!((read("a"), read("b")), ("B".into(), "A".into()));
        assert_eq!(outcome(reactor, dir.rename(c"a", c"b", 0)), Ok(()));
        assert_eq!(dir.names(), ["b"]);
        assert_eq!(read("b"), "B");
    });
}

#[test]
fn the_path_outlives_the_future_that_was_dropped() {
    for_each_driver(|reactor| {
        let dir = Dir::new();
        for i in 0..50 {
            let long = format!("{i}-{}", "n".repeat(200));
            let path = CString::new(dir.0.join(long).as_os_str().as_bytes()).unwrap();
            let mkdir = op::MkdirAt {
                dir: None,
                path,
                mode: 0o700,
            };
            drop(op::submit(mkdir));
        }
        turn_until(reactor, || reactor.metrics().ops_in_flight == 0);
        // Each was made under its own name, or not at all.
        for name in dir.names() {
            assert_eq!(
                name.trim_start_matches(|c: char| c.is_ascii_digit()).len(),
                201
            );
        }
    });
}

#[test]
fn a_ring_needs_no_pool_for_them_and_epoll_says_that_it_does() {
    for (kind, expected) in [
        (DriverKind::Uring, std::io::ErrorKind::NotFound),
        (DriverKind::Epoll, std::io::ErrorKind::Unsupported),
    ] {
        let Ok(reactor) = Reactor::new(&Config::default().driver(kind)) else {
            eprintln!("not tested on {kind}");
            continue;
        };
        let _entered = reactor.enter();
        let unlink = op::UnlinkAt {
            dir: None,
            path: c"/no/such/file".into(),
            flags: 0,
        };
        let (result, ()) = block_on(&reactor, op::submit(unlink));
        assert_eq!(result.unwrap_err().kind(), expected, "{kind}");
    }
}
