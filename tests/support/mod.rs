//! What the tests share: both backends, children, descriptors, chance.
//!
//! `Backend` runs a test on io_uring and on epoll; `child` runs an example as
//! a process of its own; `alloc` watches freed memory, `fault` tells who touched
//! it, `deny` refuses a system call, and `disk` tells how much of a disk is taken. Each
//! test file takes what it needs.

#![allow(dead_code, reason = "each test file uses its own part of this")]

pub(crate) mod alloc;
pub(crate) mod child;
pub(crate) mod deny;
pub(crate) mod disk;
pub(crate) mod drops;
pub(crate) mod fault;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{fs, thread};

use wakeline::{Builder, Driver, Runtime};

/// One of the drivers, as a test uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Backend {
    pub(crate) driver: Driver,
}

impl Backend {
    /// "io_uring" or "epoll".
    pub(crate) fn name(self) -> &'static str {
        if self.driver == Driver::Epoll {
            "epoll"
        } else {
            "io_uring"
        }
    }

    /// What `--driver` and `WAKELINE_DRIVER` call it.
    pub(crate) fn option(self) -> &'static str {
        if self.driver == Driver::Epoll {
            "epoll"
        } else {
            "uring"
        }
    }

    /// A builder with this driver chosen.
    pub(crate) fn builder(self) -> Builder {
        Runtime::builder().driver(self.driver)
    }

    /// A runtime with so many workers on this driver.
    #[track_caller]
    pub(crate) fn runtime(self, workers: usize) -> Runtime {
        self.builder()
            .workers(workers)
            .build()
            .expect("a runtime on a backend that was found to work")
    }
}

/// Runs `test` on io_uring and on epoll.
///
/// Where io_uring cannot be had (a container, an old kernel) it says so and
/// runs on epoll only, unless `WAKELINE_TEST_REQUIRE=uring`. A driver forced
/// by `WAKELINE_DRIVER` is the only one tested.
#[track_caller]
pub(crate) fn for_each_backend(test: impl Fn(Backend)) {
    for backend in backends() {
        eprintln!("-- on {}", backend.name());
        test(backend);
    }
}

/// The backends there are: see [`for_each_backend`].
#[track_caller]
pub(crate) fn backends() -> Vec<Backend> {
    let uring = Backend {
        driver: Driver::Uring,
    };
    let epoll = Backend {
        driver: Driver::Epoll,
    };
    match std::env::var("WAKELINE_DRIVER").as_deref() {
        Ok("epoll") => return vec![epoll],
        Ok("uring") => return vec![uring],
        _ => {}
    }
    match uring.builder().workers(1).build() {
        Ok(_) => vec![uring, epoll],
        Err(error) => {
            assert!(
                std::env::var("WAKELINE_TEST_REQUIRE").as_deref() != Ok("uring"),
                "io_uring is required here and cannot be had: {error}"
            );
            eprintln!("-- no io_uring here ({error}): on epoll only");
            vec![epoll]
        }
    }
}

/// Keeps the other tests of this file waiting: for those that count what the
/// whole process has.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Open descriptors of this process.
pub(crate) fn open_descriptors() -> usize {
    // Less the one that the listing itself uses.
    fs::read_dir("/proc/self/fd")
        .expect("/proc is mounted")
        .count()
        - 1
}

/// Waits until there are as many as `before`: what outlives a runtime, the last step of a
/// job, or a killed child until the kernel has ended it, closes its own a moment later.
#[track_caller]
pub(crate) fn descriptors_come_down_to(before: usize) {
    let limit = Instant::now() + Duration::from_secs(60);
    while open_descriptors() > before && Instant::now() < limit {
        thread::yield_now();
    }
    assert_eq!(open_descriptors(), before, "{:#?}", describe_descriptors());
}

/// What the open descriptors are, for the message of a failed count.
pub(crate) fn describe_descriptors() -> Vec<String> {
    let links = fs::read_dir("/proc/self/fd").expect("/proc is mounted");
    let mut links: Vec<String> = links
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let target = fs::read_link(entry.path()).ok()?;
            Some(format!(
                "{} -> {}",
                entry.file_name().display(),
                target.display()
            ))
        })
        .collect();
    links.sort();
    links
}

/// A number from the environment, or the default.
pub(crate) fn setting(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name}={text}: not a number")),
        Err(_) => default,
    }
}

/// Chance that repeats itself: splitmix64.
///
/// The seed is printed, and taken from `WAKELINE_TEST_SEED` if that is set.
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    /// Chance from the seed of this run.
    pub(crate) fn new() -> Chance {
        let seed = setting("WAKELINE_TEST_SEED", 0x5eed);
        eprintln!("-- WAKELINE_TEST_SEED={seed}");
        Chance::from_seed(seed)
    }

    pub(crate) fn from_seed(seed: u64) -> Chance {
        Chance(seed)
    }

    /// Chance of its own for part `part` of the test.
    pub(crate) fn fork(&self, part: u64) -> Chance {
        let mut chance = Chance(self.0 ^ part.wrapping_mul(0xd6e8_feb8_6659_fd93));
        chance.next();
        chance
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is not zero.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// True once in `n` times, on the long average.
    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn fill(&mut self, buf: &mut [u8]) {
        for chunk in buf.chunks_mut(8) {
            let bytes = self.next().to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }
}
