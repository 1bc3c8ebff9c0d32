//! One window of one server: a run of `load` beside it.

use std::process::Command;

use serde_json::Value;

use crate::args::Options;
use crate::cell::Cell;
use crate::servers::{Server, beside, pin, processors};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Figure {
    /// Nanoseconds of the server's processor time.
    pub(crate) cpu_ns: f64,
    pub(crate) rate: f64,
    pub(crate) p99_ns: f64,
}

pub(crate) fn measure(server: &Server, cell: &Cell, options: &Options) -> Result<Figure, String> {
    pin(processors(options.cpus)?[1])?;
    let mut command = Command::new(beside("load")?);
    command
        .arg(&server.address)
        .args(["--pid", &server.pid(), "--json", "-", "--quiet"]);
    command.args([
        "-c",
        &cell.connections.to_string(),
        "-s",
        &cell.bytes.to_string(),
    ]);
    command.args(["-t", &format!("{}ms", options.window), "-w", "100ms"]);
    // A neighbour that has the processor is no fault of the server.
    command.args(["--drain", "30s"]);
    if cell.churn {
        command.args(["--mode", "churn"]);
    } else {
        command.args(["-d", &cell.depth.to_string()]);
    }
    let output = command.output().map_err(|error| format!("load: {error}"))?;
    let what = || {
        format!(
            "{} at {cell}: {}",
            server.name,
            String::from_utf8_lossy(&output.stderr)
        )
    };
    let result: Value = serde_json::from_slice(&output.stdout).map_err(|_| what())?;
    let errors = result["errors"]
        .as_object()
        .is_some_and(|errors| !errors.is_empty());
    let number = |value: &Value| value.as_f64().filter(|number| *number > 0.0);
    if errors || !output.status.success() {
        return Err(format!("{}{}", what(), result["errors"]));
    }
    let cpu_ns = number(&result["server"]["cpu_ns_per_message"]);
    Ok(Figure {
        cpu_ns: cpu_ns.ok_or_else(|| format!("{} used no measurable time", what()))?,
        rate: number(&result["rate"]).ok_or_else(what)?,
        p99_ns: number(&result["latency_ns"]["p99"]).ok_or_else(what)?,
    })
}
