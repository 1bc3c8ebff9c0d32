//! A lack of descriptors. For a test that is alone in its process, whose limit it is.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs::File;
use std::io;

/// While it lives, nobody may open another descriptor; but for as many as `held` has fewer.
pub(crate) struct Exhausted {
    pub(crate) held: Vec<File>,
    before: Rlimit,
}

impl Exhausted {
    pub(crate) fn new() -> io::Result<Exhausted> {
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

impl Drop for Exhausted {
    fn drop(&mut self) {
        self.held.clear();
        setrlimit(Resource::Nofile, self.before).expect("it was allowed before");
    }
}
