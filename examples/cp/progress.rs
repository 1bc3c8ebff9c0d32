//! What is told meanwhile: on stderr, and only to a terminal.

use std::cell::Cell;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// How often the line is written anew.
const PERIOD: Duration = Duration::from_millis(100);

/// How far a copy is.
#[derive(Debug)]
pub(crate) struct Progress {
    total: u64,
    started: Instant,
    shown: bool,
    state: std::sync::Mutex<Cell<(u64, Option<Instant>)>>,
}

impl Progress {
    /// Of a copy that begins now, of so many bytes.
    pub(crate) fn new(total: u64) -> Progress {
        Progress {
            total,
            started: Instant::now(),
            shown: io::stderr().is_terminal(),
            state: std::sync::Mutex::default(),
        }
    }
}
