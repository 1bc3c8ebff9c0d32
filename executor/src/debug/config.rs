//! Whether an executor is in debug mode, and what is reported then.

use std::env::VarError;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::Report;

/// What the reports go to.
pub(super) type Hook = Arc<dyn Fn(&Report) + Send + Sync>;

/// What debug mode watches, and whom it tells.
///
/// # Example
///
/// ```
/// use std::sync::mpsc;
/// use std::time::Duration;
/// use wakeline_executor::Executor;
/// use wakeline_executor::debug::{DebugConfig, Finding};
///
/// let (reports, told) = mpsc::channel();
/// let debug = DebugConfig::new()
///     .slow_poll(Duration::ZERO) // so that every poll is a slow one
///     .on_report(move |report| drop(reports.send(report.clone())));
/// let executor = Executor::builder().workers(1).debug(debug).build()?;
/// executor.block_on(async {});
/// assert!(matches!(told.recv().unwrap().finding, Finding::SlowPoll { .. }));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "it does nothing until it is given to a builder"]
pub struct DebugConfig {
    pub(super) slow_poll: Duration,
    pub(super) per_second: u32,
    pub(super) hook: Option<Hook>,
}

impl DebugConfig {
    /// Polls are slow from 100 ms on; reports go to stderr, a line each, at most
    /// a hundred of each sort in a second.
    pub fn new() -> DebugConfig {
        DebugConfig {
            slow_poll: Duration::from_millis(100),
            per_second: 100,
            hook: None,
        }
    }

    /// How long a single poll of a task, or of the future of a `block_on`, may
    /// take; one that takes as long or longer is reported when it has ended.
    ///
    /// It is the time on the clock, so that a busy machine makes polls slow, too.
    /// A poll that never ends is not reported.
    pub fn slow_poll(mut self, limit: Duration) -> DebugConfig {
        self.slow_poll = limit;
        self
    }

    /// How many reports of each sort are made in a second, at most; zero makes
    /// none.
    ///
    /// Those beyond it are counted, and the next one that is made tells how many
    /// were left out.
    pub fn per_second(mut self, reports: u32) -> DebugConfig {
        self.per_second = reports;
        self
    }

    /// What is told of each report, instead of stderr.
    ///
    /// It is called in the midst of a worker's work, by the thread that found the
    /// matter, and must not block. What it does is not reported on. If it
    /// panics, the report goes to stderr, and the loop goes on.
    pub fn on_report(mut self, hook: impl Fn(&Report) + Send + Sync + 'static) -> DebugConfig {
        self.hook = Some(Arc::new(hook));
        self
    }
}

impl Default for DebugConfig {
    fn default() -> DebugConfig {
        DebugConfig::new()
    }
}

impl fmt::Debug for DebugConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DebugConfig")
            .field("slow_poll", &self.slow_poll)
            .field("per_second", &self.per_second)
            .field("on_report", &self.hook.is_some())
            .finish()
    }
}

/// Debug mode on or off, as [`Builder::debug`](crate::Builder::debug) takes it:
/// a `bool`, or a [`DebugConfig`] for on.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum DebugMode {
    /// As the environment has it: see [`Builder::debug`](crate::Builder::debug).
    #[default]
    Environment,
    /// Off, whatever the environment says.
    Off,
    /// On.
    On(DebugConfig),
}

impl From<bool> for DebugMode {
    fn from(on: bool) -> DebugMode {
        if on {
            DebugMode::On(DebugConfig::new())
        } else {
            DebugMode::Off
        }
    }
}

impl From<DebugConfig> for DebugMode {
    fn from(config: DebugConfig) -> DebugMode {
        DebugMode::On(config)
    }
}

impl DebugMode {
    /// What was chosen, or what the environment says.
    pub(crate) fn config(self) -> io::Result<Option<DebugConfig>> {
        match self {
            DebugMode::On(config) => Ok(Some(config)),
            DebugMode::Off => Ok(None),
            DebugMode::Environment => {
                let on = on_by_environment(std::env::var("WAKELINE_DEBUG"))?;
                Ok(on.then(DebugConfig::new))
            }
        }
    }
}

/// `1` is on; `0`, nothing and unset are off.
pub(super) fn on_by_environment(value: Result<String, VarError>) -> io::Result<bool> {
    let value = match value {
        Ok(value) => value,
        Err(VarError::NotPresent) => return Ok(false),
        Err(VarError::NotUnicode(value)) => value.display().to_string(),
    };
    match value.as_str() {
        "1" => Ok(true),
        "0" | "" => Ok(false),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("WAKELINE_DEBUG={value}: use 1 (debug mode on) or 0 (off), or unset it"),
        )),
    }
}
