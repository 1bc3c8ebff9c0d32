//! The load tester, as a user runs it, against servers of plain threads.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde_json::Value;

/// How long a run may take that should take some seconds.
const LIMIT: Duration = Duration::from_secs(30);

/// Serves each connection by `handle`, on threads that nobody waits for.
fn server(handle: fn(TcpStream)) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || handle(stream));
        }
    });
    address
}

fn echo(mut stream: TcpStream) {
    let mut buffer = [0; 4096];
    while let Ok(n @ 1..) = stream.read(&mut buffer) {
        if stream.write_all(&buffer[..n]).is_err() {
            return;
        }
    }
}

/// Changes the hundredth byte.
fn wrong(mut stream: TcpStream) {
    let (mut buffer, mut seen) = ([0; 4096], 0);
    while let Ok(n @ 1..) = stream.read(&mut buffer) {
        if (seen..seen + n).contains(&100) {
            buffer[100 - seen] ^= 1;
        }
        seen += n;
        if stream.write_all(&buffer[..n]).is_err() {
            return;
        }
    }
}

/// Takes one message and answers none.
fn hang_up(mut stream: TcpStream) {
    let _ = stream.read_exact(&mut [0; 64]);
    drop(stream.shutdown(Shutdown::Both));
}

/// Answers each request, wherever it is cut.
fn http(mut stream: TcpStream) {
    let (mut kept, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(n @ 1..) = stream.read(&mut buffer) {
        kept.extend_from_slice(&buffer[..n]);
        while let Some(at) = kept.windows(4).position(|four| four == b"\r\n\r\n") {
            let close = kept[..at].windows(5).any(|five| five == b"close");
            kept.drain(..at + 4);
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
            if stream.write_all(answer).is_err() || close {
                return;
            }
        }
    }
}

fn load(arguments: &[&str]) -> Output {
    load_for("200ms", arguments)
}

fn load_for(duration: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_load"));
    let short = ["--duration", duration, "--warmup", "50ms", "-c", "4"];
    command
        .args(arguments)
        .args(short)
        .args(["--drain", "60s"]) // it ends when all is answered
        .output()
        .expect("it runs")
}

/// Until something has happened: a busy machine may take longer for that.
fn json(arguments: &[&str]) -> (Value, Output) {
    let arguments = [arguments, &["--json", "-"]].concat();
    let mut told = None;
    for duration in ["200ms", "2s", "20s"] {
        let output = load_for(duration, &arguments);
        let value: Result<Value, _> = serde_json::from_slice(&output.stdout);
        let value = value.unwrap_or_else(|error| panic!("{error}: {output:?}"));
        let nothing = value["messages"] == 0 && value["errors"] == serde_json::json!({});
        let idle = value["mode"] == "idle";
        told = Some((value, output));
        if idle || !nothing {
            break;
        }
    }
    told.expect("it ran")
}

#[test]
fn an_echo_server_is_loaded_in_every_way_by_both_clients() {
    let target = server(echo).to_string();
    for client in ["wakeline", "threads"] {
        for way in [
            &["--size", "64"][..],
            &["--size", "64", "--depth", "8"],
            &["--size", "100k"],
            &["--size", "100k", "--depth", "3"],
            &["--rate", "400"],
            &["--mode", "churn"],
        ] {
            let (result, output) = json(&[&[target.as_str(), "--client", client], way].concat());
            let told = format!("{client} {way:?}: {output:?}");
            assert!(output.status.success(), "{told}");
            assert!(result["messages"].as_u64() > Some(0), "{told}");
            assert_eq!(result["errors"], serde_json::json!({}), "{told}");
            let open = if way[0] == "--rate" { "open" } else { "closed" };
            assert_eq!(result["loop"], open, "{told}");
            assert!(result["connects"].as_u64() >= Some(4), "{told}");
        }
    }
}

#[test]
fn idle_connections_are_held_and_asked_nothing() {
    let target = server(echo).to_string();
    for client in ["wakeline", "threads"] {
        let (result, output) = json(&[&target, "--client", client, "--mode", "idle"]);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(
            (result["connects"].as_u64(), result["messages"].as_u64()),
            (Some(4), Some(0))
        );
    }
}

#[test]
fn a_storm_ends_with_its_last_answer() {
    let target = server(echo).to_string();
    // For a minute, if it did not end by itself.
    let storm = "--mode storm --first 255 -c 4 -t 60s -w 50ms --json -";
    let mut command = Command::new(env!("CARGO_BIN_EXE_load"));
    let output = command.arg(&target).args(storm.split(' ')).output();
    let output = output.expect("it runs");
    assert!(output.status.success(), "{output:?}");
    let result: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(
        (result["connects"].as_u64(), result["messages"].as_u64()),
        (Some(4), Some(4))
    );
    assert_eq!(result["errors"], serde_json::json!({}), "{output:?}");
    let refused = load(&[&target, "--mode", "storm", "--client", "threads"]);
    assert_eq!(refused.status.code(), Some(1));
}

/// Answers later than is measured.
fn too_late(mut stream: TcpStream) {
    let mut buffer = [0; 4096];
    while let Ok(n @ 1..) = stream.read(&mut buffer) {
        thread::sleep(Duration::from_millis(300)); // that much is late, on any machine
        let _gone = stream.write_all(&buffer[..n]);
    }
}

#[test]
fn what_a_storm_has_answered_late_counts() {
    let target = server(too_late).to_string();
    let storm = "--mode storm -c 4 -t 50ms -w 50ms --drain 60s --json -";
    let mut command = Command::new(env!("CARGO_BIN_EXE_load"));
    let output = command.arg(&target).args(storm.split(' ')).output();
    let output = output.expect("it runs");
    let result: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(result["messages"].as_u64(), Some(4), "{output:?}");
    assert_eq!(result["errors"], serde_json::json!({}), "{output:?}");
}

#[test]
fn an_http_server_is_loaded_on_connections_that_stay_and_on_new_ones() {
    let target = format!("http://{}/index", server(http));
    for client in ["wakeline", "threads"] {
        for mode in ["stream", "churn"] {
            let (result, output) = json(&[&target, "--client", client, "--mode", mode]);
            assert!(output.status.success(), "{client} {mode}: {output:?}");
            assert!(result["messages"].as_u64() > Some(0), "{output:?}");
            assert_eq!(
                result["errors"],
                serde_json::json!({}),
                "{client} {mode}: {output:?}"
            );
        }
    }
}

#[test]
fn a_wrong_byte_and_a_server_that_hangs_up_are_errors_with_a_sample() {
    for (handle, kind, sample) in [
        (
            wrong as fn(TcpStream),
            "wrong byte",
            "byte 100 of the stream",
        ),
        (hang_up, "closed by the server", "1 answer was due"),
    ] {
        let target = server(handle).to_string();
        for client in ["wakeline", "threads"] {
            let (result, output) = json(&[&target, "--client", client, "--fail-if", "errors>0"]);
            assert_eq!(output.status.code(), Some(1), "{output:?}");
            let errors = result["errors"].as_object().expect("a table");
            // A server that hangs up may reset the connection, too.
            let found = errors.iter().find(|(name, _)| *name == kind);
            let (_, found) = found.unwrap_or_else(|| panic!("{client}: no {kind}: {errors:?}"));
            assert!(
                found["sample"].as_str().expect("a sample").contains(sample),
                "{found}"
            );
        }
    }
}

/// Neither reads nor answers nor closes.
fn deaf(stream: TcpStream) {
    loop {
        thread::park();
        stream.peer_addr().expect("it is held");
    }
}

#[test]
fn a_server_that_never_reads_does_not_hold_it_up() {
    let target = server(deaf).to_string();
    for client in ["wakeline", "threads"] {
        for way in [["--depth", "1000"], ["--depth", "1"], ["--mode", "churn"]] {
            let child = Command::new(env!("CARGO_BIN_EXE_load"))
                .args([&target, "--client", client, "-s", "64k"])
                .args(way)
                .args(["-t", "1s", "-w", "0s", "--drain", "100ms", "-c", "2"])
                .args(["--json", "-"])
                .stdout(Stdio::piped())
                .spawn()
                .expect("it runs");
            let handle = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).expect("ours");
            let (tell, told) = mpsc::channel();
            thread::spawn(move || tell.send(child.wait_with_output()));
            let Ok(output) = told.recv_timeout(LIMIT) else {
                // By its handle: a number may be another's by now.
                let _ = pidfd_send_signal(&handle, Signal::KILL);
                panic!("{client} {way:?}: it is held up");
            };
            let output = output.expect("its output");
            let result: Value = serde_json::from_slice(&output.stdout).expect("JSON");
            let errors = result["errors"].as_object().expect("a table");
            let kinds: Vec<_> = errors.keys().collect();
            assert_eq!(kinds, ["unanswered at the end"], "{client} {way:?}");
        }
    }
}

