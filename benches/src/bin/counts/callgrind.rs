//! Runs a row under callgrind, and reads what it says.

use std::process::{Command, Stdio};

use crate::rows::{NOT_HERE, Row};

/// How often a row is counted where one count does not do.
const TRIES: u32 = 5;

/// Instructions of one more operation; `None` where the row cannot run.
///
/// A run adds something by chance: how late the kernel wakes it decides through how
/// many slots a timer comes down. So of several runs the least is taken, and none is
/// made after the first with which the figure is at most `enough`.
pub(crate) fn per_operation(row: &Row, enough: f64) -> Result<Option<f64>, String> {
    let Some(mut least) = counts(row)? else {
        return Ok(None);
    };
    for _ in 1..TRIES {
        if least.per_operation(row) <= enough {
            break;
        }
        let Some(again) = counts(row)? else { break };
        least.once = least.once.min(again.once);
        least.twice = least.twice.min(again.twice);
    }
    Ok(Some(least.per_operation(row)))
}

/// Those of a run with a row's operations, and of one with twice as many.
struct Counts {
    once: u64,
    twice: u64,
}

impl Counts {
    fn per_operation(&self, row: &Row) -> f64 {
        // Below nothing only for a row that does nothing.
        (self.twice as f64 - self.once as f64) / row.ops as f64
    }
}

fn counts(row: &Row) -> Result<Option<Counts>, String> {
    let (Some(once), Some(twice)) = (collect(row, row.ops)?, collect(row, 2 * row.ops)?) else {
        return Ok(None);
    };
    if twice < once {
        return Err(format!("{}: less work with more to do", row.name));
    }
    Ok(Some(Counts { once, twice }))
}

fn collect(row: &Row, ops: u64) -> Result<Option<u64>, String> {
    let this = std::env::current_exe().map_err(|e| format!("this program's own path: {e}"))?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(this)
        .args(["--run", row.name, &ops.to_string()])
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("valgrind cannot be started: {e}; is it installed?"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) => {}
        Some(code) if code == i32::from(NOT_HERE) => return Ok(None),
        _ => return Err(format!("{} failed:\n{said}", row.name)),
    }
    collected(&said)
        .map(Some)
        .ok_or_else(|| format!("{}: callgrind gave no sum:\n{said}", row.name))
}

/// The sum in a line like `==7== Collected : 1234`.
pub(crate) fn collected(said: &str) -> Option<u64> {
    let line = said.lines().find(|line| line.contains("Collected : "))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::collected;

    #[test]
    fn the_sum_is_read() {
        let said = "==7== \n==7== Events    : Ir\n==7== Collected : 123456\n==7== \n";
        assert_eq!(collected(said), Some(123_456));
        assert_eq!(collected("==7== Events    : Ir\n"), None);
    }
}
