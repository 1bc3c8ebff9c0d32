//! `--fail-if`: a condition on the result.

use std::str::FromStr;

use hdrhistogram::Histogram;

use crate::cli::duration_or_none;
use crate::report::Summary;

/// Such as `p99>5ms`: fails if it is met.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Gate {
    text: String,
    what: What,
    above: bool,
    /// Nanoseconds, messages a second, or a number.
    limit: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    Percentile(f64),
    Max,
    Mean,
    Rate,
    Messages,
    Missing,
    Errors,
}

impl FromStr for Gate {
    type Err = String;

    fn from_str(text: &str) -> Result<Gate, String> {
        let at = text
            .find(['<', '>'])
            .ok_or("no < or > in it; try 'p99>5ms'")?;
        let (name, value) = (text[..at].trim(), text[at + 1..].trim());
        let what = match name {
            "max" => What::Max,
            "mean" => What::Mean,
            "rate" => What::Rate,
            "messages" => What::Messages,
            "missing" => What::Missing,
            "errors" => What::Errors,
            _ => percentile(name).ok_or_else(|| {
                format!("{name:?} is not known; try p50, p99, p99.9, max, mean, rate, messages, missing or errors")
            })?,
        };
        let limit = match what {
            // Without a unit it would be seconds, and be met by none.
            What::Percentile(_) | What::Max | What::Mean
                if value.ends_with(|c: char| c.is_ascii_digit() || c == '.') =>
            {
                return Err(format!("{value} of what? Such as {value}ms"));
            }
            What::Percentile(_) | What::Max | What::Mean => {
                duration_or_none(value)?.as_nanos() as f64
            }
            What::Rate | What::Messages | What::Missing | What::Errors => value
                .parse()
                .ok()
                .filter(|number: &f64| number.is_finite())
                .ok_or_else(|| format!("{value:?} is not a number"))?,
        };
        Ok(Gate {
            text: text.to_owned(),
            what,
            above: text.as_bytes()[at] == b'>',
            limit,
        })
    }
}

fn percentile(name: &str) -> Option<What> {
    let number: f64 = name.strip_prefix('p')?.parse().ok()?;
    (0.0..=100.0)
        .contains(&number)
        .then_some(What::Percentile(number))
}

impl Gate {
    /// Whether an idle run has no such figure.
    pub(crate) fn is_of_answers(&self) -> bool {
        self.what != What::Errors
    }

    /// Whether a closed loop has no such figure.
    pub(crate) fn is_of_an_open_loop(&self) -> bool {
        self.what == What::Missing
    }

    /// What to tell the user if the result meets the condition. A result
    /// without a single message has no latencies, and meets every one on them.
    pub(crate) fn met(&self, summary: &Summary, latency: &Histogram<u64>) -> Option<String> {
        let value = match self.what {
            What::Percentile(p) => latency.value_at_percentile(p) as f64,
            What::Max => latency.max() as f64,
            What::Mean => latency.mean(),
            What::Rate => summary.rate,
            What::Messages => summary.messages as f64,
            What::Missing => summary.missing.unwrap_or(0) as f64,
            What::Errors => summary.error_count() as f64,
        };
        let on_latency = matches!(self.what, What::Percentile(_) | What::Max | What::Mean);
        if on_latency && summary.messages == 0 {
            return Some(format!(
                "--fail-if '{}': no message of the measured time was answered",
                self.text
            ));
        }
        let met = if self.above {
            value > self.limit
        } else {
            value < self.limit
        };
        met.then(|| {
            let value = if on_latency {
                crate::report::time(value)
            } else if value.fract() == 0.0 || value >= 100.0 {
                format!("{value:.0}")
            } else {
                format!("{value:.2}")
            };
            format!("--fail-if '{}' is met: it is {value}", self.text)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::tally::{Live, Tally, Window};

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn conditions_have_a_name_a_sign_and_a_value() {
        for text in [
            "p99>5ms",
            "p99.9 > 1s",
            "max>2m",
            "rate<1000",
            "errors>0",
            "missing>0",
            "mean>50us",
        ] {
            assert!(text.parse::<Gate>().is_ok(), "{text}");
        }
        for text in [
            "",
            "p99",
            "p101>1s",
            "p99>fast",
            "p99>5",
            "speed>1",
            "rate>many",
            "errors=0",
            "pnan>1s",
        ] {
            assert!(text.parse::<Gate>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_rate_is_told_as_it_is() {
        let summary = Summary {
            rate: 0.6,
            ..Summary::default()
        };
        let gate: Gate = "rate<0.9".parse().expect("a condition");
        let told = gate
            .met(&summary, &Tally::new().latency)
            .expect("it is met");
        assert!(told.ends_with("it is 0.60"), "{told}");
    }

    #[test]
    fn a_percentile_is_the_one_that_was_asked_for() {
        let window = Window::new(Duration::ZERO, LONG, LONG, true);
        let mut tally = Tally::new();
        for micros in 1..=1000 {
            let now = window.from + Duration::from_micros(micros);
            tally.answered(window, window.from, now, &Live::default());
        }
        let mut summary = Summary::default();
        summary.fill(&tally);
        for (percentile, micros) in [("p5", 50), ("p50", 500), ("p62", 620), ("p99.3", 993)] {
            // As good as three digits.
            let (below, above) = (micros - 3, micros + 3);
            for (gate, met) in [
                (format!("{percentile}>{below}us"), true),
                (format!("{percentile}>{above}us"), false),
                (format!("{percentile}<{above}us"), true),
                (format!("{percentile}<{below}us"), false),
            ] {
                let parsed: Gate = gate.parse().expect("a condition");
                assert_eq!(
                    parsed.met(&summary, &tally.latency).is_some(),
                    met,
                    "{gate}"
                );
            }
        }
    }
}
