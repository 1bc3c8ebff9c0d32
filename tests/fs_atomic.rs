//! A file that is replaced as a whole: the old content or the new one, and
//! nothing in between; also when the process is killed.

mod support;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use futures_lite::future::poll_once;
use rustix::fs::XattrFlags;
use rustix::io::Errno;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use support::disk::bounded;
use support::{Backend, Chance, alone, for_each_backend, open_descriptors, setting};
use wakeline::fs::{self, AtomicFile};
use wakeline::io::{AsyncSeekExt, AsyncWriteExt};

/// Writers that are killed at the same time, each with a file of its own.
const WRITERS: u64 = 4;

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let dir =
            std::env::temp_dir().join(format!("wakeline-atomic-{}-{name}", std::process::id()));
        let _left = std::fs::remove_dir_all(&dir);
        std::fs::create_dir(&dir).expect("a directory");
        Scratch(dir)
    }

    /// What is in it, by name.
    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).expect("it is there");
        let mut names: Vec<_> = entries
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .into_string()
                    .expect("text")
            })
            .collect();
        names.sort();
        names
    }
}

impl std::ops::Deref for Scratch {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

/// Which version the file has, if it is whole: see `tests/tools/atomic_writer.rs`.
fn version(path: &Path) -> Result<u64, String> {
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    let words: Vec<u64> = bytes
        .chunks(8)
        .map(|word| word.try_into().map(u64::from_le_bytes).unwrap_or(0))
        .collect();
    let first = *words.first().ok_or("it is empty")?;
    let length = 20_000 + (first % 7) as usize * 3_000;
    match words.iter().position(|&word| word != first) {
        Some(at) => Err(format!("version {first}, but {} at word {at}", words[at])),
        None if words.len() != length => Err(format!(
            "version {first} with {} words instead of {length}",
            words.len()
        )),
        None => Ok(first),
    }
}

#[test]
fn a_writer_that_is_killed_leaves_the_old_file_or_the_new_one() {
    let _alone = alone();
    let kills = setting("WAKELINE_TEST_KILLS", 200);
    let seed = Chance::new();
    let writer = support::child::example("atomic_writer");
    for_each_backend(|backend| {
        // Several at once: most of the time is spent waiting for the disk.
        let counts = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..WRITERS)
                .map(|number| {
                    let (chance, writer) = (seed.fork(number), &writer);
                    let kills = kills.div_ceil(WRITERS);
                    scope
                        .spawn(move || kill_again_and_again(backend, chance, writer, number, kills))
                })
                .collect();
            threads.into_iter().fold((0, 0), |sum, thread| {
                let (versions, left) = thread.join().expect("no writer left half a file");
                (sum.0 + versions, sum.1 + left)
            })
        });
        let (versions, left) = counts;
        eprintln!("-- {versions} versions; {left} of {kills} left a temporary file");
    });
}

/// Yields how many versions were written, and how many kills left a temporary
/// file.
fn kill_again_and_again(
    backend: Backend,
    mut chance: Chance,
    writer: &Path,
    number: u64,
    kills: u64,
) -> (u64, u64) {
    let dir = Scratch::new(&format!("{}-{number}", backend.name()));
    let path = dir.join("file");
    let (mut versions, mut left) = (0, 0);
    for kill in 0..kills {
        let mut child = Command::new(writer)
            .arg(&path)
            .env("WAKELINE_DRIVER", backend.option())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the writer starts");
        // Ended by a signal rather than to fill the disk.
        let limit = Rlimit {
            current: Some(64 << 20),
            maximum: Some(64 << 20),
        };
        let pid = Pid::from_child(&child);
        prlimit(Some(pid), Resource::Fsize, limit).expect("our own child");
        let mut told = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut last = 0;
        for _ in 0..=chance.below(3) {
            let line = told.next().expect("a version").expect("a line");
            last = line.parse::<u64>().expect("a number");
        }
        // Somewhere in the next version.
        for _ in 0..chance.below(200_000) {
            std::hint::spin_loop();
        }
        child.kill().expect("our own child, not waited for yet");
        child.wait().expect("it ends");

        let found = version(&path).unwrap_or_else(|wrong| panic!("kill {kill}: {wrong}"));
        assert!(
            found >= last,
            "kill {kill}: {last} was there, and now {found}"
        );
        versions += found;
        for name in dir.names() {
            if name != "file" {
                assert!(AtomicFile::is_temporary(&name), "kill {kill}: {name}");
                std::fs::remove_file(dir.join(&name)).expect("it is nobody's");
                left += 1;
            }
        }
    }
    (versions, left)
}