/// Answers the first three messages when eight have come, and closes.
fn three_of_eight(mut stream: TcpStream) {
    let mut all = [0; 8 * 64];
    let asked = stream.read_exact(&mut all);
    let _ = asked.and_then(|()| stream.write_all(&all[..3 * 64]));
}

/// Answers all eight when the last of them has come.
fn late(mut stream: TcpStream) {
    let mut all = [0; 8 * 64];
    let asked = stream.read_exact(&mut all);
    let _ = asked.and_then(|()| stream.write_all(&all));
    let _ = stream.read(&mut all);
}

#[test]
fn in_an_open_loop_what_was_due_counts_and_what_is_missing_is_told() {
    for (handle, answered, code) in [
        (three_of_eight as fn(TcpStream), 3, Some(1)),
        (late, 8, Some(0)),
    ] {
        let target = server(handle).to_string();
        for client in ["wakeline", "threads"] {
            let run = |arguments: &[&str]| {
                Command::new(env!("CARGO_BIN_EXE_load"))
                    .args([&target, "--client", client, "-c", "1", "--rate", "8"])
                    .args(["--duration", "1s", "--warmup", "0s", "--drain", "60s"])
                    .args(arguments)
                    .output()
                    .expect("it runs")
            };
            let output = run(&["--json", "-", "--fail-if", "missing>0"]);
            let told = format!("{client}: {output:?}");
            assert_eq!(output.status.code(), code, "{told}");
            let result: Value = serde_json::from_slice(&output.stdout).expect("JSON");
            assert_eq!(result["messages"], answered, "{told}");
            assert_eq!(result["missing"], 8 - answered, "{told}");
        }
    }
}

