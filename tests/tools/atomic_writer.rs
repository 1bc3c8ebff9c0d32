//! A tool of the tests: replaces a file again and again, until it is killed.
//!
//! `atomic_writer PATH` writes version after version of the content, each by
//! `fs::write_atomic`, and tells each on a line of stdout once it is there.

use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("usage: atomic_writer PATH");
        return ExitCode::from(2);
    };
    let result = wakeline::block_on(async {
        for version in 1_u64.. {
            wakeline::fs::write_atomic(&path, content(version)).await?;
            writeln!(std::io::stdout(), "{version}")?;
        }
        std::io::Result::Ok(())
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The number of the version, in each 8 bytes of a length that differs.
fn content(version: u64) -> Vec<u8> {
    let words = 20_000 + (version % 7) as usize * 3_000;
    version.to_le_bytes().repeat(words)
}
