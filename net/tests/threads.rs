//! One socket, two threads, each with its own reactor.

use std::io::Result;
use std::thread;
use wakeline_net::io::{AsyncReadExt, AsyncWriteExt};
use wakeline_net::testing::{both, reactor, run, tcp_pair};
use wakeline_reactor::DriverKind;

const BYTES: usize = 4 << 20;

/// Every pair of kinds: the halves of one socket are watched by both.
fn kinds() -> Vec<(DriverKind, DriverKind)> {
    let works: Vec<DriverKind> = [DriverKind::Epoll, DriverKind::Uring]
        .into_iter()
        .filter(|kind| reactor(*kind).is_some())
        .collect();
    works
        .iter()
        .flat_map(|a| works.iter().map(|b| (*a, *b)))
        .collect()
}

#[test]
fn the_halves_of_a_stream_work_on_different_threads() {
    for (here, there) in kinds() {
        let here = reactor(here).expect("it was there a moment ago");
        let (a, b) = run(&here, tcp_pair()).expect("a pair");
        let (mut a_read, a_write) = a.into_split();
        let (mut b_read, mut b_write) = b.into_split();
        let other = thread::spawn(move || {
            let there = reactor(there).expect("it was there a moment ago");
            let mut a_write = a_write;
            let write = async {
                a_write.write_all(&vec![1; BYTES]).await?;
                a_write.close().await
            };
            let mut all = Vec::new();
            let (wrote, read) = run(&there, both(write, b_read.read_to_end(&mut all)));
            wrote?;
            read
        });
        let write = async {
            b_write.write_all(&vec![2; BYTES]).await?;
            b_write.close().await
        };
        let mut all = Vec::new();
        let (wrote, read) = run(&here, both(write, a_read.read_to_end(&mut all)));
        wrote.expect("writing here");
        assert_eq!(read.expect("reading here"), BYTES);
        // What is still watched here is watched there from now on; a reactor
        // that lives and takes no turns would keep it waiting.
        drop(here);
        let there: Result<usize> = other.join().expect("the other thread");
        assert_eq!(there.expect("reading there"), BYTES);
    }
}

#[test]
fn a_stream_that_moves_to_another_thread_is_watched_there() {
    for (here, there) in kinds() {
        let here = reactor(here).expect("it was there a moment ago");
        let (a, b) = run(&here, async {
            let (a, b) = tcp_pair().await?;
            b.write(b"x").await?;
            assert_eq!(a.read(&mut [0; 8]).await?, 1); // armed here
            Result::Ok((a, b))
        })
        .expect("a pair");
        drop(here); // the reactor that watched it is gone
        let moved = thread::spawn(move || {
            let there = reactor(there).expect("it was there a moment ago");
            let mut buf = [0; 8];
            run(&there, async {
                let (read, wrote) = both(a.read(&mut buf), b.write(b"yz")).await;
                wrote?;
                read
            })
        });
        let read: Result<usize> = moved.join().expect("the other thread");
        assert_eq!(read.expect("a read there"), 2);
    }
}
