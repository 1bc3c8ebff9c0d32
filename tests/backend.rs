//! The server says which backend it runs on, and why that one.
//!
//! `WAKELINE_TEST_WHY` holds what has to be in the reason where io_uring is
//! refused on purpose: "Operation not permitted" under seccomp.

mod support;

use std::process::Command;

use support::child::{EchoServer, example};

#[test]
fn the_reason_names_what_the_kernel_said() {
    let mut command = Command::new(example("echo_server"));
    command.env_remove("WAKELINE_DRIVER");
    let server = EchoServer::start_under(command, &["--driver", "auto"]);
    let text = |field: &str| server.greeting[field].as_str().expect("a text").to_owned();
    let (backend, why) = (text("backend"), text("why"));
    eprintln!("{why}");
    assert!(
        why.starts_with(&backend) && why.len() > backend.len(),
        "{why:?}"
    );
    if let Ok(refusal) = std::env::var("WAKELINE_TEST_WHY") {
        assert_eq!(backend, "epoll");
        assert!(why.contains(&refusal), "{refusal:?} is not in {why:?}");
    }
}

#[test]
fn the_environment_chooses_where_the_command_line_leaves_it_open() {
    let mut command = Command::new(example("echo_server"));
    command.env("WAKELINE_DRIVER", "epoll");
    let server = EchoServer::start_under(command, &["--driver", "auto"]);
    assert_eq!(server.greeting["backend"], "epoll");
}
