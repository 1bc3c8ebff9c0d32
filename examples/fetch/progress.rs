//! What is going on, on stderr: bars on a terminal, plain lines elsewhere.
//!
//! A pipe gets no bar and no colour, only the lines about retries and failures. On a terminal
//! these go through the same `MultiProgress`, which prints them above the bars.

use std::{
    io::{IsTerminal, Write, stderr},
    sync::atomic::{AtomicUsize, Ordering},
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// More bars than this do not fit a screen; the rest only counts in the total.
const BARS: usize = 20;

/// The bars of one pass over the URLs.
pub(crate) struct Progress {
    shown: Option<Shown>,
}

struct Shown {
    bars: MultiProgress,
    total: ProgressBar,
    active: AtomicUsize,
}

impl Progress {
    /// Bars for `total` URLs, if stderr is a terminal.
    pub(crate) fn new(total: usize) -> Progress {
        let shown = stderr().is_terminal().then(|| {
            let bars = MultiProgress::new();
            let total = bars.add(ProgressBar::new(total as u64));
            total.set_style(style("{pos}/{len} done {wide_bar} {elapsed_precise}"));
            total.tick();
            Shown {
                bars,
                total,
                active: AtomicUsize::new(0),
            }
        });
        Progress { shown }
    }

    /// A bar for one URL, while there is room.
    pub(crate) fn start(&self, label: &str) -> Bar<'_> {
        let bar = self.shown.as_ref().and_then(|shown| {
            // Relaxed: a count of bars guards no memory.
            if shown.active.fetch_add(1, Ordering::Relaxed) >= BARS {
                return None;
            }
            let bar = shown
                .bars
                .insert_before(&shown.total, ProgressBar::no_length());
            bar.set_style(style("{bytes:>10} {bytes_per_sec:>12} {wide_msg}"));
            bar.set_message(label.to_owned());
            Some(bar)
        });
        Bar {
            progress: self,
            bar,
        }
    }

    /// One line on stderr, above the bars.
    pub(crate) fn note(&self, line: &str) {
        match &self.shown {
            // An error here means that the terminal is gone: nobody reads the line.
            Some(shown) => drop(shown.bars.println(line)),
            None => tell(line),
        }
    }

    /// Removes the bars: the summary follows.
    pub(crate) fn finish(&self) {
        if let Some(shown) = &self.shown {
            shown.total.finish_and_clear();
        }
    }
}

/// One URL's bar; dropping it removes it and counts the URL as done.
pub(crate) struct Bar<'a> {
    progress: &'a Progress,
    bar: Option<ProgressBar>,
}

impl Bar<'_> {
    /// A new attempt begins: `length` bytes are expected, if that is known.
    pub(crate) fn begin(&self, length: Option<u64>) {
        if let Some(bar) = &self.bar {
            bar.reset();
            if let Some(length) = length {
                bar.set_length(length);
                bar.set_style(style("{bytes:>10} {bytes_per_sec:>12} {bar:20} {wide_msg}"));
            }
        }
    }

    pub(crate) fn add(&self, bytes: usize) {
        if let Some(bar) = &self.bar {
            bar.inc(bytes as u64);
        }
    }

    pub(crate) fn note(&self, line: &str) {
        self.progress.note(line);
    }
}

impl Drop for Bar<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        if let Some(shown) = &self.progress.shown {
            shown.active.fetch_sub(1, Ordering::Relaxed);
            shown.total.inc(1);
        }
    }
}

/// A line for the user; if stderr is closed, there is nobody to tell.
pub(crate) fn tell(line: &str) {
    let _ = writeln!(stderr(), "{line}");
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates in this file are valid")
}
