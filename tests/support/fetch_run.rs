//! Runs the built `fetch` example and reads its report.

#[allow(dead_code, reason = "of it only the program's place is needed")]
mod child;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{self, Command, Output, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
};

use serde_json::Value;

/// The drivers to test: both, or epoll alone where the kernel or a sandbox denies io_uring,
/// unless `WAKELINE_TEST_REQUIRE=uring`.
pub(crate) fn drivers() -> Vec<&'static str> {
    match wakeline::Runtime::builder()
        .driver(wakeline::Driver::Uring)
        .build()
    {
        Ok(_) => vec!["epoll", "uring"],
        Err(error) => {
            assert!(
                env::var("WAKELINE_TEST_REQUIRE").as_deref() != Ok("uring"),
                "io_uring is required here and cannot be had: {error}"
            );
            eprintln!("skipped on io_uring: {error}");
            vec!["epoll"]
        }
    }
}

/// `fetch --driver …`, ready for more arguments.
pub(crate) fn fetch(driver: &str) -> Command {
    let mut command = Command::new(child::example("fetch"));
    command.arg("--driver").arg(driver).stdin(Stdio::null());
    command
}

/// A run that printed JSON.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) report: Value,
    pub(crate) stderr: String,
}

/// Runs `fetch --json` with these arguments.
pub(crate) fn run<S: AsRef<std::ffi::OsStr>>(driver: &str, arguments: &[S]) -> Run {
    let output = fetch(driver)
        .arg("--json")
        .args(arguments)
        .output()
        .expect("fetch starts");
    Run::new(&output)
}

impl Run {
    pub(crate) fn new(output: &Output) -> Run {
        let (stdout, stderr) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        let report = serde_json::from_str(&stdout)
            .unwrap_or_else(|error| panic!("{error}: stdout {stdout:?}, stderr {stderr:?}"));
        Run {
            code: output.status.code(),
            report,
            stderr: stderr.into_owned(),
        }
    }

    pub(crate) fn result(&self, at: usize) -> &Value {
        &self.report["results"][at]
    }

    /// The error's kind, `""` if it was fetched.
    pub(crate) fn kind(&self, at: usize) -> &str {
        self.result(at)["error"]["kind"].as_str().unwrap_or("")
    }

    pub(crate) fn message(&self, at: usize) -> &str {
        self.result(at)["error"]["message"].as_str().unwrap_or("")
    }
}

/// A new directory, removed when dropped.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> Directory {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!(
            "wakeline-fetch-{}-{}",
            process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let path = env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("create a directory");
        Directory(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The names in it, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).expect("list the directory");
        let mut names: Vec<String> = entries
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .into_string()
                    .expect("a name in UTF-8")
            })
            .collect();
        names.sort();
        names
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}
