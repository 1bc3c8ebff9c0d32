//! Each figure comes from a process of its own: the threads, the memory and the timers that
//! other runtimes have left behind neither cost nor help there.

use std::process::{Command, Stdio};

use crate::rows::Runtime;

/// What the process is told to do: `--figure ROW RUNTIME`.
pub(crate) const FIGURE: &str = "--figure";

/// A row of one runtime, in a process of its own: nanoseconds per operation.
pub(crate) fn measure(row: &str, runtime: &str) -> Result<f64, String> {
    let what = format!("{row} of {runtime}");
    let own = std::env::current_exe().map_err(|error| format!("where this program is: {error}"))?;
    let ran = Command::new(own)
        .args([FIGURE, row, runtime])
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("{what}: cannot start: {error}"))?;
    if !ran.status.success() {
        return Err(format!("{what}: {}", ran.status));
    }
    let said = String::from_utf8_lossy(&ran.stdout);
    said.trim()
        .parse()
        .map_err(|_| format!("{what}: no figure but {said:?}"))
}

/// What that process does: the row twice, as the first time brings code and memory in.
pub(crate) fn figure(runtimes: &[Runtime], row: &str, runtime: &str) -> Result<String, String> {
    let found = runtimes.iter().find(|its| its.name == runtime);
    let run = found.and_then(|its| its.rows.iter().find(|(name, _)| *name == row));
    let Some((_, run)) = run else {
        return Err(format!("{FIGURE}: there is no {row} of {runtime}"));
    };
    run();
    Ok(format!("{}\n", run()))
}
