//! `docs/ASYNCIO.md` has no empty cell, and what it names exists.
//!
//! What exists is listed here once more, in code: the compiler says whether it is
//! true, and the test whether it is all.

use std::collections::BTreeSet;
use std::future::Ready;
use std::time::Duration;

use wakeline::io::BufReader;
use wakeline::net::{TcpListener, TcpStream};

const TABLE: &str = include_str!("../docs/ASYNCIO.md");

macro_rules! items {
    ($($path:path,)*) => {
        mod compiled {
            $(#[allow(unused_imports, reason = "that it is there is all")] use $path as _;)*
        }
        const ITEMS: &[&str] = &[$(stringify!($path),)*];
    };
}

items! {
    wakeline::CancelToken, wakeline::Cancelled, wakeline::Child, wakeline::Driver,
    wakeline::Errors, wakeline::JoinError, wakeline::JoinHandle, wakeline::Runtime,
    wakeline::ScopeError, wakeline::ScopeError::Cancelled, wakeline::ScopeError::Elapsed,
    wakeline::ShutdownReport, wakeline::block_on, wakeline::cancel::Cause,
    wakeline::cancel::Reason, wakeline::checkpoint, wakeline::context_local,
    wakeline::current_deadline, wakeline::debug::Report, wakeline::fs, wakeline::future::When,
    wakeline::future::as_completed, wakeline::future::join_all, wakeline::future::try_join_all,
    wakeline::future::try_join_tasks, wakeline::future::try_wait, wakeline::future::wait,
    wakeline::io::AsyncFd, wakeline::io::AsyncRead, wakeline::io::AsyncWrite, wakeline::io::BufReader,
    wakeline::io::BufWriter, wakeline::io::LimitExceeded, wakeline::io::Splice, wakeline::io::copy, wakeline::io::copy_bidirectional, wakeline::io::duplex, wakeline::io::simplex,
    wakeline::io::split, wakeline::join, wakeline::local::Locals, wakeline::net::TcpListener, wakeline::net::TcpSocket,
    wakeline::net::TcpStream, wakeline::net::UdpSocket, wakeline::net::UnixDatagram,
    wakeline::net::UnixListener, wakeline::net::lookup_host, wakeline::net::serve,
    wakeline::pipe::pipe, wakeline::process::Child, wakeline::process::Command, wakeline::run,
    wakeline::scope, wakeline::scope::Ready, wakeline::scope_local,
    wakeline::shield, wakeline::signal::ctrl_c, wakeline::signal::unix::signal,
    wakeline::spawn, wakeline::spawn_blocking, wakeline::spawn_eager,
    wakeline::spawn_local,
    wakeline::stream::StreamExt, wakeline::stream::gen_stream, wakeline::sync::Barrier,
    wakeline::sync::Broken, wakeline::sync::Condvar, wakeline::sync::Event,
    wakeline::sync::Limiter, wakeline::sync::Mutex, wakeline::sync::Notify,
    wakeline::sync::OnceCell, wakeline::sync::RateLimiter, wakeline::sync::RwLock,
    wakeline::sync::Semaphore, wakeline::sync::broadcast::channel,
    wakeline::sync::mpsc::channel, wakeline::sync::oneshot::channel,
    wakeline::sync::queue::Shutdown, wakeline::sync::queue::TryRecvError,
    wakeline::sync::queue::TrySendError, wakeline::sync::queue::UNBOUNDED,
    wakeline::sync::queue::fifo, wakeline::sync::queue::lifo, wakeline::sync::queue::priority,
    wakeline::sync::watch::channel, wakeline::task::Builder, wakeline::task::current,
    wakeline::task::is_cancelled, wakeline::task::try_current, wakeline::task_local,
    wakeline::test::wait_all_blocked, wakeline::time::Elapsed, wakeline::time::advance,
    wakeline::time::auto_advance, wakeline::time::interval, wakeline::time::now,
    wakeline::time::pause, wakeline::time::sleep, wakeline::time::sleep_until,
    wakeline::time::timeout, wakeline::time::timeout_at, wakeline::try_join,
    wakeline::try_shield, wakeline::yield_now,
}

macro_rules! methods {
    ($($path:expr,)* ; $($name:literal => $call:expr,)*) => {
        fn methods() -> Vec<String> {
            $(let _ = $path;)*
            $(let _ = $call;)*
            let called = [$(($name, stringify!($call)),)*];
            for (name, call) in called {
                let method = name.rsplit("::").next().unwrap_or_default();
                assert!(call.contains(&format!("{method}(")), "{name} by {call}");
            }
            let paths = [$(stringify!($path),)*].map(without_generics);
            let called = called.map(|(name, _)| name.to_owned());
            paths.into_iter().chain(called).collect()
        }
    };
}

methods! {
    wakeline::Builder::blocking_threads,
    wakeline::Builder::driver,
    wakeline::Builder::start_paused,
    wakeline::CancelToken::is_cancelled,
    wakeline::CancelToken::set_deadline,
    wakeline::CancelToken::set_shielded,
    wakeline::CancelToken::set_timeout,
    wakeline::CancelToken::shielded_child,
    <Ready<()> as wakeline::FutureExt>::with_token,
    wakeline::io::DuplexStream::new,
    wakeline::Handle::block_on::<Ready<()>>,
    wakeline::Handle::current,
    wakeline::Handle::dump,
    wakeline::Handle::metrics,
    wakeline::Handle::spawn::<Ready<()>>,
    wakeline::Handle::tasks,
    wakeline::Handle::try_current,
    wakeline::JoinError::is_cancelled,
    wakeline::JoinHandle::<()>::abort,
    wakeline::JoinHandle::<()>::abort_on_drop,
    wakeline::JoinHandle::<()>::is_finished,
    wakeline::JoinHandle::<()>::name,
    wakeline::JoinSet::<()>::join_all_results,
    wakeline::JoinSet::<()>::join_next,
    wakeline::Runtime::block_on::<Ready<()>>,
    wakeline::Runtime::handle,
    wakeline::Runtime::poll_once,
    wakeline::Runtime::run::<Ready<()>>,
    wakeline::Runtime::shutdown,
    wakeline::Scope::<()>::set_deadline,
    wakeline::Scope::<()>::shield::<(), Ready<()>>,
    wakeline::Scope::<()>::spawn::<(), Ready<Result<(), ()>>>,
    wakeline::Scope::<()>::spawn_blocking::<(), fn() -> Result<(), ()>>,
    wakeline::Scope::<()>::spawn_task::<(), Ready<Result<(), ()>>>,
    wakeline::Scope::<()>::token,
    wakeline::ScopeError::<()>::is_cancelled,
    wakeline::ScopeFut::<()>::timeout,
    wakeline::debug::DebugConfig::slow_poll,
    wakeline::io::BufReader::<TcpStream>::with_limit,
    wakeline::net::TcpListener::local_addr,
    wakeline::net::TcpStream::from_std,
    wakeline::net::TcpStream::local_addr,
    wakeline::net::TcpStream::peer_addr,
    wakeline::net::TcpStream::shutdown,
    wakeline::Cancelled::reason,
    wakeline::JoinError::reason,
    wakeline::pipe::Receiver::from_owned_fd,
    wakeline::pipe::Sender::from_owned_fd,
    wakeline::sync::Barrier::is_broken,
    wakeline::sync::Event::is_set,
    wakeline::sync::Mutex::<()>::try_lock,
    wakeline::sync::Semaphore::available,
    wakeline::sync::Semaphore::bounded,
    wakeline::sync::queue::Consumer::<()>::join,
    wakeline::sync::queue::Consumer::<()>::try_recv,
    wakeline::sync::queue::Job::<()>::done,
    wakeline::sync::queue::Producer::<()>::capacity,
    wakeline::sync::queue::Producer::<()>::is_empty,
    wakeline::sync::queue::Producer::<()>::join,
    wakeline::sync::queue::Producer::<()>::len,
    wakeline::sync::queue::Producer::<()>::shutdown,
    wakeline::sync::queue::Producer::<()>::try_send,
    wakeline::task::Builder::context,
    wakeline::time::Timeout::<Ready<()>>::deadline,
    ;
    "wakeline::Builder::debug" => |it: wakeline::Builder| it.debug(true),
    "wakeline::Builder::on_unobserved" => |it: wakeline::Builder| it.on_unobserved(|_| {}),
    "wakeline::CancelToken::cancel" => |it: wakeline::CancelToken| it.cancel("why"),
    "wakeline::FutureExt::timeout" =>
        |it: Ready<()>| wakeline::FutureExt::timeout(it, Duration::ZERO),
    "wakeline::Handle::spawn_blocking" => |it: wakeline::Handle| drop(it.spawn_blocking(|| {})),
    "wakeline::JoinHandle::blocking_join" =>
        |it: wakeline::JoinHandle<()>| it.blocking_join(Duration::ZERO),
    "wakeline::JoinHandle::cancel" => |it: wakeline::JoinHandle<()>| it.cancel("why"),
    "wakeline::Scope::cancel" => |it: wakeline::Scope<'_, ()>| it.cancel("why"),
    "wakeline::Scope::guard" =>
        |it: wakeline::Scope<'static, ()>| drop(it.guard((), |()| async {})),
    "wakeline::Scope::start" => |it: wakeline::Scope<'static, ()>| drop(it.start(
        |ready: wakeline::scope::Ready<()>| async move { ready.set(()) }
    )),
    "wakeline::debug::DebugConfig::on_report" =>
        |it: wakeline::debug::DebugConfig| it.on_report(|_| {}),
    "wakeline::io::AsyncBufReadExt::read_line" =>
        |mut it: BufReader<TcpStream>, line: &mut String| {
            drop(wakeline::io::AsyncBufReadExt::read_line(&mut it, line));
        },
    "wakeline::io::AsyncBufReadExt::read_until" =>
        |mut it: BufReader<TcpStream>, line: &mut Vec<u8>| {
            drop(wakeline::io::AsyncBufReadExt::read_until(&mut it, b'.', line));
        },
    "wakeline::io::AsyncReadExt::read" => |mut it: TcpStream| {
        drop(wakeline::io::AsyncReadExt::read(&mut it, &mut [0; 8]));
    },
    "wakeline::io::AsyncReadExt::read_exact" => |mut it: TcpStream| {
        drop(wakeline::io::AsyncReadExt::read_exact(&mut it, &mut [0; 8]));
    },
    "wakeline::io::AsyncReadExt::read_to_end" => |mut it: TcpStream, all: &mut Vec<u8>| {
        drop(wakeline::io::AsyncReadExt::read_to_end(&mut it, all));
    },
    "wakeline::io::AsyncWriteExt::close" => |mut it: TcpStream| {
        drop(wakeline::io::AsyncWriteExt::close(&mut it));
    },
    "wakeline::io::AsyncWriteExt::write_all" => |mut it: TcpStream| {
        drop(wakeline::io::AsyncWriteExt::write_all(&mut it, b"all"));
    },
    "wakeline::net::Serve::grace" => |it: TcpListener| drop(
        wakeline::net::serve(it, |_, _| async { Ok(()) }).grace(Duration::ZERO)
    ),
    "wakeline::net::Serve::with_shutdown" => |it: TcpListener| drop(
        wakeline::net::serve(it, |_, _| async { Ok(()) }).with_shutdown(async {})
    ),
    "wakeline::net::TcpListener::bind" => || drop(wakeline::net::TcpListener::bind("[::1]:0")),
    "wakeline::net::TcpStream::connect" => || drop(wakeline::net::TcpStream::connect("[::1]:1")),
    "wakeline::net::UnixListener::bind" => || drop(wakeline::net::UnixListener::bind("path")),
    "wakeline::net::UnixStream::connect" => || drop(wakeline::net::UnixStream::connect("path")),
    "wakeline::task::Builder::name" => |it: wakeline::task::Builder| it.name("name"),
    "wakeline::time::Timeout::reset" =>
        |it: std::pin::Pin<&mut wakeline::time::Timeout<Ready<()>>>| it.reset(None),
}

