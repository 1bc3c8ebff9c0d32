//! What is told meanwhile: on stderr, and only to a terminal.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// How often the line is written anew, in milliseconds.
const PERIOD_MS: u64 = 100;

/// How far a copy is.
#[derive(Debug)]
pub(crate) struct Progress {
    total: u64,
    started: Instant,
    shown: bool,
    done: AtomicU64,
    /// When the line was written last, in milliseconds from the start.
    told_ms: AtomicU64,
}

impl Progress {
    /// Of a copy that begins now, of so many bytes.
    pub(crate) fn new(total: u64) -> Progress {
        Progress {
            total,
            started: Instant::now(),
            shown: io::stderr().is_terminal(),
            done: AtomicU64::new(0),
            told_ms: AtomicU64::new(0),
        }
    }

    /// So many bytes are copied.
    pub(crate) fn at(&self, done: u64) {
        // Relaxed, here and below: one task writes and reads them.
        self.done.store(done, Ordering::Relaxed);
        let now_ms = self.started.elapsed().as_millis() as u64;
        if self.shown && now_ms - self.told_ms.load(Ordering::Relaxed) >= PERIOD_MS {
            self.told_ms.store(now_ms, Ordering::Relaxed);
            let percent = (done * 100).checked_div(self.total).unwrap_or(100);
            let _ = write!(io::stderr(), "\r\x1b[K{percent:3} %  {self}");
        }
    }

    /// Takes the line away.
    pub(crate) fn clear(&self) {
        if self.shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }

    /// The last word.
    pub(crate) fn sum_up(&self) {
        if self.shown {
            tell(&self.to_string());
        }
    }
}

/// Bytes and rate: `1.5 GiB in 2.0 s, 768.0 MiB/s`.
impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let done = self.done.load(Ordering::Relaxed);
        let seconds = self.started.elapsed().as_secs_f64();
        let rate = done as f64 / seconds.max(1e-9);
        write!(
            f,
            "{} in {seconds:.1} s, {}/s",
            size(done as f64),
            size(rate)
        )
    }
}

fn size(mut bytes: f64) -> String {
    let mut unit = "B";
    for larger in ["KiB", "MiB", "GiB", "TiB"] {
        if bytes < 1024.0 {
            break;
        }
        bytes /= 1024.0;
        unit = larger;
    }
    format!("{bytes:.1} {unit}")
}

/// A line for the user; if stderr is closed, there is nobody to tell.
pub(crate) fn tell(message: &str) {
    let _ = writeln!(io::stderr(), "cp: {message}");
}