#[test]
fn a_file_keeps_its_permissions_and_a_link_stays_a_link() {
    let _alone = alone();
    for_each_backend(|backend| {
        let dir = Scratch::new("modes");
        backend.runtime(1).block_on(async {
            let (file, link) = (dir.join("file"), dir.join("link"));
            std::fs::write(&file, "old").unwrap();
            std::fs::set_permissions(&file, PermissionsExt::from_mode(0o751)).unwrap();
            std::os::unix::fs::symlink("file", &link).unwrap();
            let before = std::fs::metadata(&file).unwrap();
            fs::write_atomic(&link, "new").await.unwrap();
            assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
            assert_eq!(std::fs::read(&file).unwrap(), b"new");
            let after = std::fs::metadata(&file).unwrap();
            assert_eq!(after.mode(), before.mode());
            assert_eq!((after.uid(), after.gid()), (before.uid(), before.gid()));
            assert_ne!(after.ino(), before.ino(), "another file of this name");

            // A link to nothing yet: its file is made. And a new file is as new ones are.
            std::os::unix::fs::symlink("made", dir.join("dangling")).unwrap();
            fs::write_atomic(dir.join("dangling"), "x").await.unwrap();
            std::fs::write(dir.join("plain"), "").unwrap();
            let mode = |name| std::fs::symlink_metadata(dir.join(name)).unwrap().mode();
            assert_eq!(mode("made"), mode("plain"));
            assert_eq!(dir.names(), ["dangling", "file", "link", "made", "plain"]);
        });
    });
}

/// A write takes these bits away from who is not root; and root's half-written file must
/// not run as somebody else.
#[test]
fn whose_rights_a_program_runs_with_is_kept_and_only_at_the_end() {
    let _alone = alone();
    for_each_backend(|backend| {
        let dir = Scratch::new("setuid");
        backend.runtime(1).block_on(async {
            for (mode, synced) in [(0o4755, true), (0o6751, false), (0o2755, true)] {
                let file = dir.join("program");
                std::fs::write(&file, "old").unwrap();
                std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
                let mode_of = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o7777;
                assert_eq!(mode_of(&file), mode);
                let new = fs::AtomicFile::create(&file).await.unwrap();
                assert_eq!(mode_of(new.temporary_path()), mode & 0o777, "{mode:o}");
                new.file().write_at(b"new", 0).await.unwrap();
                if synced {
                    new.commit().await.unwrap();
                } else {
                    new.commit_unsynced().await.unwrap();
                }
                assert_eq!(std::fs::read(&file).unwrap(), b"new");
                let after = mode_of(&file);
                assert_eq!(after, mode, "{mode:o}: {after:o}");

                // A wish of its own counts, by whatever way, also for the same bits.
                for by_path in [false, true] {
                    let wish: std::fs::Permissions = PermissionsExt::from_mode(match by_path {
                        false => mode & 0o777,
                        true => 0o600,
                    });
                    std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
                    let new = fs::AtomicFile::create(&file).await.unwrap();
                    if by_path {
                        std::fs::set_permissions(new.temporary_path(), wish.clone()).unwrap();
                    } else {
                        new.file().set_permissions(wish.clone()).await.unwrap();
                    }
                    new.commit_unsynced().await.unwrap();
                    assert_eq!(mode_of(&file), wish.mode() & 0o7777, "{mode:o}");
                }
            }
        });
    });
}

/// Rights of a user and of the group in an access list, as `acl(5)` has them in
/// an extended attribute; the owner has all but to run it, others have none.
fn access_list(user: u16, group: u16, mask: u16) -> Vec<u8> {
    const NOBODY_NAMED: u32 = u32::MAX;
    let entries = [
        (0x01, 6, NOBODY_NAMED),
        (0x02, user, 4242),
        (0x04, group, NOBODY_NAMED),
        (0x10, mask, NOBODY_NAMED),
        (0x20, 0, NOBODY_NAMED),
    ];
    let mut list = 2_u32.to_le_bytes().to_vec();
    for (tag, rights, id) in entries {
        list.extend(u16::to_le_bytes(tag));
        list.extend(rights.to_le_bytes());
        list.extend(id.to_le_bytes());
    }
    list
}

const ACCESS: &str = "system.posix_acl_access";
const DEFAULT: &str = "system.posix_acl_default";

/// `false`: this file system has no access lists.
fn set_list(path: &Path, name: &str, list: &[u8]) -> bool {
    match rustix::fs::setxattr(path, name, list, XattrFlags::empty()) {
        Ok(()) => true,
        Err(Errno::OPNOTSUPP) => {
            eprintln!("-- no access lists here: nothing is tested");
            false
        }
        Err(error) => panic!("{error}"),
    }
}

