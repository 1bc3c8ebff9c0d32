//! The comparison of file I/O, asked for what there is not.

use std::process::Command;

#[test]
fn a_row_that_there_is_not_is_wrong_usage() {
    let dir = std::env::temp_dir().join(format!("wakeline-files-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a directory");
    let output = Command::new(env!("CARGO_BIN_EXE_files"))
        .args(["--rounds", "1", "nosuchrow", "--dir"])
        .arg(&dir)
        .output()
        .expect("it runs");
    std::fs::remove_dir_all(dir).expect("it was made here");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("no row is called like that"), "{said}");
}
