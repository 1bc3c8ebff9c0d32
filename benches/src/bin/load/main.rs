//! A load tester for echo and HTTP/1.1 servers.
//!
//! ```text
//! cargo run --release -p wakeline-benches --bin load -- 127.0.0.1:7777 -c 50 -s 64
//! ```
//!
//! Read in this order: `cli` (what may be asked for), this file, `run` (what all
//! threads share), `speak` and `answer` (what is said, without a connection),
//! `client` (who says it: our runtime, or plain threads), `tally` (what is
//! measured), `report` (how it is told), `tell` (where).

mod answer;
mod cli;
mod client;
mod gate;
mod live;
mod pattern;
mod process;
mod report;
mod run;
mod speak;
mod tally;
mod target;
mod tell;

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use wakeline_benches::{descriptors, print};

use cli::{Client, Mode, Options};
use live::Seen;
use report::Summary;
use run::Run;
use speak::Script;
use tally::Tally;
use target::Target;
use tell::{Files, tell};

/// Busier than this, and the client is what is measured.
const BUSY: f64 = 0.9;
/// Descriptors of a thread's runtime, and of all else beside the connections.
const RUNTIME: usize = 4;
const SPARE: usize = 32;

fn main() -> ExitCode {
    // Usage errors end here, with code 2.
    let options = Options::parse();
    options.check().unwrap_or_else(|error| error.exit());
    match start(&options) {
        Ok(code) => code,
        Err(message) => {
            // Nobody is left to be told if this fails.
            let _ = writeln!(std::io::stderr(), "load: {message}");
            ExitCode::FAILURE
        }
    }
}

fn start(options: &Options) -> Result<ExitCode, String> {
    if options.json_schema {
        return print(report::SCHEMA).map(|()| ExitCode::SUCCESS);
    }
    if let Some([before, after]) = options.compare.as_deref() {
        return print(&report::compare(before, after)?).map(|()| ExitCode::SUCCESS);
    }
    let Some(target) = &options.target else {
        return Err("no target".to_owned());
    };
    let files = Files::open(options)?;
    let (summary, tally) = measure(options, target)?;
    let told = tell(options, files, &summary);
    let met: Vec<String> = options
        .fail_if
        .iter()
        .filter_map(|gate| gate.met(&summary, &tally.latency))
        .collect();
    for gate in &met {
        let _ = writeln!(std::io::stderr(), "load: {gate}");
    }
    let nothing = match summary.messages {
        _ if summary.connects == 0 => Some("no connection was made"),
        0 if options.mode != Mode::Idle => Some("no message of the measured time was answered"),
        _ => None,
    };
    if let Some(nothing) = nothing.filter(|_| !summary.interrupted) {
        let first = summary.errors.values().next();
        let why = first.map_or(String::new(), |errors| format!(": {}", errors.sample));
        let _ = writeln!(std::io::stderr(), "load: {nothing}{why}");
    }
    told?;
    Ok(match () {
        () if summary.interrupted => ExitCode::from(130),
        () if nothing.is_some() || !met.is_empty() => ExitCode::FAILURE,
        () => ExitCode::SUCCESS,
    })
}

