//! The result of a run, and the forms in which it is told.

mod compare;
mod html;
mod schema;
mod table;

pub(crate) use compare::compare;
pub(crate) use html::html;
pub(crate) use schema::SCHEMA;
pub(crate) use table::{table, time};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::tally::{Errors, Tally};

/// What `schema` says in a result of this version.
pub(crate) const VERSION: &str = "wakeline-load/1";

/// One run, as it is written by `--json`; `--json-schema` describes it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Summary {
    pub(crate) schema: String,
    pub(crate) target: String,
    /// `stream`, `churn`, `idle` or `storm`.
    pub(crate) mode: String,
    /// `closed` or `open`.
    #[serde(rename = "loop")]
    pub(crate) pacing: String,
    pub(crate) client: String,
    pub(crate) connections: usize,
    pub(crate) size: usize,
    pub(crate) depth: usize,
    pub(crate) threads: usize,
    pub(crate) rate_asked: Option<f64>,
    pub(crate) warmup_s: f64,
    /// Measured, without the warm-up.
    pub(crate) seconds: f64,
    pub(crate) interrupted: bool,
    /// Answered; in an open loop those that were due in the window.
    pub(crate) messages: u64,
    /// Due in the window and never answered; of an open loop only.
    pub(crate) missing: Option<u64>,
    /// Answers a second that came in the window.
    pub(crate) rate: f64,
    pub(crate) latency_ns: Latency,
    /// Percentile and nanoseconds, for a plot.
    pub(crate) percentiles: Vec<(f64, u64)>,
    pub(crate) per_second: Vec<u64>,
    pub(crate) connects: u64,
    pub(crate) errors: BTreeMap<String, Errors>,
    /// How much of its threads' time the client was busy, 0 to 1.
    pub(crate) client_busy: Option<f64>,
    pub(crate) server: Option<Server>,
    pub(crate) warnings: Vec<String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) min: u64,
    pub(crate) mean: f64,
    pub(crate) p50: u64,
    pub(crate) p90: u64,
    pub(crate) p99: u64,
    pub(crate) p99_9: u64,
    pub(crate) p99_99: u64,
    pub(crate) max: u64,
}

/// The server's process, if its number was given.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Server {
    pub(crate) pid: u32,
    /// Processor time in the measured window.
    pub(crate) cpu_ns: u64,
    pub(crate) cpu_ns_per_message: Option<f64>,
    /// Resident bytes before the first connection, and with all of them.
    pub(crate) resident_before: u64,
    pub(crate) resident: u64,
    pub(crate) resident_per_connection: f64,
}

impl Summary {
    /// Takes over what was measured.
    pub(crate) fn fill(&mut self, tally: &Tally) {
        let latency = &tally.latency;
        let at = |percentile| latency.value_at_percentile(percentile);
        self.messages = latency.len();
        let came: u64 = tally.per_second.iter().sum();
        self.rate = came as f64 / self.seconds.max(f64::MIN_POSITIVE);
        if self.messages > 0 {
            self.latency_ns = Latency {
                min: latency.min(),
                mean: latency.mean(),
                p50: at(50.0),
                p90: at(90.0),
                p99: at(99.0),
                p99_9: at(99.9),
                p99_99: at(99.99),
                max: latency.max(),
            };
            let steps = latency.iter_quantiles(4);
            let points = steps.map(|step| (step.percentile(), step.value_iterated_to()));
            self.percentiles = points.collect();
        }
        // The last second may not have been a whole one.
        self.per_second = tally.per_second.clone();
        self.per_second.truncate(self.seconds.ceil() as usize);
        self.connects = tally.connects;
        self.errors = tally.errors.clone();
    }

    pub(crate) fn error_count(&self) -> u64 {
        self.errors.values().map(|errors| errors.count).sum()
    }
}
