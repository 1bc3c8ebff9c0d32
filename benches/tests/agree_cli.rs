//! The comparison of two load testers, run once, small.

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

#[test]
fn every_figure_has_both_testers_or_it_is_told_what_is_missing() {
    let few = "--rounds 1 --seconds 1 --connections 2 --servers wakeline";
    let few: Vec<&str> = few.split(' ').collect();
    let output = agree(&few, None);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    if !text.starts_with("skipped: ") {
        assert_eq!(text.matches("| wakeline | 2 | ").count(), 4, "{text}");
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