#[test]
fn a_condition_decides_the_exit_code() {
    let target = server(echo).to_string();
    for (condition, code) in [
        ("p99>1m", 0),
        ("p99>1us", 1),
        ("rate<1", 0),
        ("errors>0", 0),
    ] {
        let (_, output) = json(&[&target, "--fail-if", condition]);
        assert_eq!(output.status.code(), Some(code), "{condition}: {output:?}");
    }
}

#[test]
fn results_are_written_and_compared() {
    let target = server(echo).to_string();
    let dir = std::env::temp_dir().join(format!("wakeline-load-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a directory");
    let (json, html) = (dir.join("a.json"), dir.join("a.html"));
    let (json, html) = (
        json.to_str().expect("a name"),
        html.to_str().expect("a name"),
    );
    let output = load_for("1s", &[&target, "--json", json, "--html", html]);
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("latency p99.99"),
        "{output:?}"
    );
    let page = std::fs::read_to_string(html).expect("a page");
    assert!(page.contains("<svg") && page.ends_with("</html>\n"));
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_load"));
        command.args(arguments).output().expect("it runs")
    };
    let compared = run(&["--compare", json, json]);
    assert!(
        String::from_utf8_lossy(&compared.stdout).contains("1.000"),
        "{compared:?}"
    );
    let wrong = run(&["--compare", json, html]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&wrong.stderr).contains("is not JSON"),
        "{wrong:?}"
    );
    std::fs::remove_dir_all(dir).expect("it was made here");
}

#[test]
fn a_file_that_cannot_be_written_is_told_before_the_run() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("it has the mode");
    let target = listener.local_addr().expect("its address").to_string();
    for option in ["--json", "--html"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_load"));
        command.args([&target, option, "/nowhere/a"]);
        let output = command.args(["-t", "50ms", "--drain", "0s"]).output();
        let output = output.expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("cannot write /nowhere/a"), "{said}");
        let came = listener.accept().map_err(|error| error.kind());
        assert_eq!(came.expect_err("no connection"), ErrorKind::WouldBlock);
    }
}

