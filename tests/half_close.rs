//! Each direction of a connection closes by itself, and a reset is an error, not a spin.

mod support;

use std::io::ErrorKind;
use std::net::Shutdown;
use std::time::Duration;

use support::for_each_backend;
use wakeline::io::{AsyncReadExt, AsyncWriteExt};
use wakeline::net::{TcpListener, TcpStream};
use wakeline::spawn;

/// Both ends of a TCP connection.
async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    (client, listener.accept().await.unwrap().0)
}

#[test]
fn after_the_end_of_writing_the_answer_still_arrives() {
    for_each_backend(|backend| {
        backend.runtime(1).block_on(async {
            let (mut client, mut server) = pair().await;
            client.write_all(b"question").await.unwrap();
            client.shutdown(Shutdown::Write).unwrap();
            let mut question = Vec::new();
            server.read_to_end(&mut question).await.unwrap();
            assert_eq!(question, b"question");
            server.write_all(b"answer").await.unwrap();
            drop(server);
            let mut answer = Vec::new();
            client.read_to_end(&mut answer).await.unwrap();
            assert_eq!(answer, b"answer");
        });
    });
}

#[test]
fn dropping_the_write_half_sends_the_end() {
    for_each_backend(|backend| {
        backend.runtime(2).block_on(async {
            let (client, mut server) = pair().await;
            let (mut reader, mut writer) = client.into_split();
            writer.write_all(b"last words").await.unwrap();
            drop(writer);
            let mut words = Vec::new();
            server.read_to_end(&mut words).await.unwrap();
            assert_eq!(words, b"last words");
            server.write_all(b"heard").await.unwrap();
            let mut heard = [0; 5];
            reader.read_exact(&mut heard).await.unwrap();
            assert_eq!(&heard, b"heard");
        });
    });
}

#[test]
fn the_end_of_a_stream_stays_the_end() {
    for_each_backend(|backend| {
        backend.runtime(1).block_on(async {
            let (client, server) = pair().await;
            drop(client);
            for _ in 0..100 {
                assert_eq!(server.read(&mut [0; 8]).await.unwrap(), 0);
            }
        });
    });
}

#[test]
fn a_reset_is_an_error_for_who_waits_and_for_who_comes_later() {
    for_each_backend(|backend| {
        backend.runtime(2).block_on(async {
            let (client, mut server) = pair().await;
            let waiting = spawn(async move {
                let first = server.read(&mut [0; 8]).await;
                (first, server.write_all(b"anybody?").await)
            });
            // Closing with nothing to linger for sends a reset.
            client.set_linger(Some(Duration::ZERO)).unwrap();
            drop(client);
            let (read, write) = waiting.await.unwrap();
            assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionReset);
            assert!(write.is_err());
        });
    });
}

#[test]
fn reading_and_writing_from_two_tasks_both_go_on() {
    for_each_backend(|backend| {
        backend.runtime(2).block_on(async {
            const TOTAL: usize = 4 << 20;
            let (client, mut server) = pair().await;
            let (mut reader, mut writer) = client.into_split();
            let echo = spawn(async move {
                let mut buf = vec![0; 16 * 1024];
                loop {
                    let n = server.read(&mut buf).await.unwrap();
                    if n == 0 {
                        return;
                    }
                    server.write_all(&buf[..n]).await.unwrap();
                }
            });
            // More than the sockets hold: the writer ends only if the reader reads.
            let writing = spawn(async move {
                writer.write_all(&vec![1; TOTAL]).await.unwrap();
                writer.shutdown().unwrap();
            });
            let mut back = Vec::new();
            reader.read_to_end(&mut back).await.unwrap();
            assert_eq!(back.len(), TOTAL);
            writing.await.unwrap();
            echo.await.unwrap();
        });
    });
}