fn list_of(path: &Path) -> Option<Vec<u8>> {
    let mut list = Vec::with_capacity(1 << 10);
    match rustix::fs::getxattr(path, ACCESS, rustix::buffer::spare_capacity(&mut list)) {
        Ok(_) => Some(list),
        Err(Errno::NODATA | Errno::OPNOTSUPP) => None,
        Err(error) => panic!("{error}"),
    }
}

/// The bits of the group are the mask of an access list, where there is one.
#[test]
fn an_access_list_goes_with_the_file_and_the_directory_gives_it_none() {
    let _alone = alone();
    for_each_backend(|backend| {
        let dir = Scratch::new("lists");
        let (listed, plain) = (dir.join("listed"), dir.join("plain"));
        std::fs::write(&listed, "old").unwrap();
        std::fs::write(&plain, "old").unwrap();
        // The user may write, and the group may nothing.
        let list = access_list(6, 0, 6);
        if !set_list(&listed, ACCESS, &list) {
            return;
        }
        std::fs::set_permissions(&plain, PermissionsExt::from_mode(0o660)).unwrap();
        // New files in here are for the user; neither of these was.
        set_list(&dir, DEFAULT, &access_list(7, 7, 7));
        backend.runtime(1).block_on(async {
            fs::write_atomic(&listed, "new").await.unwrap();
            fs::write_atomic(&plain, "new").await.unwrap();
        });
        let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o7777;
        assert_eq!(list_of(&listed), Some(list));
        assert_eq!(mode(&listed), 0o660);
        assert_eq!(list_of(&plain), None);
        assert_eq!(mode(&plain), 0o660);
    });
}

/// Runs as a process of its own, which gives up being root for good.
#[test]
fn a_group_that_cannot_be_kept_takes_its_rights_with_it() {
    const CHILD: &str = "WAKELINE_TEST_ATOMIC_GROUP";
    const NOBODY: u32 = 65_534;
    const OTHERS: u32 = 47_110;
    // Owner and group before, and permissions before and after.
    let files = [
        ("secret", NOBODY, OTHERS, 0o660, 0o600),
        ("banned", NOBODY, OTHERS, 0o606, 0o600),
        ("listed", NOBODY, OTHERS, 0o664, 0o604),
        ("set-id", NOBODY, OTHERS, 0o6775, 0o705),
        ("listing", NOBODY, OTHERS, 0o660, 0o600),
        ("given", OTHERS, NOBODY, 0o4640, 0o640),
        ("kept", NOBODY, NOBODY, 0o2640, 0o2640),
    ];
    let _alone = alone();
    if let Some(dir) = std::env::var_os(CHILD) {
        let dir = PathBuf::from(dir);
        // SAFETY: no groups are read for a count of 0.
        assert_eq!(unsafe { libc::setgroups(0, std::ptr::null()) }, 0);
        // SAFETY: takes integers.
        assert_eq!(unsafe { libc::setresgid(NOBODY, NOBODY, NOBODY) }, 0);
        // SAFETY: takes integers.
        assert_eq!(unsafe { libc::setresuid(NOBODY, NOBODY, NOBODY) }, 0);
        for_each_backend(|backend| {
            backend.runtime(1).block_on(async {
                for (name, ..) in files {
                    let name = dir.join(format!("{}-{name}", backend.name()));
                    fs::write_atomic(name, "new").await.unwrap();
                }
            });
        });
        return;
    }
    if !rustix::process::geteuid().is_root() {
        eprintln!("-- not tested: only root can make a file of another group");
        return;
    }
    let dir = Scratch::new("group");
    std::os::unix::fs::chown(&*dir, Some(NOBODY), Some(NOBODY)).unwrap();
    for backend in support::backends() {
        for (name, user, group, mode, _) in files {
            let path = dir.join(format!("{}-{name}", backend.name()));
            std::fs::write(&path, "old").unwrap();
            std::os::unix::fs::chown(&path, Some(user), Some(group)).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            if name == "listing" {
                set_list(&path, ACCESS, &access_list(6, 6, 6));
            }
        }
    }
    let this = std::env::current_exe().expect("the test knows its own path");
    let name = "a_group_that_cannot_be_kept_takes_its_rights_with_it";
    let mut child = Command::new(this);
    child
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, &*dir);
    assert!(child.status().expect("the test starts").success());
    for backend in support::backends() {
        for (name, .., after) in files {
            let path = dir.join(format!("{}-{name}", backend.name()));
            let found = std::fs::metadata(&path).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), b"new");
            assert_eq!((found.uid(), found.gid()), (NOBODY, NOBODY), "{name}");
            let mode = found.mode() & 0o7777;
            assert_eq!(mode, after, "{name} has {mode:o}, not {after:o}");
            assert_eq!(list_of(&path), None, "{name}: it would be another group's");
        }
    }
}

