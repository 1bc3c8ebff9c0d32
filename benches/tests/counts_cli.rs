//! The counter of instructions, as its gate runs it.

use std::process::Command;

#[test]
fn a_row_that_fails_is_not_one_that_cannot_be_had() {
    // Not enough descriptors for the connections of an echo.
    let script = "ulimit -n 40; exec \"$0\" --run \"$1\" 50";
    for row in ["echo message, TCP, epoll", "echo message, Unix, io_uring"] {
        let output = Command::new("sh")
            .args(["-c", script, env!("CARGO_BIN_EXE_counts"), row])
            .output()
            .expect("a shell");
        assert_eq!(output.status.code(), Some(1), "{row}: {output:?}");
    }
}
