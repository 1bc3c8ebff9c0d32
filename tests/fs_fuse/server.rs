//! A file system of one file, `file`, whose server can be made to think: it answers
//! the requests of one kind only when it is told to, or when a long time is over,
//! and remembers which of the two it was. Or it fails those of one kind, and counts
//! them. Another file can be made and renamed to that.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// The kinds of requests, as linux/fuse.h has them.
pub(crate) const LOOKUP: u32 = 1;
const FORGET: u32 = 2;
pub(crate) const GETATTR: u32 = 3;
const SETATTR: u32 = 4;
pub(crate) const MKDIR: u32 = 9;
const UNLINK: u32 = 10;
const RENAME: u32 = 12;
pub(crate) const OPEN: u32 = 14;
pub(crate) const READ: u32 = 15;
pub(crate) const WRITE: u32 = 16;
const RELEASE: u32 = 18;
pub(crate) const FLUSH: u32 = 25;
const INIT: u32 = 26;
const OPENDIR: u32 = 27;
const RELEASEDIR: u32 = 29;
pub(crate) const SETLK: u32 = 32;
/// Also to let go.
const SETLKW: u32 = 33;
const CREATE: u32 = 35;
const BATCH_FORGET: u32 = 42;
const RENAME2: u32 = 45;

/// It is told of locks by flock(2).
const FLOCK_LOCKS: u32 = 1 << 10;

pub(crate) const TEXT: &[u8] = b"hello";
/// How long it thinks at most: a test in which that is over has failed.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the kernel may believe a name, in seconds; what it was told of a file
/// it may not believe at all.
const VALID: u64 = 1000;

pub(crate) struct Fuse {
    dir: PathBuf,
    shared: Arc<Shared>,
    go: SyncSender<()>,
    server: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    /// The kind of request that is thought about; 0 for none.
    hard: AtomicU32,
    asked: AtomicBool,
    forsaken: AtomicBool,
    /// The kind of request that fails; 0 for none. With what, and how many did.
    failing: AtomicU32,
    errno: AtomicI32,
    failed: AtomicU32,
    /// Locks that were taken or let go of.
    locks: AtomicU32,
}

impl Shared {
    /// The error of this request, if its kind fails now.
    fn fails(&self, kind: u32) -> Option<i32> {
        if kind != self.failing.load(Ordering::SeqCst) {
            return None;
        }
        self.failed.fetch_add(1, Ordering::SeqCst);
        Some(self.errno.load(Ordering::SeqCst))
    }
}

