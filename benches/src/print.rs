//! What a benchmark has to say, to stdout.

use std::io::{self, ErrorKind, Write};

/// To stdout; whoever reads it may have seen enough.
///
/// # Errors
///
/// One line for the user, if it cannot be written for another reason.
pub fn print(text: &str) -> Result<(), String> {
    let mut stdout = io::stdout();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(format!("cannot print: {error}"))
        }
        _ => Ok(()),
    }
}
