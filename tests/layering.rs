//! Which crate may know which: the arrows of docs/ARCHITECTURE.md.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

/// The normal dependencies of a member, by name.
fn dependencies(metadata: &Value, member: &str) -> BTreeSet<String> {
    let packages = metadata["packages"].as_array().expect("a list of packages");
    let package = packages.iter().find(|package| package["name"] == member);
    let package = package.unwrap_or_else(|| panic!("no member {member}"));
    let normal = package["dependencies"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|d| d["kind"].is_null());
    normal
        .map(|dependency| dependency["name"].as_str().expect("a name").to_owned())
        .collect()
}

fn metadata() -> Value {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["metadata", "--format-version=1", "--no-deps", "--offline"]);
    let output = command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("cargo prints JSON")
}

#[test]
fn each_crate_knows_only_what_it_may() {
    let metadata = metadata();
    // (crate, those of ours it may know, what of the world it must not)
    for (member, may_know, must_not) in [
        (
            "wakeline-context",
            &[][..],
            &["libc", "mio", "io-uring"][..],
        ),
        (
            "wakeline-executor",
            &["wakeline-context", "wakeline-sync"],
            &["libc", "mio", "io-uring", "socket2"],
        ),
        (
            "wakeline-sync",
            &["wakeline-context"],
            &["libc", "mio", "io-uring", "socket2"],
        ),
        ("wakeline-reactor", &["wakeline-context"], &["socket2"]),
        (
            "wakeline-net",
            &["wakeline-context", "wakeline-reactor"],
            &["mio", "io-uring"],
        ),
    ] {
        let found = dependencies(&metadata, member);
        for ours in found.iter().filter(|name| name.starts_with("wakeline")) {
            assert!(
                may_know.contains(&ours.as_str()),
                "{member} must not know {ours}"
            );
        }
        for name in must_not {
            assert!(!found.contains(*name), "{member} must not know {name}");
        }
    }
}

#[test]
fn the_crates_that_do_the_work_are_used() {
    let metadata = metadata();
    for (member, name) in [
        ("wakeline-reactor", "mio"),
        ("wakeline-reactor", "libc"),
        ("wakeline-executor", "slab"),
        ("wakeline-reactor", "io-uring"),
        ("wakeline-net", "socket2"),
    ] {
        assert!(
            dependencies(&metadata, member).contains(name),
            "{member} does not use {name}"
        );
    }
}
