//! How many descriptors a process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Lets this process and its children have as many descriptors as they may, which are
/// `needed` by `whom` at least.
///
/// # Errors
///
/// One line for the user, if they may not have so many.
pub fn allow(whom: &str, needed: u64) -> Result<(), String> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, raised).map_err(|error| format!("descriptors: {error}"))?;
    match limit.maximum {
        Some(most) if most < needed => Err(format!(
            "{whom}: {needed} descriptors are needed, and a process may have {most}: raise the hard limit (ulimit -Hn), or ask for fewer connections"
        )),
        _ => Ok(()),
    }
}
