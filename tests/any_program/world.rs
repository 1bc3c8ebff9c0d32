//! What all programs of a run share, and what must hold of it in the end.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex as StdMutex};
use std::{env, fs, process};

use wakeline::sync::{Event, Mutex, Notify, RwLock, Semaphore, mpsc, queue};

/// How many may hold a permit of [`World::semaphore`] at once.
pub(crate) const PERMITS: usize = 3;

/// What the programs contend for.
pub(crate) struct World {
    pub(crate) counts: Counts,
    pub(crate) mutex: Mutex<()>,
    pub(crate) rwlock: RwLock<()>,
    pub(crate) semaphore: Semaphore,
    pub(crate) notify: Notify,
    pub(crate) event: Event,
    pub(crate) jobs: (queue::Producer<u64>, queue::Consumer<u64>),
    pub(crate) letters: (mpsc::Sender<u64>, Mutex<mpsc::Receiver<u64>>),
    /// An echo server.
    pub(crate) echo: SocketAddr,
    pub(crate) directory: Directory,
}

/// What was done, and what there is right now.
#[derive(Default)]
pub(crate) struct Counts {
    alive: AtomicUsize,
    last: Notify,
    pub(crate) in_mutex: AtomicUsize,
    pub(crate) readers: AtomicUsize,
    pub(crate) writers: AtomicUsize,
    pub(crate) permits: AtomicUsize,
    pub(crate) next: AtomicU64,
    pub(crate) steps: AtomicU64,
    /// Items of which `send` said that they are sent, and those that came.
    sent: StdMutex<BTreeSet<u64>>,
    received: StdMutex<BTreeSet<u64>>,
}

impl World {
    pub(crate) fn new(echo: SocketAddr) -> Arc<World> {
        let (sender, receiver) = mpsc::channel(2);
        Arc::new(World {
            counts: Counts::default(),
            mutex: Mutex::new(()),
            rwlock: RwLock::new(()),
            semaphore: Semaphore::new(PERMITS),
            notify: Notify::new(),
            event: Event::new(),
            jobs: queue::fifo(2),
            letters: (sender, Mutex::new(receiver)),
            echo,
            directory: Directory::new(),
        })
    }

    /// A number that nobody had.
    pub(crate) fn number(&self) -> u64 {
        self.counts.next.fetch_add(1, Ordering::Relaxed)
    }

    /// `send` has said that item `number` is sent.
    pub(crate) fn sent(&self, number: u64) {
        let new = self.counts.sent.lock().unwrap().insert(number);
        assert!(new, "item {number} was sent twice");
    }

    /// Item `number` has come.
    pub(crate) fn received(&self, number: u64) {
        let new = self.counts.received.lock().unwrap().insert(number);
        assert!(new, "item {number} came twice");
    }

    /// Waits until whatever [`Alive`] was made is gone.
    pub(crate) async fn nobody(&self) {
        let mut gone = pin!(self.counts.last.notified());
        while self.counts.alive.load(Ordering::SeqCst) > 0 {
            gone.as_mut().await;
            gone.set(self.counts.last.notified());
        }
    }

    /// Once no program runs: nothing is held, nothing is lost.
    pub(crate) fn check(&self) {
        let counts = &self.counts;
        assert_eq!(counts.alive.load(Ordering::SeqCst), 0);
        assert!(self.mutex.try_lock().is_ok(), "the mutex is free");
        assert!(self.rwlock.try_write().is_ok(), "the rwlock is free");
        assert_eq!(self.semaphore.available(), PERMITS);
        for count in [
            &counts.in_mutex,
            &counts.readers,
            &counts.writers,
            &counts.permits,
        ] {
            assert_eq!(count.load(Ordering::SeqCst), 0);
        }
        while let Ok(job) = self.jobs.1.try_recv() {
            self.received(job.into_inner());
        }
        let mut letters = self.letters.1.try_lock().expect("nobody receives");
        while let Ok(letter) = letters.try_recv() {
            self.received(letter);
        }
        assert_eq!(self.letters.0.capacity(), self.letters.0.max_capacity());
        let rooms = [self.jobs.0.try_reserve(), self.jobs.0.try_reserve()];
        assert!(rooms.iter().all(Result::is_ok), "the queue is empty");
        let (sent, received) = (counts.sent.lock().unwrap(), counts.received.lock().unwrap());
        assert_eq!(*sent, *received, "what was sent, and what came");
    }
}

/// Something that must be dropped, once.
pub(crate) struct Alive(Arc<World>);

impl Alive {
    pub(crate) fn new(world: &Arc<World>) -> Alive {
        world.counts.alive.fetch_add(1, Ordering::SeqCst);
        Alive(Arc::clone(world))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        if self.0.counts.alive.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.counts.last.notify_one();
        }
    }
}

/// One more of `count` while this lives; never more than `most`.
pub(crate) struct Within<'a>(&'a AtomicUsize);

impl<'a> Within<'a> {
    pub(crate) fn new(count: &'a AtomicUsize, most: usize) -> Within<'a> {
        let before = count.fetch_add(1, Ordering::SeqCst);
        assert!(before < most, "{before} are in, and at most {most} may be");
        Within(count)
    }
}

impl Drop for Within<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A directory that goes with this.
pub(crate) struct Directory(pub(crate) PathBuf);

impl Directory {
    fn new() -> Directory {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("wakeline-any-{}-{number}", process::id());
        let path = env::temp_dir().join(name);
        fs::create_dir(&path).expect("the temporary directory is writable");
        Directory(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).expect("nobody uses the directory");
    }
}
