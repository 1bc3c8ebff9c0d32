//! Where the result goes: stdout, and the files that were asked for.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use wakeline_benches::print;

use crate::cli::Options;
use crate::report::{self, Summary};

/// The files, open before the run: one that cannot be written is told at once.
/// What is in them stays until there is something new.
pub(crate) struct Files<'a> {
    json: Option<Output<'a>>,
    html: Option<Output<'a>>,
}

impl<'a> Files<'a> {
    pub(crate) fn open(options: &'a Options) -> Result<Files<'a>, String> {
        let json = options.json.as_deref();
        let json = json.filter(|path| !is_stdout(path)).map(Output::open);
        let html = options.html.as_deref().map(Output::open);
        Ok(Files {
            json: json.transpose()?,
            html: html.transpose()?,
        })
    }
}

fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

/// Prints and writes what was asked for, each whether the others can be or not.
pub(crate) fn tell(options: &Options, files: Files<'_>, summary: &Summary) -> Result<(), String> {
    let json = serde_json::to_string_pretty(summary)
        .map(|text| text + "\n")
        .map_err(|error| format!("cannot write JSON: {error}"))?;
    let printed = print(&if options.json.as_deref().is_some_and(is_stdout) {
        json.clone()
    } else {
        report::table(summary)
    });
    let json = files.json.map(|file| file.write(&json));
    let html = files.html.map(|file| file.write(&report::html(summary)));
    printed
        .and(json.unwrap_or(Ok(())))
        .and(html.unwrap_or(Ok(())))
}

struct Output<'a> {
    path: &'a Path,
    file: File,
    /// It was not there before, and has not got its text.
    made: bool,
}

impl<'a> Output<'a> {
    fn open(path: &'a Path) -> Result<Output<'a>, String> {
        let (opened, made) = match OpenOptions::new().write(true).create_new(true).open(path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                // A link that leads nowhere exists, too.
                let mut options = OpenOptions::new();
                options.write(true).create(true).truncate(false);
                (options.open(path), false)
            }
            made => (made, true),
        };
        let file = opened.map_err(|error| cannot(path, &error))?;
        Ok(Output { path, file, made })
    }

    fn write(mut self, text: &str) -> Result<(), String> {
        let empty = || match self.file.metadata()?.is_file() {
            true => self.file.set_len(0),
            false => Ok(()), // a pipe or a terminal
        };
        empty()
            .and_then(|()| self.file.write_all(text.as_bytes()))
            .map_err(|error| cannot(self.path, &error))?;
        self.made = false;
        Ok(())
    }
}

impl Drop for Output<'_> {
    /// A run that came to nothing leaves no empty file behind.
    fn drop(&mut self) {
        if self.made {
            // The run has failed, which is told; this is no more than tidy.
            let _ = fs::remove_file(self.path);
        }
    }
}

fn cannot(path: &Path, error: &io::Error) -> String {
    format!("cannot write {}: {error}", path.display())
}
