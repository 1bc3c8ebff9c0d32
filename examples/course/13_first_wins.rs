//! 13. The first wins: `select!`, `race`, and happy eyeballs.
//!
//! `select!` waits for the first of several futures; the losers are dropped
//! before its handler runs, so the handler may use what they had borrowed. In a
//! loop, pass `&mut` of what shall go on from round to round. `staggered` starts
//! attempts one after the other, each when the one before is slow or has failed:
//! that is how a name with many addresses is connected to.
//!
//! In asyncio: `wait(return_when=FIRST_COMPLETED)` and cancelling the rest by
//! hand; `loop.create_connection(happy_eyeballs_delay=..)`. In trio: a nursery
//! that is cancelled by its first child; `open_tcp_stream`.
//!
//! ```text
//! select!: the fast one, after 10 ms
//! 3 messages between the ticks at 10, 20, 30 ms, then the limit
//! race: #1 of 3, fast
//! race_ok: #2, a mirror
//! staggered: 10.0.0.3 after 30 ms; refused: ["10.0.0.2"]
//! a server on this machine answers: hello
//! ```

#[macro_use]
mod support;

use std::future::pending;
use std::io;
use std::time::Duration;

use support::{MS, ms_since};
use wakeline::future::{race, race_ok, staggered};
use wakeline::io::{AsyncReadExt, AsyncWriteExt};
use wakeline::net::{TcpListener, TcpStream};
use wakeline::sync::mpsc;
use wakeline::time::{interval_at, now, sleep};
use wakeline::{select, spawn};

async fn after<T>(limit: Duration, value: T) -> T {
    sleep(limit).await;
    value
}

async fn messages_and_ticks() {
    let (sender, mut messages) = mpsc::channel(8);
    let teller = spawn(async move {
        for n in 1..=3 {
            let _ = sender.send(n).await;
        }
        pending::<()>().await; // or the channel would end
        drop(sender);
    });
    let start = now();
    let mut ticks = interval_at(start + 10 * MS, 10 * MS);
    let mut limit = sleep(35 * MS);
    let (mut received, mut ticked) = (0, Vec::new());
    loop {
        select! {
            Some(_) = messages.recv() => received += 1,
            _ = ticks.tick() => ticked.push(ms_since(start).to_string()),
            () = &mut limit => break,
        }
    }
    teller.abort();
    say!(
        "{received} messages between the ticks at {} ms, then the limit",
        ticked.join(", ")
    );
}

async fn connect(address: &'static str) -> Result<&'static str, &'static str> {
    match address {
        "10.0.0.1" => pending().await, // never answers
        "10.0.0.2" => Err(after(5 * MS, address).await),
        _ => Ok(after(5 * MS, address).await),
    }
}

/// `TcpStream::connect` is made like that; "localhost" has up to two addresses.
async fn real() -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let server = spawn(async move {
        let (mut stream, _) = listener.accept().await?;
        stream.write_all(b"hello").await
    });
    let mut text = String::new();
    TcpStream::connect(("localhost", port))
        .await?
        .read_to_string(&mut text)
        .await?;
    server.await.map_err(io::Error::other)??;
    Ok(text)
}

fn main() {
    support::run(async {
        let start = now();
        let won = select! {
            slow = after(500 * MS, "the slow one") => slow,
            fast = after(10 * MS, "the fast one") => fast,
        };
        say!("select!: {won}, after {} ms", ms_since(start));
        messages_and_ticks().await;

        let delays = [(30, "slow"), (10, "fast"), (20, "medium")];
        if let Some((index, won)) = race(delays.map(|(ms, name)| after(ms * MS, name))).await {
            say!("race: #{index} of 3, {won}");
        }
        let mirrors = [(1, Err("down")), (2, Err("busy")), (3, Ok("a mirror"))];
        match race_ok(mirrors.map(|(ms, answer)| after(ms * MS, answer))).await {
            Ok((index, answer)) => say!("race_ok: #{index}, {answer}"),
            Err(errors) => say!("race_ok: {errors:?}"),
        }

        let start = now();
        let outcome = staggered(20 * MS, ["10.0.0.1", "10.0.0.2", "10.0.0.3"].map(connect)).await;
        if let Some((_, address)) = outcome.winner {
            let refused: Vec<_> = outcome.errors.iter().map(|(_, error)| error).collect();
            say!(
                "staggered: {address} after {} ms; refused: {refused:?}",
                ms_since(start)
            );
        }
    });
    // By the real clock: paused time would not wait for the kernel.
    match wakeline::block_on(real()) {
        Ok(text) => say!("a server on this machine answers: {text}"),
        Err(error) => say!("no server: {error}"),
    }
}
