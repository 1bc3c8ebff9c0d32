//! What goes in comes out: the same bytes, in order, over many connections.

use std::io;
use std::net::Shutdown;
use wakeline_net::io::{AsyncReadExt, AsyncWriteExt, copy};
use wakeline_net::testing::{both, on_each_driver};
use wakeline_net::{TcpListener, TcpStream, UnixStream};

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 31 + i / 251) as u8).collect()
}

async fn talk<S>(mut reader: S, mut writer: S, data: &[u8]) -> io::Result<()>
where
    S: wakeline_net::io::AsyncRead + wakeline_net::io::AsyncWrite + Unpin,
{
    let send = async {
        writer.write_all(data).await?;
        writer.close().await
    };
    let mut back = Vec::new();
    let (sent, received) = both(send, reader.read_to_end(&mut back)).await;
    sent?;
    assert_eq!(received?, data.len());
    assert!(back == data, "the bytes came back changed");
    Ok(())
}

#[test]
fn a_megabyte_comes_back_over_tcp() {
    on_each_driver(|| async {
        let data = pattern(1 << 20);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        let server = async {
            let (stream, _) = listener.accept().await?;
            let copied = copy(&stream, &stream).await?;
            stream.shutdown(Shutdown::Write)?;
            io::Result::Ok(copied)
        };
        let client = async {
            let stream = TcpStream::connect(addr).await?;
            talk(&stream, &stream, &data).await
        };
        let (copied, talked) = both(server, client).await;
        assert_eq!(copied?, 1 << 20);
        talked
    });
}

#[test]
fn a_megabyte_comes_back_over_a_unix_pair() {
    on_each_driver(|| async {
        let data = pattern(1 << 20);
        let (here, there) = UnixStream::pair()?;
        let server = async {
            copy(&there, &there).await?;
            there.shutdown(Shutdown::Write)
        };
        let (served, talked) = both(server, talk(&here, &here, &data)).await;
        served?;
        talked
    });
}

#[test]
fn a_hundred_connections_are_served_one_after_the_other() {
    on_each_driver(|| async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        for i in 0..100_u8 {
            let (client, accepted) = both(TcpStream::connect(addr), listener.accept()).await;
            let (client, (server, _)) = (client?, accepted?);
            client.write(&[i]).await?;
            let got = server.read_pooled().await?;
            server.write(&got).await?;
            let mut back = [0; 4];
            assert_eq!(client.read(&mut back).await?, 1);
            assert_eq!(back[0], i);
        }
        Ok(())
    });
}

#[test]
fn pooled_reads_grow_and_keep_the_bytes_in_order() {
    on_each_driver(|| async {
        let data = pattern(600_000);
        let (here, there) = wakeline_net::testing::tcp_pair().await?;
        let mut back = Vec::new();
        let mut largest = 0;
        let receive = async {
            loop {
                let buf = here.read_pooled().await?;
                if buf.is_empty() {
                    return io::Result::Ok(());
                }
                largest = largest.max(buf.len());
                back.extend_from_slice(&buf);
            }
        };
        let send = async {
            let mut there = there;
            there.write_all(&data).await?;
            there.close().await
        };
        let (received, sent) = both(receive, send).await;
        received?;
        sent?;
        assert!(back == data);
        assert!(
            largest > 4096,
            "reads that fill their buffer get a larger one"
        );
        Ok(())
    });
}
