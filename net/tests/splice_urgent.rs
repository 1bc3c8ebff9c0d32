//! Copies within the kernel of a stream with urgent data: a splice stops at the
//! mark and never goes past it, and where the stream has ended takes the mark for
//! the end. A peer must be able neither to stall a copy nor to cut it short.

use socket2::SockRef;
use std::io::Result;
use std::net::Shutdown;
use wakeline_net::io::{AsyncReadExt, AsyncWriteExt, Splice};
use wakeline_net::testing::{both, on_each_driver, tcp_pair, unix_pair, yield_times};
use wakeline_net::{TcpStream, UnixStream};

/// Before the urgent byte, and behind it: more than what one receive takes over.
fn sides() -> [(Vec<u8>, Vec<u8>); 4] {
    let long = || (0..60_000_u16).flat_map(u16::to_le_bytes).collect();
    [
        (b"abc".to_vec(), b"defghi".to_vec()),
        (Vec::new(), b"a whole request".to_vec()),
        (Vec::new(), long()),
        (b"abc".to_vec(), Vec::new()),
    ]
}

async fn send(client: &mut TcpStream, before: &[u8], behind: &[u8]) -> Result<()> {
    client.write_all(before).await?;
    SockRef::from(&*client).send_out_of_band(b"!")?;
    client.write_all(behind).await
}

async fn copy(front: &TcpStream, back: &mut UnixStream) -> Result<u64> {
    let copied = Splice::new()?.copy(front, back).await?;
    back.close().await?;
    Ok(copied)
}

#[test]
fn what_is_behind_the_mark_comes_before_the_end() {
    on_each_driver(|| async {
        for (before, behind) in sides() {
            let (mut client, front) = tcp_pair().await?;
            let (mut back, mut server) = unix_pair().await?;
            send(&mut client, &before, &behind).await?;
            client.close().await?;
            // Let everything arrive, so that it may be one event.
            yield_times(3).await;
            let mut all = Vec::new();
            let copy = copy(&front, &mut back);
            let (copied, read) = both(copy, server.read_to_end(&mut all)).await;
            read?;
            assert_eq!(copied?, (before.len() + behind.len()) as u64);
            assert!(all == [before, behind].concat(), "{all:?}");
        }
        Ok(())
    });
}

#[test]
fn what_is_behind_the_mark_comes_though_the_stream_goes_on() {
    on_each_driver(|| async {
        for (before, behind) in sides() {
            for early in [false, true] {
                let (mut client, front) = tcp_pair().await?;
                let (mut back, mut server) = unix_pair().await?;
                if early {
                    send(&mut client, &before, &behind).await?;
                    yield_times(3).await;
                }
                let talk = async {
                    if !early {
                        yield_times(3).await; // the copy waits
                        send(&mut client, &before, &behind).await?;
                    }
                    let mut all = vec![0; before.len() + behind.len()];
                    server.read_exact(&mut all).await?;
                    client.write_all(b"and more").await?;
                    client.shutdown(Shutdown::Write)?;
                    server.read_to_end(&mut all).await?;
                    Result::Ok(all)
                };
                let (copied, all) = both(copy(&front, &mut back), talk).await;
                let all = all?;
                assert_eq!(copied?, all.len() as u64);
                assert!(
                    all == [&before[..], &behind, b"and more"].concat(),
                    "{all:?}"
                );
            }
        }
        Ok(())
    });
}

/// Of several marks only the last is one, unless they were passed in between.
#[test]
fn marks_may_come_again_and_again() {
    on_each_driver(|| async {
        let (mut client, front) = tcp_pair().await?;
        let (mut back, mut server) = unix_pair().await?;
        let talk = async {
            let mut text = [0; 4];
            for _ in 0..5 {
                send(&mut client, b"ab", b"cd").await?;
                server.read_exact(&mut text).await?;
                assert_eq!(&text, b"abcd");
            }
            client.shutdown(Shutdown::Write)
        };
        let (copied, talked) = both(copy(&front, &mut back), talk).await;
        talked?;
        assert_eq!(copied?, 20);
        Ok(())
    });
}

/// Who wants the urgent byte in line has it there.
#[test]
fn an_urgent_byte_that_is_in_line_is_copied() {
    on_each_driver(|| async {
        let (mut client, front) = tcp_pair().await?;
        let (mut back, mut server) = unix_pair().await?;
        SockRef::from(&front).set_out_of_band_inline(true)?;
        send(&mut client, b"abc", b"def").await?;
        client.close().await?;
        yield_times(3).await;
        assert_eq!(copy(&front, &mut back).await?, 7);
        let mut text = String::new();
        server.read_to_string(&mut text).await?;
        assert_eq!(text, "abc!def");
        Ok(())
    });
}
