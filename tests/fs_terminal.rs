//! A terminal that nobody reads for a while holds up who writes to it, and nobody else.

mod support;

use std::fs;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{OptionalActions, SpecialCodeIndex, tcgetattr, tcsetattr};
use support::for_each_backend;
use wakeline::fs::File;
use wakeline::io::{AsyncReadExt, AsyncWriteExt};
use wakeline::{spawn, time};

/// More than fits.
const LEN: usize = 1 << 20;
const LITTLE: usize = 4 << 10;
/// Time for what was handed in to be begun: the kernel does not tell of that. A test that
/// is too early sees nothing wrong.
const PACE: Duration = Duration::from_millis(20);
/// For a test that fails to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// Who draws the terminal; and the terminal, in blocking mode, as files mostly are. What is
/// written to it goes through as it is.
fn terminal() -> (fs::File, fs::File) {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let screen = openpt(flags).expect("a terminal");
    unlockpt(&screen).expect("its other side");
    let terminal = ioctl_tiocgptpeer(screen.as_fd(), flags).expect("its other side");
    let mut mode = tcgetattr(&terminal).expect("its mode");
    mode.make_raw();
    tcsetattr(&terminal, OptionalActions::Now, &mode).expect("its mode");
    (screen.into(), terminal.into())
}

#[test]
fn a_write_to_a_full_terminal_leaves_the_worker_to_others() {
    for_each_backend(|backend| {
        let (mut screen, terminal) = terminal();
        let (tell, told) = mpsc::channel();
        let screen = thread::spawn(move || {
            let mut text = vec![0; LEN];
            // Some room first, which is not enough.
            let (some, rest) = text.split_at_mut(LITTLE);
            let first = told.recv_timeout(PATIENCE);
            screen.read_exact(some).unwrap();
            let second = told.recv_timeout(PATIENCE);
            screen.read_exact(rest).unwrap();
            first.is_ok() && second.is_ok()
        });
        backend.runtime(1).block_on(async {
            let neighbour = spawn(async move {
                for _ in 0..2 {
                    time::sleep(PACE).await;
                    tell.send(()).expect("somebody reads then");
                }
            });
            let mut file = File::from_std(terminal).unwrap();
            file.write_all(&vec![b'a'; LEN]).await.unwrap();
            file.flush().await.unwrap();
            neighbour.await.unwrap();
        });
        assert!(screen.join().unwrap(), "the worker stood still");
    });
}

#[test]
fn a_read_that_waits_for_more_leaves_the_worker_to_others() {
    for_each_backend(|backend| {
        let (mut screen, terminal) = terminal();
        // A read ends with the second byte; or 3 s after the first.
        let mut mode = tcgetattr(&terminal).expect("its mode");
        mode.special_codes[SpecialCodeIndex::VMIN] = 2;
        mode.special_codes[SpecialCodeIndex::VTIME] = 30;
        tcsetattr(&terminal, OptionalActions::Now, &mode).expect("its mode");
        backend.runtime(1).block_on(async {
            let neighbour = spawn(async move {
                for byte in b"ab" {
                    time::sleep(PACE).await;
                    screen.write_all(&[*byte]).unwrap();
                }
                screen
            });
            let mut file = File::from_std(terminal).unwrap();
            let mut typed = [0; 2];
            let n = file.read(&mut typed).await.unwrap();
            assert_eq!(&typed[..n], b"ab", "the worker stood still");
            drop(neighbour.await.unwrap());
        });
    });
}
