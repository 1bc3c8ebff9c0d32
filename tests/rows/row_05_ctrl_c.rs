//! Ctrl-C: the first cancels main and lets it clean up, the second ends the
//! process.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use wakeline::current_token;

use crate::support::child::{example, send};
use crate::support::for_each_backend;
use crate::with_every_runtime;

/// A `main` that runs and has its handler installed.
struct Main {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Main {
    fn start(driver: &str, workers: u8, what: &str) -> Main {
        let mut child = Command::new(example("run_main"))
            .args([driver, &workers.to_string(), what])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the tool starts");
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        Main { child, stdout }
    }

    /// The next line that is not yet read.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    }

    fn until_ready(&mut self) {
        loop {
            match self.line().as_str() {
                "ready" => return,
                "" => panic!("it ended before it was ready"),
                _ => {}
            }
        }
    }

    fn interrupt(&self) {
        send(self.child.id().into(), libc::SIGINT);
    }

    /// The rest of what it prints, and how it ends.
    fn rest(mut self) -> (ExitStatus, Vec<String>) {
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).expect("text");
        let status = self.child.wait().expect("it ends");
        (status, rest.lines().map(str::to_owned).collect())
    }
}

/// On both backends, with one worker and with two.
fn each(what: &str, test: impl Fn(Main)) {
    for_each_backend(|backend| {
        for workers in [1, 2] {
            let mut main = Main::start(backend.option(), workers, what);
            main.until_ready();
            test(main);
        }
    });
}

#[test]
fn the_first_ctrl_c_cancels_main_which_cleans_up_and_returns() {
    each("clean", |main| {
        main.interrupt();
        let (status, lines) = main.rest();
        assert_eq!(
            lines,
            [
                "cancelled: interrupted by the user, Interrupt",
                "again: true",
                "starts: false",
                "cleaned up",
                "outcome stopped"
            ]
        );
        assert_eq!(status.code(), Some(0));
    });
}

#[test]
fn a_task_that_was_given_the_token_hears_of_it() {
    each("everywhere", |main| {
        main.interrupt();
        let (status, lines) = main.rest();
        assert_eq!(lines, ["task: Interrupt", "outcome stopped"]);
        assert_eq!(status.code(), Some(0));
    });
}

#[test]
fn a_main_that_was_cancelled_by_itself_keeps_its_reason_and_its_outcome() {
    each("itself", |main| {
        main.interrupt();
        let (status, lines) = main.rest();
        assert_eq!(lines, ["of its own accord", "outcome finished"]);
        assert_eq!(status.code(), Some(0));
    });
}

#[test]
fn a_main_that_has_finished_when_the_signal_is_seen_has_finished() {
    each("same-poll", |mut main| {
        main.interrupt();
        let mut stdin = main.child.stdin.take().expect("it is piped");
        stdin.write_all(b"go on\n").expect("it reads");
        let (status, lines) = main.rest();
        assert_eq!(lines, ["outcome finished"]);
        assert_eq!(status.code(), Some(0));
    });
}

#[test]
fn the_second_ctrl_c_ends_the_process_where_it_stands() {
    each("twice", |mut main| {
        main.interrupt();
        assert_eq!(main.line(), "interrupted by the user");
        main.interrupt();
        let (status, lines) = main.rest();
        assert_eq!(status.code(), Some(130));
        assert_eq!(lines, [""; 0], "no destructor runs");
    });
}

#[test]
fn the_second_ctrl_c_ends_also_a_process_whose_thread_is_stuck() {
    each("stuck", |mut main| {
        // Signals that come in one breath are one: so, until it has ended.
        let status = loop {
            main.interrupt();
            if let Some(status) = main.child.try_wait().expect("a child") {
                break status;
            }
            std::thread::yield_now();
        };
        assert_eq!((status.code(), status.signal()), (Some(130), None));
    });
}

#[test]
fn a_main_that_never_looks_can_be_dropped_from_outside() {
    each("from-outside", |main| {
        main.interrupt();
        let (status, lines) = main.rest();
        assert_eq!(lines, ["dropped, Some(Interrupt)", "outcome stopped"]);
        assert_eq!(status.code(), Some(0));
    });
}

#[test]
fn a_scope_as_main_drops_its_children_and_awaits_its_cleanup() {
    each("scope", |main| {
        main.interrupt();
        let (status, lines) = main.rest();
        assert_eq!(
            lines,
            ["dropped, Some(Interrupt)", "file saved", "outcome stopped"]
        );
        assert_eq!(status.code(), Some(0));
    });
}

#[test]
fn a_second_main_on_the_same_runtime_is_asked_anew() {
    each("after", |main| {
        main.interrupt();
        let (status, lines) = main.rest();
        assert_eq!(lines.last().map(String::as_str), Some("outcome stopped"));
        assert_eq!(status.code(), Some(0));
    });
}

#[test]
fn without_ctrl_c_it_returns_what_main_returns_and_passes_its_panic_on() {
    with_every_runtime(|runtime| {
        let not_static = String::from("borrowed");
        let output = runtime.run(async {
            wakeline::yield_now().await;
            assert!(!current_token().is_cancelled());
            not_static.as_str()
        });
        assert_eq!(output, "borrowed");
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            runtime.run(async { panic!("from main") })
        }));
        let payload: Box<&str> = caught.unwrap_err().downcast().expect("a text");
        assert_eq!(*payload, "from main");
        assert_eq!(runtime.run(async { 2 }), 2, "it goes on");
    });
}
