//! What a benchmark has to say.

use std::fmt::Display;
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

/// A line to stderr, whether or not anybody reads it: what is measured counts.
pub fn note(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Whether help is asked for, which is `text`; then it is printed.
///
/// # Errors
///
/// As those of [`print`](print()).
pub fn help(text: &str) -> Result<bool, String> {
    let asked = std::env::args()
        .skip(1)
        .any(|arg| arg == "--help" || arg == "-h");
    if asked {
        print(text)?;
    }
    Ok(asked)
}
