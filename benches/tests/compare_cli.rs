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
        "400",
        "--servers",
        "epoll",
        "--base",
        "raw-epoll",
    ];
    let cells = ["--cells", "2x64x1,unix:2x4096x3,churn", "--json", path];
    let output = compare(&[&few[..], &cells[..]].concat());
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    for name in ["raw-epoll", "ours-epoll", "ours-epoll-2", "ours-epoll-spin"] {
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
    assert_eq!(windows.len(), 12);
    assert!(
        windows
            .iter()
            .all(|window| window["cpu_ns"].as_f64() > Some(0.0))
    );
}

#[test]
fn the_figures_are_written_also_where_nobody_reads_the_table() {
    let json = std::env::temp_dir().join(format!("wakeline-unread-{}.json", std::process::id()));
    let (reader, nobody) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = Command::new(env!("CARGO_BIN_EXE_compare"))
        .args(["--rounds", "1", "--window", "50", "--cells", "1x64x1"])
        .args(["--servers", "raw-epoll", "--base", "raw-epoll", "--json"])
        .arg(&json)
        .stdout(nobody)
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{output:?}");
    std::fs::remove_file(&json).expect("it was written");
}

#[test]
fn memory_storms_and_imbalance_have_figures_of_their_own() {
    // The last is for two processors.
    let two = std::thread::available_parallelism().is_ok_and(|several| several.get() > 1);
    let cells = [
        ("idle:200", 6, 1),
        ("storm:100", 6, 2),
        ("imbalance:8", 2, 3),
    ];
    let cells = &cells[..if two { 3 } else { 2 }];
    let chosen: Vec<&str> = cells.iter().map(|(cell, ..)| *cell).collect();
    let base = std::env::temp_dir().join(format!("wakeline-compare-own-{}", std::process::id()));
    let (json, svg) = (base.with_extension("json"), base.with_extension("svg"));
    let output = compare(&[
        "--rounds",
        "1",
        "--window",
        "1000",
        "--servers",
        "ours",
        "--base",
        "ours-epoll",
        "--cells",
        &chosen.join(","),
        "--json",
        json.to_str().expect("a name"),
        "--svg",
        svg.to_str().expect("a name"),
    ]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    let written = std::fs::read_to_string(&json).expect("it was written");
    let plot = std::fs::read_to_string(&svg).expect("it was written");
    std::fs::remove_file(&json).expect("it was made here");
    std::fs::remove_file(&svg).expect("it was made here");
    let value: serde_json::Value = serde_json::from_str(&written).expect("JSON");
    let windows = value["windows"].as_array().expect("a list");
    let keys = [
        &["bytes"][..],
        &["all_ns", "cpu_ns"],
        &["p99_ns", "p50_ns", "heavy_p99_ns"],
    ];
    for ((cell, servers, tables), keys) in cells.iter().zip(keys) {
        let of: Vec<_> = windows
            .iter()
            .filter(|window| window["cell"] == *cell)
            .collect();
        assert_eq!(of.len(), *servers, "{cell}: {written}");
        for (window, key) in of
            .iter()
            .flat_map(|window| keys.iter().map(move |key| (window, key)))
        {
            assert!(window[key].as_f64() >= Some(0.0), "{window}");
        }
        let headings = text.matches(&format!("| server | {cell} |")).count();
        assert_eq!(headings, *tables, "{text}");
        assert!(plot.contains(&format!(">{cell}: ")), "{plot}");
    }
    assert_eq!(
        text.matches("| ours-epoll-2 |").count(),
        if two { 6 } else { 3 },
        "{text}"
    );
    let told = compare(&[
        "--cells",
        "imbalance:8",
        "--servers",
        "raw",
        "--base",
        "raw-epoll",
    ]);
    assert_eq!(told.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&told.stderr).contains("two threads: none is chosen"));
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

#[test]
fn a_file_that_cannot_be_written_is_told_before_it_is_measured() {
    for flag in ["--json", "--svg"] {
        let path = "/nonexistent/directory/figures";
        let small = ["--rounds", "1", "--window", "50", "--cells", "1x64x1"];
        let one = ["--servers", "raw-epoll", "--base", "raw-epoll", flag, path];
        let output = compare(&[small, one].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("there is no directory"), "{said}");
        assert!(output.stdout.is_empty(), "{output:?}");
    }
}
