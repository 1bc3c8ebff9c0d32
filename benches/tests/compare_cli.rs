//! The comparison of servers, run once, small.

use std::process::{Command, Output};

fn compare(arguments: &[&str]) -> Output {
    // Started by it, and so built before: they stand beside it.
    let _servers = (env!("CARGO_BIN_EXE_servers"), env!("CARGO_BIN_EXE_load"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_compare"));
    command.args(arguments).output().expect("it runs")
}

#[test]
fn every_chosen_server_has_a_figure_in_every_cell() {
    let json = std::env::temp_dir().join(format!("wakeline-compare-{}.json", std::process::id()));
    let path = json.to_str().expect("a name");
    let few = [
        "--rounds",
        "1",
        "--window",
        "100",
        "--servers",
        "epoll",
        "--base",
        "raw-epoll",
    ];
    let cells = ["--cells", "2x64x1,unix:2x4096x3,churn", "--json", path];
    let output = compare(&[&few[..], &cells[..]].concat());
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    for name in ["raw-epoll", "ours-epoll", "ours-epoll-2"] {
        assert_eq!(text.matches(&format!("| {name} |")).count(), 3, "{text}");
    }
    assert!(
        text.contains("| server | 2x64x1 | unix:2x4096x3 | churn |"),
        "{text}"
    );
    let written = std::fs::read_to_string(&json).expect("it was written");
    std::fs::remove_file(&json).expect("it was made here");
    let value: serde_json::Value = serde_json::from_str(&written).expect("JSON");
    let windows = value["windows"].as_array().expect("a list");
    assert_eq!(windows.len(), 9);
    assert!(
        windows
            .iter()
            .all(|window| window["cpu_ns"].as_f64() > Some(0.0))
    );
}

#[test]
fn what_is_not_there_is_told() {
    let output = compare(&["--base", "nothing"]);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        told.contains("nothing is not there; --base names one of: ours-uring"),
        "{told}"
    );
    assert_eq!(compare(&["--cells", "many"]).status.code(), Some(2));
}
