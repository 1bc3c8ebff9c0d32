//! A lack of descriptors. For a test that is alone in its process, whose limit it is.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs::{self, File};
use std::time::{Duration, Instant};
use std::{io, thread};

/// While it lives, nobody may open another descriptor; but for as many as `held` has fewer.
pub(crate) struct Exhausted {
    pub(crate) held: Vec<File>,
    before: Rlimit,
}

impl Exhausted {
    pub(crate) fn new() -> io::Result<Exhausted> {
        wait_for_jobs()?;
        let before = getrlimit(Resource::Nofile);
        let limit = Rlimit {
            current: Some(64),
            maximum: before.maximum,
        };
        setrlimit(Resource::Nofile, limit)?;
        let held = Vec::new();
        let mut exhausted = Exhausted { held, before };
        let error = loop {
            match File::open("/dev/null") {
                Ok(file) => exhausted.held.push(file),
                Err(error) => break error,
            }
        };
        assert_eq!(error.raw_os_error(), Some(24));
        Ok(exhausted)
    }
}

/// Until nobody is left but the test and who runs it: a thread that has done its job for
/// the driver before closes what it had of that a moment later.
fn wait_for_jobs() -> io::Result<()> {
    let is_ours = |task: &io::Result<fs::DirEntry>| {
        let name = task.as_ref().map(|task| task.path().join("comm"));
        // The kernel's own, of a ring, hold nothing; who has just gone has no name.
        name.is_ok_and(|name| fs::read(name).is_ok_and(|name| !name.starts_with(b"iou-")))
    };
    let limit = Instant::now() + Duration::from_secs(60);
    while fs::read_dir("/proc/self/task")?.filter(is_ours).count() > 2 {
        assert!(Instant::now() < limit, "a thread has been left behind");
        thread::yield_now();
    }
    Ok(())
}

impl Drop for Exhausted {
    fn drop(&mut self) {
        self.held.clear();
        setrlimit(Resource::Nofile, self.before).expect("it was allowed before");
    }
}