#[test]
fn what_cannot_be_replaced_is_refused_before_anything_is_written() {
    let _alone = alone();
    for_each_backend(|backend| {
        let dir = Scratch::new("refused");
        backend.runtime(1).block_on(async {
            std::os::unix::fs::symlink("circle", dir.join("circle")).unwrap();
            std::fs::create_dir(dir.join("sub")).unwrap();
            for (name, told) in [
                ("sub", "directory"),
                ("missing/file", "No such file"),
                ("circle", "circle"),
                ("/dev/null", "device"),
                ("..", "directory"),
            ] {
                let error = fs::write_atomic(dir.join(name), "x")
                    .await
                    .unwrap_err()
                    .to_string();
                assert!(
                    error.starts_with("replace \"") && error.contains(told),
                    "{error}"
                );
            }
            let long = dir.join("n".repeat(255));
            fs::write_atomic(&long, "x").await.unwrap();
            assert_eq!(std::fs::read(&long).unwrap(), b"x");
            assert_eq!(dir.names().len(), 3);
        });
    });
}

#[test]
fn what_is_committed_has_a_dropped_write_or_its_error() {
    let _alone = alone();
    for_each_backend(|backend| {
        let dir = Scratch::new("settled");
        let path = dir.join("file");
        let runtime = backend.builder().workers(1).blocking_threads(1).build();
        let runtime = runtime.expect("a runtime");
        runtime.block_on(bounded(&dir, async {
            for synced in [true, false] {
                let commit = |new: AtomicFile| match synced {
                    true => new.commit(),
                    false => new.commit_unsynced(),
                };
                std::fs::write(&path, "old").unwrap();

                // The pool's one thread is busy until the commit was begun.
                let mut new = AtomicFile::create(&path).await.unwrap();
                let (go, gate) = std::sync::mpsc::channel::<()>();
                let busy = wakeline::spawn_blocking(move || gate.recv());
                let bytes = vec![b'n'; 100_000];
                let mut write = Box::pin(new.file_mut().write(&bytes));
                let told = poll_once(write.as_mut()).await;
                drop(write);
                let mut commit_it = Box::pin(commit(new));
                let early = poll_once(commit_it.as_mut()).await;
                go.send(()).unwrap();
                match early {
                    Some(done) => done.unwrap(),
                    None => commit_it.await.unwrap(),
                }
                let _ = busy.await;
                let length = told.map_or(bytes.len(), |told| told.unwrap());
                assert_eq!(std::fs::read(&path).unwrap().len(), length);

                // No file is as long as that.
                let mut new = AtomicFile::create(&path).await.unwrap();
                let file = new.file_mut();
                let most = i64::MAX.cast_unsigned();
                file.seek(std::io::SeekFrom::Start(most)).await.unwrap();
                if poll_once(Box::pin(file.write(b"x"))).await.is_none() {
                    let error = commit(new).await.unwrap_err().to_string();
                    assert!(error.starts_with("replace \""), "{error}");
                    assert_eq!(std::fs::read(&path).unwrap().len(), length);
                }
            }
        }));
    });
}

#[test]
fn a_dropped_writer_leaves_one_of_the_two_and_no_temporary_file() {
    let _alone = alone();
    for_each_backend(|backend| {
        let dir = Scratch::new("dropped");
        let path = dir.join("file");
        let before = open_descriptors();
        let runtime = backend.runtime(1);
        runtime.block_on(async {
            for round in 0..100_usize {
                std::fs::write(&path, "old").unwrap();
                let mut write = Box::pin(fs::write_atomic(&path, "new"));
                for _ in 0..round {
                    if poll_once(write.as_mut()).await.is_some() {
                        break;
                    }
                    wakeline::yield_now().await;
                }
                drop(write);
                let found = std::fs::read(&path).expect("it is always there");
                assert!(
                    found == b"old" || found == b"new",
                    "round {round}: {found:?}"
                );
            }
            // Not committed: dropped with what was written.
            let new = AtomicFile::create(&path).await.unwrap();
            new.file().write_at(b"lost", 0).await.unwrap();
            let temporary = new.temporary_path().to_path_buf();
            assert!(temporary.exists());
            drop(new);
        });
        drop(runtime);
        let limit = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while dir.names().len() > 1 && std::time::Instant::now() < limit {
            std::thread::yield_now(); // the pool's last job
        }
        assert_eq!(dir.names(), ["file"]);
        support::descriptors_come_down_to(before);
        drop(File::open(&path));
    });
}
