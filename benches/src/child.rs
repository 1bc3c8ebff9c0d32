//! Programs that a benchmark starts: where they are, and on which processors
//! they run.

use std::path::PathBuf;
use std::sync::OnceLock;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// A program beside this one.
///
/// # Errors
///
/// One line for the user, if it was not built.
pub fn beside(name: &str) -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|error| format!("where this program is: {error}"))?;
    let path = own.with_file_name(name);
    if path.exists() {
        Ok(path)
    } else {
        Err(format!(
            "{} is not there: cargo build --release -p wakeline-benches --features peers",
            path.display()
        ))
    }
}

/// The processors that this process could use when it began.
pub fn allowed() -> &'static [usize] {
    static ALLOWED: OnceLock<Vec<usize>> = OnceLock::new();
    ALLOWED.get_or_init(|| {
        let set = sched_getaffinity(None).unwrap_or_else(|_| CpuSet::new());
        (0..CpuSet::MAX_CPU)
            .filter(|cpu| set.is_set(*cpu))
            .collect()
    })
}

/// Children that are started now run there, and so does this thread.
///
/// # Errors
///
/// One line for the user, if the system refuses.
pub fn pin(cpus: &[usize]) -> Result<(), String> {
    allowed(); // as it was before
    let mut set = CpuSet::new();
    cpus.iter().for_each(|cpu| set.set(*cpu));
    sched_setaffinity(None, &set).map_err(|error| format!("cannot choose processors: {error}"))
}
