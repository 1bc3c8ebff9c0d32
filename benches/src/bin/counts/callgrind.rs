//! Runs a row under callgrind, and reads what it says.

use std::process::{Command, Stdio};

use crate::rows::{NOT_HERE, Row};

/// How often a row is counted at most.
const MOST: u32 = 5;

/// Instructions of one more operation; `None` where the row cannot run.
///
/// A run adds something by chance, as how many turns it takes to have all messages. So
/// each run is made twice at least, as chance in the shorter one would make the
/// difference too small, and more often until the figure is at most `enough`; of each
/// the least is taken.
pub(crate) fn per_operation(row: &Row, enough: f64) -> Result<Option<f64>, String> {
    let (mut once, mut twice) = (u64::MAX, u64::MAX);
    for nth in 1..=MOST {
        let (Some(some), Some(more)) = (collect(row, row.ops)?, collect(row, 2 * row.ops)?) else {
            return Ok(None);
        };
        once = once.min(some);
        twice = twice.min(more);
        let figure = twice.saturating_sub(once) as f64 / row.ops as f64;
        if nth > 1 && figure <= enough {
            break;
        }
    }
    let more = twice.checked_sub(once);
    let more = more.ok_or_else(|| format!("{}: less work with more to do", row.name))?;
    Ok(Some(more as f64 / row.ops as f64))
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
