//! Children of a process in a bad state: SIGCHLD ignored, no descriptors left.
//!
//! What is changed there is the whole process's, so each test runs in one of its own.

mod support;

use std::io;
use std::process::Command as StdCommand;

use support::for_each_backend;
use wakeline::process::{Command, Stdio};

/// Runs the ignored test `name` in a process of its own, on each backend.
fn in_a_process_of_its_own(name: &str) {
    let test = std::env::current_exe().expect("the test knows its own path");
    for_each_backend(|backend| {
        let output = StdCommand::new(&test)
            .args(["--exact", name, "--ignored", "--nocapture"])
            .env("WAKELINE_DRIVER", backend.option())
            .output()
            .expect("it starts");
        let text = String::from_utf8_lossy(&output.stderr);
        let passed = String::from_utf8_lossy(&output.stdout).contains("1 passed");
        assert!(output.status.success() && passed, "{text}");
    });
}

#[test]
fn a_status_that_the_kernel_does_not_keep_is_an_error() {
    in_a_process_of_its_own("with_sigchld_ignored");
}

#[test]
#[ignore = "run by a_status_that_the_kernel_does_not_keep_is_an_error"]
fn with_sigchld_ignored() {
    // SAFETY: no handler: the signal is ignored from here on, in a process that
    // does nothing else.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    support::backends()[0].runtime(1).block_on(async {
        for _ in 0..20 {
            // It ends before the pidfd is there, or after.
            let mut child = Command::new("true").spawn().unwrap();
            let error = child.wait().await.unwrap_err();
            assert!(error.to_string().contains("SIGCHLD is ignored"), "{error}");
            assert!(child.id().is_none());
            child.start_kill().unwrap();
        }
        // Not before it has ended: the wait really waits.
        let (read, write) = io::pipe().unwrap();
        let mut child = Command::new("cat").stdin(read).spawn().unwrap();
        assert!(child.try_wait().unwrap().is_none());
        drop(write);
        assert!(child.wait().await.is_err());
        // And what it has written is there.
        let child = Command::new("echo")
            .arg("hello")
            .stdout(Stdio::piped())
            .spawn();
        let out = child.unwrap().stdout.take().unwrap();
        assert_eq!(&out.read_pooled().await.unwrap()[..], b"hello\n");
    });
}

#[test]
fn a_spawn_without_descriptors_fails_before_the_program_runs() {
    in_a_process_of_its_own("with_few_descriptors");
}

#[test]
#[ignore = "run by a_spawn_without_descriptors_fails_before_the_program_runs"]
fn with_few_descriptors() {
    let ran = std::env::temp_dir().join(format!("process-ran-{}", std::process::id()));
    support::backends()[0].runtime(1).block_on(async {
        // The reactor of this thread has what it needs.
        wakeline::time::sleep(std::time::Duration::from_millis(1)).await;
        Command::new("true").status().await.unwrap();
        let open = support::open_descriptors() as libc::rlim_t;
        let mut failed = 0;
        for room in 0..16 {
            // SAFETY: reads one structure for the length of the call.
            let set = unsafe {
                let limit = libc::rlimit {
                    rlim_cur: open + room,
                    rlim_max: 4096,
                };
                libc::setrlimit(libc::RLIMIT_NOFILE, &limit)
            };
            assert_eq!(set, 0, "{}", io::Error::last_os_error());
            let mut command = Command::new("touch");
            command.arg(&ran).stdin(Stdio::piped());
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            match command.spawn() {
                Ok(mut child) => assert!(child.wait().await.unwrap().success()),
                Err(error) => {
                    failed += 1;
                    assert!(error.to_string().contains("ulimit -n"), "{error}");
                    assert!(!ran.exists(), "it ran, with room for {room}");
                }
            }
            if ran.exists() {
                break;
            }
        }
        assert!(failed > 3 && ran.exists(), "{failed}");
    });
    let _ = std::fs::remove_file(ran);
    // Nothing has touched what the program does with the signal.
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    for field in ["SigIgn:", "SigCgt:"] {
        let mask = status
            .lines()
            .find_map(|line| line.strip_prefix(field))
            .unwrap();
        let mask = u64::from_str_radix(mask.trim(), 16).unwrap();
        assert_eq!(mask & (1 << (libc::SIGCHLD - 1)), 0, "{field} {mask:x}");
    }
}
