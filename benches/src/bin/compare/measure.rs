//! One window of one server: a run of `load` beside it.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use wakeline_benches::child::{beside, pin};

use crate::args::{Cpus, Options};
use crate::cell::{Cell, HEAVY, Kind};
use crate::servers::{Server, places};

/// What one window gave, by the names of the figures.
pub(crate) type Figure = BTreeMap<&'static str, f64>;

/// A figure that is told as it is, not as a ratio: less is better.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) key: &'static str,
    pub(crate) title: &'static str,
    /// What it is divided by, for the eye.
    pub(crate) unit: f64,
}

const fn told(key: &'static str, unit: f64, title: &'static str) -> Told {
    Told { key, title, unit }
}

impl Kind {
    /// The figures of the kinds that have no ratios; the first is plotted.
    pub(crate) fn told(self) -> &'static [Told] {
        match self {
            Kind::Stream | Kind::Churn => &[],
            Kind::Idle => const { &[told("bytes", 1.0, "Resident bytes an idle connection")] },
            Kind::Storm => {
                const {
                    &[
                        told(
                            "all_ns",
                            1e6,
                            "Milliseconds until all of a storm are answered",
                        ),
                        told(
                            "cpu_ns",
                            1e3,
                            "Microseconds of the server's processor time a connection of a storm",
                        ),
                    ]
                }
            }
            Kind::Imbalance => {
                const {
                    &[
                        told(
                            "p99_ns",
                            1e3,
                            "Microseconds to a light answer beside heavy ones, p99",
                        ),
                        told(
                            "p50_ns",
                            1e3,
                            "Microseconds to a light answer beside heavy ones, median",
                        ),
                        told("heavy_p99_ns", 1e3, "Microseconds to a heavy answer, p99"),
                    ]
                }
            }
        }
    }
}

/// Messages a second of a light connection in an imbalance. That is an open loop, as
/// is that of the heavy ones: all servers have the same to do.
const LIGHT_RATE: usize = 50;
/// Milliseconds that idle connections are held at least: the server has accepted all by then.
const HOLD: u64 = 1000;
/// Milliseconds that a storm may take; it ends with its last answer.
const STORM: u64 = 30_000;

pub(crate) fn measure(server: &Server, cell: &Cell, options: &Options) -> Result<Figure, String> {
    pin(places(cell, options.cpus)?[1])?;
    let window = options.window;
    let (connections, bytes) = (cell.connections, cell.bytes);
    let plain = format!("-c {connections} -s {bytes}");
    let arguments = match cell.kind {
        Kind::Stream => format!("{plain} -t {window}ms -w 100ms -d {}", cell.depth),
        Kind::Churn => format!("{plain} -t {window}ms -w 100ms --mode churn"),
        Kind::Idle => format!("{plain} -t {}ms -w 0ms --mode idle", window.max(HOLD)),
        Kind::Storm => format!("{plain} -t {STORM}ms -w 100ms --mode storm"),
        Kind::Imbalance => {
            let rate = connections * LIGHT_RATE;
            format!("{plain} -t {window}ms -w 200ms -d 1 --first 0 --rate {rate}")
        }
    };
    // From before the light ones until after them.
    let heavy = (cell.kind == Kind::Imbalance).then(|| {
        let (rate, time) = (options.heavy, window + 400);
        let heavy = format!("-c {HEAVY} -s {bytes} -t {time}ms -w 0ms -d 1 --first 255");
        load(server, &format!("{heavy} --rate {rate}"), Cpus::One)
    });
    let light = load(server, &arguments, options.cpus)?;
    let what = || format!("{} at {cell}: ", server.name);
    let result = result(light).map_err(|error| what() + &error);
    let heavy = heavy.map(|heavy| self::result(heavy?));
    let (result, heavy) = (result?, heavy.transpose().map_err(|error| what() + &error)?);
    let number = |key: &'static str, value: &Value| match value.as_f64() {
        Some(number) if number > 0.0 => Ok((key, number)),
        _ => Err(format!("{}{key} could not be measured", what())),
    };
    let latency = &result["latency_ns"];
    let usage = &result["server"];
    let made = |key: &str| {
        let times = result[key].as_u64();
        let all = times == Some(connections as u64);
        all.then_some(())
            .ok_or_else(|| format!("{}{times:?} {key}, not all", what()))
    };
    let figures = match cell.kind {
        Kind::Stream | Kind::Churn => vec![
            number("cpu_ns", &usage["cpu_ns_per_message"])?,
            number("rate", &result["rate"])?,
            number("p99_ns", &latency["p99"])?,
        ],
        Kind::Idle => {
            made("connects")?;
            // None, where what was there sufficed.
            let grown = usage["resident_per_connection"].as_f64();
            vec![(
                "bytes",
                grown.ok_or_else(|| format!("{}no memory was told", what()))?,
            )]
        }
        Kind::Storm => {
            made("messages")?;
            vec![
                number("all_ns", &latency["max"])?,
                number("cpu_ns", &usage["cpu_ns_per_message"])?,
            ]
        }
        Kind::Imbalance => vec![
            number("p99_ns", &latency["p99"])?,
            number("p50_ns", &latency["p50"])?,
            number(
                "heavy_p99_ns",
                &heavy.unwrap_or_default()["latency_ns"]["p99"],
            )?,
        ],
    };
    Ok(figures.into_iter().collect())
}

fn load(server: &Server, arguments: &str, cpus: Cpus) -> Result<Child, String> {
    Command::new(beside("load")?)
        .arg(&server.address)
        .args(["--pid", &server.pid(), "--json", "-", "--quiet"])
        // A neighbour that has the processor is no fault of the server.
        .args(["--drain", "30s"])
        // With a processor to itself the client is no part of what is measured.
        .args(["--spin", if cpus == Cpus::Two { "100us" } else { "0s" }])
        .args(arguments.split(' '))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("load: {error}"))
}

/// What it tells; an error if there were any on its connections.
fn result(load: Child) -> Result<Value, String> {
    let output = load
        .wait_with_output()
        .map_err(|error| format!("load: {error}"))?;
    let told = String::from_utf8_lossy(&output.stderr);
    let result: Value = serde_json::from_slice(&output.stdout).map_err(|_| told.to_string())?;
    let errors = result["errors"].as_object();
    if errors.is_some_and(|errors| !errors.is_empty()) || !output.status.success() {
        return Err(format!("{told}{}", result["errors"]));
    }
    Ok(result)
}