fn measure(options: &Options, target: &Target) -> Result<(Summary, Tally), String> {
    if options.mode == Mode::Storm && options.client == Client::Threads {
        return Err("--mode storm needs --client wakeline".to_owned());
    }
    allow(options)?;
    let address = target.look_up()?;
    let pid = options.pid.map(|pid| pid.to_string());
    let before = pid.as_deref().map(|pid| {
        process::resident(pid).ok_or_else(|| format!("--pid {pid}: there is no such process"))
    });
    let before = before.transpose()?;
    let once = options.mode == Mode::Churn;
    let script = Script::new(target, options.size, options.first, once);
    let run = Arc::new(Run::new(options, address, script));
    let runtime = wakeline::Runtime::builder().workers(1).build();
    let runtime = runtime.map_err(|error| format!("cannot start: {error}"))?;
    let started = runtime.block_on(async {
        // In here: what the runtime needs it has before the connections take all.
        let threads = client::start(options.client, &run)?;
        run.start.wait();
        Ok::<_, String>((threads, live::watch(&run, options).await))
    });
    let (threads, seen) = started?;
    run.sampled.cancel("sampled");
    if seen.interrupted {
        run.stop.cancel("Ctrl-C");
    }
    let mut tally = Tally::new();
    for thread in threads {
        match thread.join() {
            Ok(one) => tally.merge(one),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
    let summary = summary(options, target, &run, &tally, &seen, before);
    Ok((summary, tally))
}

/// Has as many descriptors as the run needs: nothing has begun that could lack one.
fn allow(options: &Options) -> Result<(), String> {
    let connections = options.connections;
    let runtimes = match options.client {
        Client::Wakeline => options.threads.min(connections),
        Client::Threads => 0,
    };
    let others = runtimes.saturating_mul(RUNTIME) + SPARE;
    let needed = connections.saturating_add(others);
    descriptors::allow(&format!("-c {connections}"), needed as u64)
}

fn summary(
    options: &Options,
    target: &Target,
    run: &Run,
    tally: &Tally,
    seen: &Seen,
    resident_before: Option<u64>,
) -> Summary {
    let echo = matches!(run.script, Script::Echo { .. });
    let name = |value: &dyn std::fmt::Debug| format!("{value:?}").to_lowercase();
    let seconds = seen.measured.as_secs_f64();
    let mut summary = Summary {
        schema: report::VERSION.to_owned(),
        target: target.to_string(),
        mode: name(&options.mode),
        pacing: if run.interval.is_some() {
            "open"
        } else {
            "closed"
        }
        .to_owned(),
        client: name(&options.client),
        connections: run.connections,
        size: if echo { options.size } else { 0 },
        depth: run.depth,
        threads: run.threads,
        rate_asked: options.rate,
        warmup_s: options.warmup.as_secs_f64(),
        seconds,
        interrupted: seen.interrupted,
        messages: 0,
        missing: None,
        rate: 0.0,
        latency_ns: report::Latency::default(),
        percentiles: Vec::new(),
        per_second: Vec::new(),
        connects: 0,
        errors: std::collections::BTreeMap::new(),
        client_busy: None,
        server: None,
        warnings: Vec::new(),
    };
    summary.fill(tally);
    let due = run.due_within(seen.measured);
    summary.missing = due.map(|due| due.saturating_sub(summary.messages));
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let lanes = run.threads.min(processors) as f64;
    summary.client_busy = seen
        .client_cpu_ns
        .filter(|_| seconds > 0.0)
        .map(|cpu| cpu as f64 / 1e9 / seconds / lanes);
    summary.server = server(options, run, &summary, seen, resident_before);
    summary.warnings = warnings(options, &summary);
    summary
}

fn server(
    options: &Options,
    run: &Run,
    summary: &Summary,
    seen: &Seen,
    resident_before: Option<u64>,
) -> Option<report::Server> {
    let cpu_ns = seen.server_cpu_ns?;
    let (resident, resident_before) = (seen.resident?, resident_before?);
    let grown = resident.saturating_sub(resident_before);
    let answers = summary.rate * summary.seconds;
    Some(report::Server {
        pid: options.pid?,
        cpu_ns,
        cpu_ns_per_message: (answers > 0.0).then(|| cpu_ns as f64 / answers),
        resident_before,
        resident,
        resident_per_connection: grown as f64 / run.connections as f64,
    })
}

fn warnings(options: &Options, summary: &Summary) -> Vec<String> {
    let mut warnings = Vec::new();
    if summary.interrupted {
        warnings.push(format!(
            "interrupted: it was measured for {:.1} s, not for {:.1} s",
            summary.seconds,
            options.duration.as_secs_f64()
        ));
    }
    if let Some(pid) = options
        .pid
        .filter(|_| summary.server.is_none() && !summary.interrupted)
    {
        warnings.push(format!(
            "process {pid} has ended: what it used is not known"
        ));
    }
    let whole = summary.seconds as usize;
    let silent = whole
        - summary
            .per_second
            .iter()
            .take(whole)
            .filter(|came| **came > 0)
            .count();
    if summary.pacing == "closed"
        && summary.messages > 0
        && silent > 0
        && options.mode != Mode::Storm
    {
        warnings.push(format!(
            "no answer came in {silent} of {whole} seconds; a closed loop asks nothing meanwhile, \
             so the latencies hardly show it"
        ));
    }
    if let Some(busy) = summary.client_busy.filter(|busy| *busy > BUSY) {
        let more = match options.client {
            Client::Wakeline => "--threads",
            Client::Threads => "--client wakeline",
        };
        warnings.push(format!(
            "the client was busy for {:.0} % of its time: it is the client that was measured, not the server; try {more}",
            busy * 100.0
        ));
    }
    if let Some(asked) = options
        .rate
        .filter(|asked| summary.rate < asked * 0.98 && summary.seconds > 0.0)
    {
        warnings.push(format!(
            "{asked:.0} messages a second were asked for, {:.0} were answered",
            summary.rate
        ));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What is told of a run with these fields, in seconds of 10 answers each.
    fn told(arguments: &str, fields: serde_json::Value) -> Vec<String> {
        let mut value = json!({
            "schema": report::VERSION, "target": "a:1", "mode": "stream", "loop": "closed",
            "client": "wakeline", "connections": 1, "size": 64, "depth": 1, "threads": 1,
            "rate_asked": null, "warmup_s": 0.0, "seconds": 3.0, "interrupted": false,
            "messages": 30, "missing": null, "rate": 10.0,
            "latency_ns": report::Latency::default(), "percentiles": [],
            "per_second": [10, 10, 10], "connects": 1, "errors": {}, "client_busy": null,
            "server": null, "warnings": [],
        });
        for (key, field) in fields.as_object().expect("a table") {
            value[key] = field.clone();
        }
        let summary: Summary = serde_json::from_value(value).expect("a summary");
        let arguments = ["load", "a:1"]
            .into_iter()
            .chain(arguments.split_whitespace());
        warnings(&Options::parse_from(arguments), &summary)
    }

    #[test]
    fn what_is_not_in_the_figures_is_told() {
        let none: [&str; 0] = [];
        assert_eq!(told("", json!({})), none);
        let interrupted = json!({ "interrupted": true, "seconds": 0.8, "per_second": [8] });
        assert_eq!(
            told("-t 20s --pid 7", interrupted),
            ["interrupted: it was measured for 0.8 s, not for 20.0 s"]
        );
        let silent = told("", json!({ "per_second": [30] }));
        assert!(
            silent[0].starts_with("no answer came in 2 of 3 seconds"),
            "{silent:?}"
        );
        assert_eq!(
            told("", json!({ "per_second": [0, 1], "seconds": 1.9 })).len(),
            1
        );
        let open = json!({ "per_second": [1, 0, 1], "loop": "open", "rate": 0.6 });
        assert_eq!(told("--rate 0.6", open), none);
        let gone = told("--pid 7", json!({}));
        assert!(gone[0].contains("process 7 has ended"), "{gone:?}");
    }
}