/// `wakeline::JoinHandle::<()>::abort` is in the table without its `()`.
fn without_generics(path: &str) -> String {
    if path.contains("FutureExt") {
        return "wakeline::FutureExt::with_token".to_owned();
    }
    let mut bare = String::new();
    let mut depth = 0;
    for (at, c) in path.char_indices() {
        match c {
            '<' => depth += 1,
            '>' if !path[..at].ends_with('-') => depth -= 1,
            c if depth == 0 && !c.is_whitespace() => bare.push(c),
            _ => {}
        }
    }
    bare.replace("::::", "::").trim_end_matches("::").to_owned()
}

/// The cells of a line of a table, of which a `|` in code is no border.
fn cells(line: &str) -> Option<Vec<String>> {
    let inside = line.strip_prefix('|')?.strip_suffix('|')?;
    let mut cells = vec![String::new()];
    let mut in_code = false;
    for c in inside.chars() {
        in_code ^= c == '`';
        match (c, cells.last_mut()) {
            ('|', _) if !in_code => cells.push(String::new()),
            (c, Some(cell)) => cell.push(c),
            (_, None) => unreachable!("there is always a last one"),
        }
    }
    Some(cells.iter().map(|cell| cell.trim().to_owned()).collect())
}

/// Everything in the text that begins with `wakeline::`.
fn named() -> BTreeSet<&'static str> {
    let ends = |c: char| !(c.is_alphanumeric() || c == '_' || c == ':');
    let begins = TABLE
        .match_indices("wakeline::")
        .map(|(at, _)| &TABLE[at..]);
    begins
        .map(|rest| {
            rest.split(ends)
                .next()
                .unwrap_or_default()
                .trim_end_matches(':')
        })
        .collect()
}

