//! The line that is shown while it runs, and what is sampled meanwhile.

use std::io::{IsTerminal, Write};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use wakeline::time::{sleep, sleep_until, timeout_at};
use wakeline::{select, signal};

use crate::cli::{Mode, Options};
use crate::process;
use crate::run::Run;

/// What the main thread saw of the run.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Of the client, in the window.
    pub(crate) client_cpu_ns: Option<u64>,
    /// Of the server, in the window.
    pub(crate) server_cpu_ns: Option<u64>,
    pub(crate) resident: Option<u64>,
    /// How long it was really measured.
    pub(crate) measured: Duration,
    pub(crate) interrupted: bool,
}

/// Watches a run from its beginning to its end, or to Ctrl-C.
pub(crate) async fn watch(run: &Run, options: &Options) -> Seen {
    let window = run.window();
    let mut seen = Seen::default();
    let mut cpu = (None, None);
    let pid = options.pid.map(|pid| pid.to_string());
    let sample = || {
        let server = pid.as_deref().and_then(process::cpu_ns);
        (Some(process::own_cpu_ns()), server)
    };
    let through = async {
        if run.mode == Mode::Storm {
            // Before it breaks loose; nothing happens in the warm-up.
            cpu = sample();
            let _over = timeout_at(window.until, run.over.cancelled()).await;
            return;
        }
        sleep_until(window.from).await;
        cpu = sample();
        sleep_until(window.until).await;
    };
    let shown = std::io::stderr().is_terminal() && !options.quiet;
    select! {
        biased;
        result = signal::ctrl_c() => {
            seen.interrupted = result.is_ok();
            if result.is_err() {
                sleep_until(window.until).await;
            }
        },
        () = through => {},
        () = show(run, shown) => unreachable!("it shows for ever"),
    }
    if shown {
        let _ = write!(std::io::stderr(), "\r\x1b[K");
    }
    let end = sample();
    let minus = |end: Option<u64>, start: Option<u64>| Some(end?.saturating_sub(start?));
    seen.client_cpu_ns = minus(end.0, cpu.0);
    seen.server_cpu_ns = minus(end.1, cpu.1);
    seen.resident = pid.as_deref().and_then(process::resident);
    let until = Instant::now().min(window.until);
    seen.measured = until.saturating_duration_since(window.from);
    seen
}

/// A line a second on the terminal, for ever.
async fn show(run: &Run, shown: bool) {
    let mut before = (0, Instant::now());
    loop {
        sleep(Duration::from_secs(1)).await;
        if !shown {
            continue;
        }
        let now = Instant::now();
        let answers = run.live.answers.load(Ordering::Relaxed);
        let rate = (answers - before.0) as f64 / (now - before.1).as_secs_f64();
        before = (answers, now);
        let phase = if now < run.window().from {
            "warm-up"
        } else {
            "measuring"
        };
        let left = run.window().until.saturating_duration_since(now);
        let line = format!(
            "{phase}: {rate:.0} messages/s, {} connections made, {} errors, {:.0} s left",
            run.live.connected.load(Ordering::Relaxed),
            run.live.errors.load(Ordering::Relaxed),
            left.as_secs_f64(),
        );
        let _ = write!(std::io::stderr(), "\r\x1b[K{line}");
    }
}
