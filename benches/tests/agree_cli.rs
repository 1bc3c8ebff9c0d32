//! The comparison of two load testers, run once, small.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

fn agree(arguments: &[&str], path: Option<&str>) -> Output {
    // Started by it, and so built before: it stands beside it.
    let _load = env!("CARGO_BIN_EXE_load");
    let mut command = Command::new(env!("CARGO_BIN_EXE_agree"));
    if let Some(path) = path {
        command.env("PATH", path);
    }
    command.args(arguments).output().expect("it runs")
}

/// The least that there is to run.
fn few() -> Vec<&'static str> {
    let few = "--rounds 1 --seconds 1 --connections 2 --servers wakeline";
    few.split(' ').collect()
}

/// A row of each figure, but where server and tester had one processor.
fn is_told(output: &Output) {
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    if !text.starts_with("skipped: server and tester") {
        assert_eq!(text.matches("| wakeline | 2 | ").count(), 4, "{text}");
    }
}

#[test]
fn every_figure_has_both_testers_or_it_is_told_what_is_missing() {
    let output = agree(&few(), None);
    if !output.stdout.starts_with(b"skipped: wrk") {
        is_told(&output);
    }
}

/// Where wrk is not installed the rest is tried all the same.
#[test]
fn every_figure_has_what_the_other_tester_told() {
    let name = format!("wakeline-agree-wrk-{}", std::process::id());
    let place = std::env::temp_dir().join(name);
    fs::create_dir_all(&place).expect("room");
    let told = "#!/bin/sh\necho counted 4000 1000000 0\necho latency 90 4000\n";
    fs::write(place.join("wrk"), told).expect("room");
    let runs = fs::Permissions::from_mode(0o755);
    fs::set_permissions(place.join("wrk"), runs).expect("it is ours");
    let path = std::env::var("PATH").expect("a path");
    let output = agree(&few(), Some(&format!("{}:{path}", place.display())));
    fs::remove_dir_all(&place).expect("it is there");
    is_told(&output);
    let text = String::from_utf8_lossy(&output.stdout);
    if text.contains("| load |") {
        // By load, and by it: 4,000 answers in a second.
        let row = text.lines().find(|line| line.contains("answers a second"));
        assert!(row.is_some_and(|row| row.contains(" | 4000 | ")), "{text}");
    }
}

#[test]
fn without_the_other_tester_it_is_skipped() {
    let output = agree(&[], Some("/nowhere"));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert!(text.contains("wrk is not installed"), "{text}");
}

#[test]
fn a_check_that_cannot_be_made_has_not_passed() {
    let output = agree(&["--check", "10"], Some("/nowhere"));
    assert_eq!(output.status.code(), Some(77), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("wrk is not installed"), "{said}");
}

#[test]
fn wrong_usage_is_told() {
    for wrong in [
        &["--rounds", "0"][..],
        &["--connections", "many"],
        &["--check", "nan"], // nothing is off by more
        &["--check", "inf"],
        &["--check", "-1"],
    ] {
        assert_eq!(agree(wrong, None).status.code(), Some(2), "{wrong:?}");
    }
}