#[test]
fn no_cell_is_empty() {
    let rows: Vec<_> = TABLE
        .lines()
        .filter(|line| line.starts_with('|'))
        .map(|line| (line, cells(line).unwrap_or_default()))
        .collect();
    assert!(rows.len() > 120, "only {} rows were found", rows.len());
    for (line, cells) in rows {
        assert_eq!(cells.len(), 3, "{line}");
        for cell in cells {
            let says = cell.starts_with("---") || cell.chars().any(char::is_alphanumeric);
            assert!(says, "an empty cell: {line}");
        }
    }
}

#[test]
fn whatever_is_named_exists() {
    let methods = methods();
    let exist: BTreeSet<&str> = ITEMS
        .iter()
        .copied()
        .chain(methods.iter().map(String::as_str))
        .collect();
    let named = named();
    let missing: Vec<_> = named.difference(&exist).collect();
    assert!(missing.is_empty(), "not listed in this test: {missing:?}");
    let surplus: Vec<_> = exist.difference(&named).collect();
    assert!(surplus.is_empty(), "no more in the table: {surplus:?}");
}

#[test]
fn what_is_not_yet_there_has_a_substitute() {
    for line in TABLE.lines().filter(|line| line.contains("| not yet")) {
        let instead = cells(line).unwrap_or_default()[1].contains(": ");
        assert!(instead, "and meanwhile? {line}");
    }
}
