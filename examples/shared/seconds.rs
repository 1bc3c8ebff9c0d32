//! Lengths of time, as a command line has them.

use std::time::Duration;

/// A number of seconds, whole or not, not negative.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let wrong = || "not a number of seconds from 0 to 10^19, such as 5 or 0.5".to_owned();
    let seconds: f64 = text.parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

/// The same, and `least` or more; else this is `told`.
pub(crate) fn seconds_from(text: &str, least: Duration, told: &str) -> Result<Duration, String> {
    let length = seconds(text)?;
    if length < least {
        return Err(told.to_owned());
    }
    Ok(length)
}
