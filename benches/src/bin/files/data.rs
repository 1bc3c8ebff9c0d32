//! The files that are read and written, and the order in which.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Instant;

pub(crate) const LARGE: usize = 32 << 20;
pub(crate) const BLOCK: usize = 64 << 10;
pub(crate) const PAGE: usize = 4 << 10;
pub(crate) const IN_FLIGHT: usize = 64;
pub(crate) const READS_EACH: usize = 500;
pub(crate) const SYNCS: usize = 100;
const SMALL_FILES: usize = 10_000;

/// Gone with the value.
pub(crate) struct Data {
    dir: PathBuf,
    paths: Rc<Paths>,
}

/// What tasks share of it, who must own what they use.
pub(crate) struct Paths {
    pub(crate) large: PathBuf,
    pub(crate) synced: PathBuf,
    pub(crate) small: Vec<PathBuf>,
}

impl Data {
    pub(crate) fn share(&self) -> Rc<Paths> {
        Rc::clone(&self.paths)
    }

    pub(crate) fn new(dir: &Path) -> io::Result<Data> {
        let dir = dir.join(format!("wakeline-bench-{}", std::process::id()));
        fs::create_dir_all(&dir)?;
        let small = (0..SMALL_FILES).map(|n| dir.join(format!("small-{n}")));
        let paths = Rc::new(Paths {
            large: dir.join("large"),
            synced: dir.join("synced"),
            small: small.collect(),
        });
        let data = Data {
            dir,
            paths: Rc::clone(&paths),
        };
        fs::write(&paths.large, vec![1; LARGE])?;
        fs::write(&paths.synced, vec![1; PAGE])?;
        for path in &paths.small {
            fs::write(path, [1; 1 << 10])?;
        }
        // On the disk now, so that no write-back runs in the measurements.
        let synced = std::process::Command::new("sync")
            .arg("-f")
            .arg(&data.dir)
            .status()?;
        assert!(synced.success(), "sync -f says {synced}");
        Ok(data)
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// Offsets by chance, the same for all: splitmix64.
pub(crate) fn offsets(seed: usize) -> impl Iterator<Item = u64> {
    let mut state = seed as u64;
    std::iter::repeat_with(move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % (LARGE / PAGE) as u64 * PAGE as u64
    })
    .take(READS_EACH)
}

pub(crate) fn blocks() -> impl Iterator<Item = u64> {
    (0..LARGE / BLOCK).map(|n| (n * BLOCK) as u64)
}

/// Microseconds since `start` for each of `count` operations.
pub(crate) fn per_op(start: Instant, count: usize) -> f64 {
    start.elapsed().as_secs_f64() * 1e6 / count as f64
}
