//! The figures of a run, and what they are held against.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};
use wakeline_benches::note;

/// What a figure may be above the one written down.
const BOUND: f64 = 0.03;
/// The same, if that was counted with other tools.
const BOUND_OF_OTHERS: f64 = 0.15;

#[derive(Serialize, Deserialize)]
pub(crate) struct Baseline {
    /// What the same source gives the same figures with.
    tools: BTreeMap<String, String>,
    /// Instructions of one operation.
    instructions: BTreeMap<String, f64>,
}

impl Baseline {
    pub(crate) fn of_this_machine() -> Result<Baseline, String> {
        let tools = [
            ("rustc", first_line("rustc", "--version")?),
            ("libc", first_line("ldd", "--version")?),
            ("valgrind", first_line("valgrind", "--version")?),
        ];
        Ok(Baseline {
            tools: (tools.into_iter())
                .map(|(name, version)| (name.to_owned(), version))
                .collect(),
            instructions: BTreeMap::new(),
        })
    }

    pub(crate) fn read(file: &Path) -> Result<Baseline, String> {
        let text = std::fs::read_to_string(file);
        let text = text.map_err(|e| format!("{}: {e}", file.display()))?;
        serde_json::from_str(&text).map_err(|e| format!("{}: {e}", file.display()))
    }

    pub(crate) fn write(&self, file: &Path) -> Result<(), String> {
        let mut text = serde_json::to_string_pretty(self).map_err(|e| e.to_string())?;
        text.push('\n');
        std::fs::write(file, text).map_err(|e| format!("{}: {e}", file.display()))
    }

    pub(crate) fn set(&mut self, row: &str, figure: f64) {
        // A tenth of an instruction is more than anything here can tell.
        let figure = (figure * 10.0).round() / 10.0;
        self.instructions.insert(row.to_owned(), figure);
    }

    fn bound(&self, before: &Baseline) -> f64 {
        if self.tools == before.tools {
            BOUND
        } else {
            BOUND_OF_OTHERS
        }
    }

    /// What `row` may be; nothing is too much where no figure is written down.
    pub(crate) fn most(&self, row: &str, before: &Baseline) -> f64 {
        let then = before.instructions.get(row).copied();
        then.map_or(f64::MAX, |then| then * (1.0 + self.bound(before)))
    }

    /// Whether no figure is above its bound; says which are.
    pub(crate) fn is_within(&self, before: &Baseline) -> bool {
        let mut within = true;
        for (row, now) in &self.instructions {
            let Some(then) = before.instructions.get(row) else {
                note(format_args!(
                    "{row}: no figure is written down; `--write` does it"
                ));
                within = false;
                continue;
            };
            if *now > self.most(row, before) {
                let by = 100.0 * (now / then - 1.0);
                note(format_args!(
                    "{row}: {now} instructions, {by:.1} % above the {then} written down"
                ));
                within = false;
            }
        }
        within
    }

    /// Whether each row of `before` that `is_due` has a figure; says which has none.
    pub(crate) fn has_all(&self, before: &Baseline, is_due: impl Fn(&str) -> bool) -> bool {
        let mut all = true;
        for row in before.instructions.keys().filter(|row| is_due(row)) {
            if !self.instructions.contains_key(row) {
                note(format_args!(
                    "{row}: a figure is written down, and here is none"
                ));
                all = false;
            }
        }
        all
    }

    pub(crate) fn table(&self, before: Option<&Baseline>) -> String {
        let mut text =
            String::from("| instructions per operation | now | written down | ratio |\n");
        text.push_str("|---|---:|---:|---:|\n");
        for (row, now) in &self.instructions {
            let then = before.and_then(|before| before.instructions.get(row));
            let (then, ratio) = match then {
                Some(then) => (then.to_string(), format!("{:.3}", now / then)),
                None => ("".to_owned(), "".to_owned()),
            };
            let _ = writeln!(text, "| {row} | {now} | {then} | {ratio} |");
        }
        if let Some(before) = before.filter(|before| before.tools != self.tools) {
            for (name, version) in &before.tools {
                let _ = writeln!(text, "\nwritten down with {name}: {version}");
            }
            let percent = 100.0 * BOUND_OF_OTHERS;
            let _ = writeln!(text, "\nother tools here: only {percent:.0} % more fails");
        }
        text
    }
}

fn first_line(program: &str, arg: &str) -> Result<String, String> {
    let output = Command::new(program).arg(arg).output();
    let output = output.map_err(|e| format!("{program} cannot be started: {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::Baseline;

    fn figures(libc: &str, row: &str, figure: f64) -> Baseline {
        let mut baseline = Baseline {
            tools: [("libc".to_owned(), libc.to_owned())].into(),
            instructions: Default::default(),
        };
        baseline.set(row, figure);
        baseline
    }

    #[test]
    fn three_percent_more_are_too_many() {
        let then = figures("2.36", "poll", 100.0);
        assert!(figures("2.36", "poll", 102.9).is_within(&then));
        assert!(!figures("2.36", "poll", 103.1).is_within(&then));
        assert!(figures("2.36", "poll", 50.0).is_within(&then));
    }

    #[test]
    fn with_other_tools_only_fifteen_are() {
        let then = figures("2.36", "poll", 100.0);
        assert!(figures("2.41", "poll", 114.9).is_within(&then));
        assert!(!figures("2.41", "poll", 115.2).is_within(&then));
    }

    #[test]
    fn a_row_that_is_written_down_is_not_lost() {
        let (then, now) = (figures("2.36", "wake", 1.0), figures("2.36", "poll", 1.0));
        assert!(!now.has_all(&then, |_| true));
        assert!(now.has_all(&then, |row| row != "wake")); // it cannot be had here
        assert!(now.has_all(&now, |_| true));
    }

    #[test]
    fn a_row_that_is_not_written_down_is_not_passed_over() {
        let then = figures("2.36", "poll", 100.0);
        assert!(!figures("2.36", "wake", 1.0).is_within(&then));
    }
}
