//! What each benchmark says of itself, and what becomes of it where nobody reads.

use std::process::{Command, Stdio};

const ALL: [(&str, &str); 8] = [
    ("agree", env!("CARGO_BIN_EXE_agree")),
    ("bulk", env!("CARGO_BIN_EXE_bulk")),
    ("compare", env!("CARGO_BIN_EXE_compare")),
    ("counts", env!("CARGO_BIN_EXE_counts")),
    ("files", env!("CARGO_BIN_EXE_files")),
    ("load", env!("CARGO_BIN_EXE_load")),
    ("primitives", env!("CARGO_BIN_EXE_primitives")),
    ("servers", env!("CARGO_BIN_EXE_servers")),
];

#[test]
fn help_is_no_error() {
    for (name, path) in ALL {
        for flag in ["--help", "-h"] {
            let output = Command::new(path).arg(flag).output().expect("it runs");
            assert!(output.status.success(), "{name} {flag}: {output:?}");
            let text = String::from_utf8_lossy(&output.stdout).to_lowercase();
            assert!(text.contains(&format!("usage: {name}")), "{name}: {text}");
            assert!(output.stderr.is_empty(), "{name}: {output:?}");
        }
    }
}

/// Nobody is at the other end.
fn nobody() -> Stdio {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    writer.into()
}

#[test]
fn nobody_has_to_read() {
    let dir = std::env::temp_dir().join(format!("wakeline-unread-{}", std::process::id()));
    let path = dir.to_str().expect("a name");
    let few = ["--rounds", "1"];
    let runs: [(&str, &[&str], i32); 8] = [
        ("bulk", &["--mib", "1"], 0),
        ("files", &["--dir", path, "fsync"], 0),
        ("primitives", &["yield"], 0),
        ("bulk", &["nonsense"], 2),
        ("compare", &["--base", "nobody"], 1),
        ("counts", &["nonsense"], 2),
        ("files", &["nonsense"], 2),
        ("primitives", &["nonsense"], 2),
    ];
    for (name, arguments, code) in runs {
        let (_, path) = ALL.iter().find(|(known, _)| *known == name).expect("there");
        let mut command = Command::new(path);
        if name != "counts" {
            command.args(few);
        }
        let ended = command
            .args(arguments)
            .stdout(nobody())
            .stderr(nobody())
            .status();
        assert_eq!(
            ended.expect("it runs").code(),
            Some(code),
            "{name} {arguments:?}"
        );
    }
    std::fs::remove_dir_all(&dir).expect("the files were made in it");
}