impl Fuse {
    /// Mounts it, if this process may.
    pub(crate) fn mount(name: &str) -> io::Result<Fuse> {
        let name = format!("wakeline-fuse-{}-{name}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        let device = File::options().read(true).write(true).open("/dev/fuse")?;
        fs::create_dir_all(&dir)?;
        let options = format!(
            "fd={},rootmode=40000,user_id=0,group_id=0",
            device.as_raw_fd()
        );
        mount(&dir, &options).inspect_err(|_| drop(fs::remove_dir(&dir)))?;
        let shared = Arc::new(Shared::default());
        let (go, told) = sync_channel(1);
        let state = Arc::clone(&shared);
        let server = std::thread::spawn(move || serve(device, &state, &told));
        Ok(Fuse {
            dir,
            shared,
            go,
            server: Some(server),
        })
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.dir.join("file")
    }

    /// From now on the server thinks about these, until it is told to go on.
    pub(crate) fn think_about(&self, kind: u32) {
        self.shared.asked.store(false, Ordering::SeqCst);
        self.shared.hard.store(kind, Ordering::SeqCst);
    }

    /// Whether it was asked for such a thing.
    pub(crate) fn is_asked(&self) -> bool {
        self.shared.asked.load(Ordering::SeqCst)
    }

    /// It answers, and thinks no more.
    pub(crate) fn go_on(&self) {
        self.shared.hard.store(0, Ordering::SeqCst);
        if self.shared.asked.swap(false, Ordering::SeqCst) {
            self.go.try_send(()).ok();
        }
    }

    /// From now on these fail.
    pub(crate) fn fail(&self, kind: u32, errno: i32) {
        self.shared.errno.store(errno, Ordering::SeqCst);
        self.shared.failing.store(kind, Ordering::SeqCst);
    }

    /// How many have failed, on purpose.
    pub(crate) fn failed(&self) -> u32 {
        self.shared.failed.load(Ordering::SeqCst)
    }

    /// How often it was told that a lock is taken, or let go of.
    pub(crate) fn locks(&self) -> u32 {
        self.shared.locks.load(Ordering::SeqCst)
    }

    /// Whether it has ever answered without having been told to.
    pub(crate) fn was_forsaken(&self) -> bool {
        self.shared.forsaken.load(Ordering::SeqCst)
    }
}

impl Drop for Fuse {
    fn drop(&mut self) {
        self.go_on();
        let dir = path_of(&self.dir);
        // SAFETY: a C string that lives until the call returns.
        unsafe { libc::umount2(dir.as_ptr(), libc::MNT_DETACH) };
        self.server.take().map(JoinHandle::join);
        let _gone = fs::remove_dir(&self.dir);
    }
}

fn path_of(path: &Path) -> std::ffi::CString {
    std::ffi::CString::new(path.as_os_str().as_encoded_bytes()).expect("no zero byte")
}

fn mount(dir: &Path, options: &str) -> io::Result<()> {
    let (dir, options) = (path_of(dir), path_of(Path::new(options)));
    let kind = c"fuse".as_ptr();
    // SAFETY: four C strings that live until the call returns.
    let mounted = unsafe { libc::mount(kind, dir.as_ptr(), kind, 0, options.as_ptr().cast()) };
    if mounted == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn serve(mut device: File, shared: &Shared, told: &Receiver<()>) {
    let mut request = vec![0; 1 << 20];
    // Gone from the tree, and closed by the last who had it: an error.
    while let Ok(n) = device.read(&mut request) {
        let word = |at: usize| u32::from_ne_bytes(request[at..at + 4].try_into().expect("four"));
        let (kind, id) = (word(4), &request[8..16]);
        if kind == shared.hard.load(Ordering::SeqCst) {
            shared.asked.store(true, Ordering::SeqCst);
            if told.recv_timeout(PATIENCE).is_err() {
                shared.forsaken.store(true, Ordering::SeqCst);
            }
        }
        if matches!(kind, SETLK | SETLKW) {
            shared.locks.fetch_add(1, Ordering::SeqCst);
        }
        let answer = match shared.fails(kind) {
            Some(errno) => Some(Err(errno)),
            None => answer(kind, &request[16..24], &request[40..n]),
        };
        if let Some(answer) = answer {
            let (error, body) = answer.unwrap_or_else(|errno| (-errno, Vec::new()));
            let mut reply = u32::to_ne_bytes(16 + body.len() as u32).to_vec();
            reply.extend(i32::to_ne_bytes(error));
            reply.extend(id);
            reply.extend(body);
            // Who asked may be gone.
            let _ = device.write(&reply);
        }
    }
}

/// `None` for what is not answered.
fn answer(kind: u32, node: &[u8], body: &[u8]) -> Option<Result<(i32, Vec<u8>), i32>> {
    let node = u64::from_ne_bytes(node.try_into().expect("eight"));
    let body = match kind {
        INIT => words32(&[
            7,
            31,
            65536,
            FLOCK_LOCKS,
            0x000c_0010,
            65536,
            1,
            16,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
        ]),
        LOOKUP if body == b"file\0" => entry(2),
        LOOKUP => return Some(Err(libc::ENOENT)),
        GETATTR | SETATTR => [words64(&[0, 0]), attributes(node)].concat(),
        OPEN | OPENDIR => words64(&[7, 0]),
        CREATE => [entry(3), words64(&[7, 0])].concat(),
        READ => TEXT.to_vec(),
        WRITE => words32(&[body.len() as u32 - 40, 0]),
        RELEASE | RELEASEDIR | FLUSH | RENAME | RENAME2 | UNLINK => Vec::new(),
        SETLK | SETLKW => Vec::new(),
        FORGET | BATCH_FORGET => return None,
        _ => return Some(Err(libc::ENOSYS)),
    };
    Some(Ok((0, body)))
}

/// `struct fuse_entry_out`.
fn entry(node: u64) -> Vec<u8> {
    [words64(&[node, 0, VALID, 0, 0]), attributes(node)].concat()
}

/// `struct fuse_attr`: the directory is node 1, the file node 2, a new one node 3.
fn attributes(node: u64) -> Vec<u8> {
    let mode = if node == 1 {
        libc::S_IFDIR | 0o777
    } else {
        libc::S_IFREG | 0o666
    };
    let first = words64(&[node, TEXT.len() as u64, 1, 0, 0, 0]);
    [first, words32(&[0, 0, 0, mode, 1, 0, 0, 0, 4096, 0])].concat()
}

fn words32(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

fn words64(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}
