//! One direction may end while the other goes on.

use std::io;
use std::net::Shutdown;
use wakeline_net::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use wakeline_net::testing::{both, on_each_driver, tcp_pair, unix_pair};
use wakeline_net::{TcpListener, TcpStream};

macro_rules! half_close_tests {
    ($module:ident, $pair:ident) => {
        mod $module {
            use super::*;

            #[test]
            fn the_side_that_ended_writing_still_reads() {
                on_each_driver(|| async {
                    let (a, b) = $pair().await?;
                    a.shutdown(Shutdown::Write)?;
                    assert_eq!(b.read(&mut [0; 8]).await?, 0);
                    b.write(b"still here").await?;
                    assert_eq!(&a.read_pooled().await?[..], b"still here");
                    Ok(())
                });
            }

            #[test]
            fn the_end_is_read_again_and_again() {
                on_each_driver(|| async {
                    let (a, b) = $pair().await?;
                    drop(b);
                    for _ in 0..3 {
                        assert_eq!(a.read(&mut [0; 8]).await?, 0);
                    }
                    Ok(())
                });
            }

            #[test]
            fn data_before_the_end_is_read_first() {
                on_each_driver(|| async {
                    let (a, mut b) = $pair().await?;
                    b.write_all(b"last words").await?;
                    drop(b);
                    let mut buf = [0; 4];
                    let mut all = Vec::new();
                    loop {
                        match a.read(&mut buf).await? {
                            0 => break,
                            n => all.extend_from_slice(&buf[..n]),
                        }
                    }
                    assert_eq!(all, b"last words");
                    Ok(())
                });
            }

            #[test]
            fn ending_the_own_reading_side_wakes_the_read_that_waits() {
                on_each_driver(|| async {
                    let (a, _b) = $pair().await?;
                    let mut buf = [0; 8];
                    let end = async {
                        wakeline_net::testing::yield_times(3).await;
                        a.shutdown(Shutdown::Read)
                    };
                    let (read, ended) = both(a.read(&mut buf), end).await;
                    ended?;
                    assert_eq!(read?, 0);
                    Ok(())
                });
            }

            #[test]
            fn dropping_the_owned_write_half_ends_the_writing_side() {
                on_each_driver(|| async {
                    let (a, b) = $pair().await?;
                    let (reader, writer) = a.into_split();
                    writer.write(b"x").await?;
                    drop(writer);
                    let mut buf = [0; 8];
                    assert_eq!(b.read(&mut buf).await?, 1);
                    assert_eq!(b.read(&mut buf).await?, 0);
                    b.write(b"answer").await?;
                    assert_eq!(reader.read(&mut buf).await?, 6);
                    Ok(())
                });
            }

            #[test]
            fn halves_come_together_again_only_with_their_other_half() {
                on_each_driver(|| async {
                    let (a, b) = $pair().await?;
                    let (a_read, a_write) = a.into_split();
                    let (b_read, b_write) = b.into_split();
                    let wrong = a_read.reunite(b_write).expect_err("not the same stream");
                    let a = wrong.0.reunite(a_write).expect("the same stream");
                    let b = wrong.1.reunite(b_read).expect("the same stream");
                    a.write(b"x").await?;
                    assert_eq!(b.read(&mut [0; 8]).await?, 1, "nothing was ended meanwhile");
                    Ok(())
                });
            }
        }
    };
}

half_close_tests!(tcp, tcp_pair);
half_close_tests!(unix, unix_pair);

#[test]
fn a_proxy_passes_each_end_on() {
    on_each_driver(|| async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        let (mut server, mut back) = tcp_pair().await?;
        let (client, accepted) = both(TcpStream::connect(addr), listener.accept()).await;
        let (mut client, (mut front, _)) = (client?, accepted?);

        let proxy = copy_bidirectional(&mut front, &mut back);
        let talk = async {
            client.write_all(b"question").await?;
            client.close().await?;
            let mut question = Vec::new();
            server.read_to_end(&mut question).await?;
            assert_eq!(question, b"question");
            server.write_all(b"an answer after the end").await?;
            server.close().await?;
            let mut answer = Vec::new();
            client.read_to_end(&mut answer).await?;
            assert_eq!(answer, b"an answer after the end");
            io::Result::Ok(())
        };
        let (proxied, talked) = both(proxy, talk).await;
        talked?;
        assert_eq!(proxied?, (8, 23));
        Ok(())
    });
}

/// A server that answers before it has read everything, and closes: the writer's error
/// must not cost its answer.
#[test]
fn an_answer_before_a_reset_is_handed_on() {
    on_each_driver(|| async {
        let (mut client, mut front) = tcp_pair().await?;
        let (mut back, mut server) = tcp_pair().await?;
        back.write_all(b"what is not read makes the close a reset")
            .await?;
        server.write_all(b"413").await?;
        drop(server);
        client.write_all(b"more of the question").await?;
        let error = copy_bidirectional(&mut front, &mut back).await.unwrap_err();
        let writers = [io::ErrorKind::BrokenPipe, io::ErrorKind::ConnectionReset];
        assert!(writers.contains(&error.kind()), "{error}");
        drop(front);
        let mut answer = [0; 3];
        client.read_exact(&mut answer).await?;
        assert_eq!(&answer, b"413");
        Ok(())
    });
}

/// Who reads no more may have more to say.
#[test]
fn a_side_that_reads_no_more_is_heard_to_its_end() {
    on_each_driver(|| async {
        let (mut client, mut front) = unix_pair().await?;
        let (mut back, mut server) = unix_pair().await?;
        server.shutdown(std::net::Shutdown::Read)?;
        client.write_all(b"unwanted").await?;
        let proxy = copy_bidirectional(&mut front, &mut back);
        let talk = async {
            let mut answer = [0; 4];
            for _ in 0..3 {
                server.write_all(b"news").await?;
                client.read_exact(&mut answer).await?;
                assert_eq!(&answer, b"news");
            }
            drop(server);
            io::Result::Ok(())
        };
        let (proxied, talked) = both(proxy, talk).await;
        talked?;
        assert_eq!(proxied.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        Ok(())
    });
}