#[test]
fn a_run_that_came_to_nothing_leaves_the_files_as_they_were() {
    let base = std::env::temp_dir().join(format!("wakeline-load-{}", std::process::id()));
    let (old, new) = (base.with_extension("old"), base.with_extension("new"));
    std::fs::write(&old, "of the last run").expect("it is written");
    let files = [&old, &new].map(|path| path.to_str().expect("a name"));
    // There is no such process, so nothing is measured.
    let nowhere = ["unix:/nowhere/socket", "--pid", "4194305"];
    let output = load(&[&nowhere[..], &["--json", files[0], "--html", files[1]]].concat());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let kept = std::fs::read_to_string(&old).expect("it is there");
    std::fs::remove_file(&old).expect("it was made here");
    assert_eq!(kept, "of the last run");
    assert!(!new.exists(), "an empty file was left behind");
}

#[test]
fn a_result_that_cannot_be_written_is_printed_nevertheless() {
    let target = server(echo).to_string();
    let output = load(&[&target, "--html", "/dev/full", "--fail-if", "rate>0"]);
    let (table, said) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(table.contains("latency p99.99"), "{output:?}");
    assert!(said.contains("cannot write /dev/full"), "{said}");
    assert!(said.contains("--fail-if 'rate>0' is met"), "{said}");
}

#[test]
fn nobody_there_and_wrong_usage_are_told() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let target = free.local_addr().expect("its address").to_string();
    drop(free);
    let output = load(&[&target]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("refused"),
        "{output:?}"
    );
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("no connection was made"), "{said}");
    for arguments in [
        &["7777"][..],
        &["a:1", "--rate", "0"],
        &["a:1", "--fail-if", "p99"],
        &["a:1", "--fail-if", "missing>0"], // of an open loop only
        &["a:1", "--mode", "idle", "--fail-if", "p99>1s"],
        &["--compare", "a", "b", "--fail-if", "p99>1s"], // gates nothing there
        &["--compare", "a", "b", "--json", "-"],
        &["a:1", "--mode", "storm", "--rate", "9"], // all in one moment, and no more
        &["a:1", "--mode", "idle", "--rate", "9"],
        &["a:1", "--mode", "storm", "-d", "2"], // one message a connection
        &["a:1", "--mode", "churn", "-d", "2"],
        &["a:1", "--mode", "idle", "-d", "2"],
        &["a:1", "-w", "10000000000000000000s"], // no clock goes as far
        &["a:1", "--drain", "10000000000000000000s"],
        &["a:1", "--spin", "10000000000000000000s"],
        &[],
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_load"));
        let output = command.args(arguments).output().expect("it runs");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
    }
}

/// As a user whose shell allows so many descriptors, by `ulimit` with that option.
fn limited(option: &str, arguments: &str) -> Output {
    let script = format!("ulimit {option} 64; exec \"$0\" {arguments} -t 50ms -w 0s --json -");
    Command::new("sh")
        .args(["-c", &script, env!("CARGO_BIN_EXE_load")])
        .output()
        .expect("a shell")
}

#[test]
fn more_connections_than_descriptors_raise_the_limit_or_are_refused_before_the_start() {
    let target = server(echo);
    for way in ["--driver auto", "--driver epoll", "--client threads"] {
        let way = format!("{target} --mode idle -c 70 {way}");
        let output = limited("-S -n", &way);
        let result: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{way}: {error}: {output:?}"));
        assert_eq!(result["connects"], 70, "{way}: {output:?}");
        assert_eq!(result["errors"], serde_json::json!({}), "{way}: {output:?}");

        let output = limited("-n", &way);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{way}: {said}");
        assert!(said.contains("a process may have 64"), "{way}: {said}");
        assert!(said.contains("ulimit -Hn"), "{way}: {said}");
        assert_eq!(said.lines().count(), 1, "{way}: {said}");
    }
}

#[test]
fn the_schema_names_every_field_of_a_result() {
    let target = server(echo).to_string();
    let (result, _) = json(&[&target]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_load"));
    let schema = command
        .arg("--json-schema")
        .output()
        .expect("it runs")
        .stdout;
    let schema: Value = serde_json::from_slice(&schema).expect("JSON");
    let fields: Vec<_> = result.as_object().expect("an object").keys().collect();
    let known: Vec<_> = schema["properties"]
        .as_object()
        .expect("an object")
        .keys()
        .collect();
    assert_eq!(fields, known);
    let required = schema["required"].as_array().expect("a list").len();
    assert_eq!(required, known.len());
}
