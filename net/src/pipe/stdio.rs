//! An end of a pipe as a standard stream of a child process.

use super::{Receiver, Sender};
use std::io;
use std::process::Stdio;

/// What a child reads from: the output of another child, say. In blocking mode, as
/// programs expect.
///
/// # Errors
///
/// As [`into_blocking_fd`](Receiver::into_blocking_fd).
///
/// # Example
///
/// ```
/// use std::process::Stdio;
/// use wakeline_net::process::Command;
///
/// # wakeline_net::testing::block_on(async {
/// let mut first = Command::new("echo").arg("hello").stdout(Stdio::piped()).spawn()?;
/// let piped = first.stdout.take().expect("asked for");
/// let mut second = Command::new("tr");
/// second.args(["a-z", "A-Z"]).stdin(Stdio::try_from(piped)?);
/// assert_eq!(second.output().await?.stdout, b"HELLO\n");
/// assert!(first.wait().await?.success());
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
impl TryFrom<Receiver> for Stdio {
    type Error = io::Error;

    fn try_from(receiver: Receiver) -> io::Result<Stdio> {
        receiver.into_blocking_fd().map(Stdio::from)
    }
}

/// What a child writes to. In blocking mode, as programs expect.
///
/// # Errors
///
/// As [`into_blocking_fd`](Sender::into_blocking_fd).
impl TryFrom<Sender> for Stdio {
    type Error = io::Error;

    fn try_from(sender: Sender) -> io::Result<Stdio> {
        sender.into_blocking_fd().map(Stdio::from)
    }
}
