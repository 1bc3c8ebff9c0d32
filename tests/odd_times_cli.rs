//! What is no length of time is refused by every example, in words of its user.

mod support;

use std::process::Command;
use support::child::example;

const OPTIONS: [(&str, &[&str], &str); 6] = [
    ("echo_server", &[], "--idle-timeout"),
    ("echo_server", &[], "--stats"),
    ("fetch", &["http://127.0.0.1:1/"], "--timeout"),
    ("proxy", &["--upstream", "127.0.0.1:1"], "--grace"),
    ("run_parallel", &["true"], "--timeout"),
    ("run_parallel", &["true"], "--grace"),
];

fn refusal(name: &str, arguments: &[&str], option: &str, time: &str) -> String {
    let output = Command::new(example(name))
        .args(arguments)
        .arg(format!("{option}={time}"))
        .output()
        .expect("it runs");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(
        output.status.code(),
        Some(2),
        "{name} {option} {time}: {stderr}"
    );
    stderr
}

#[test]
fn what_is_no_time_is_told_with_one_that_is() {
    for (name, arguments, option) in OPTIONS {
        for time in ["NaN", "inf", "-1", "1e300", "soon", ""] {
            let said = refusal(name, arguments, option, time);
            let try_it = if name == "fetch" {
                "try 30"
            } else {
                "such as 5 or 0.5"
            };
            assert!(said.contains(try_it), "{name} {option} {time}: {said}");
            assert!(!said.contains("Duration"), "{said}");
        }
    }
}

#[test]
fn a_limit_in_which_nothing_can_be_done_is_refused() {
    for (name, arguments) in [
        ("fetch", &["http://127.0.0.1:1/"][..]),
        ("run_parallel", &["true"]),
    ] {
        let said = refusal(name, arguments, "--timeout", "0");
        assert!(said.contains("more than"), "{name}: {said}");
    }
}
