//! Datagrams: whole, with their sender, to one or to a group.

use std::io::{ErrorKind, Result};
use std::net::{Ipv4Addr, SocketAddr};
use wakeline_net::UdpSocket;
use wakeline_net::testing::{both, on_each_driver};

async fn pair() -> Result<(UdpSocket, UdpSocket)> {
    Ok((
        UdpSocket::bind("127.0.0.1:0").await?,
        UdpSocket::bind("127.0.0.1:0").await?,
    ))
}

#[test]
fn many_datagrams_that_came_as_one_event_are_all_received() {
    on_each_driver(|| async {
        let (a, b) = pair().await?;
        let mut buf = [0; 64];
        for round in 0..3_u8 {
            for i in 0..10 {
                a.send_to(&[round, i], b.local_addr()?).await?;
            }
            for i in 0..10 {
                let (n, from) = b.recv_from(&mut buf).await?;
                assert_eq!((&buf[..n], from), (&[round, i][..], a.local_addr()?));
            }
        }
        Ok(())
    });
}

#[test]
fn a_peek_leaves_the_datagram_and_a_small_buffer_cuts_it() {
    on_each_driver(|| async {
        let (a, b) = pair().await?;
        a.connect(b.local_addr()?).await?;
        b.connect(a.local_addr()?).await?;
        a.send(b"datagram").await?;
        a.send(b"").await?;
        a.send(b"last").await?;
        let mut buf = [0; 4];
        assert_eq!(b.peek(&mut buf).await?, 4);
        assert_eq!(b.peek_from(&mut buf).await?, (4, a.local_addr()?));
        assert_eq!(b.recv(&mut buf).await?, 4);
        assert_eq!(&buf, b"data", "the rest of it is gone");
        assert_eq!(b.recv(&mut buf).await?, 0, "an empty datagram, and no end");
        assert_eq!(b.recv(&mut buf).await?, 4);
        Ok(())
    });
}

#[test]
fn a_refusal_is_told_once_and_the_socket_goes_on() {
    on_each_driver(|| async {
        let a = UdpSocket::bind("127.0.0.1:0").await?;
        // Of an address of its own, where nobody else gets the port meanwhile.
        let b = UdpSocket::bind("127.0.0.2:0").await?;
        let gone = b.local_addr()?;
        drop(b);
        // Its descriptor may be closed only in the next turn.
        wakeline_net::testing::yield_times(3).await;
        a.connect(gone).await?;
        a.send(b"anyone?").await?;
        let mut buf = [0; 8];
        let error = a.recv(&mut buf).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        // Now nothing is there: this must wait, and get what comes.
        let answer = async {
            let b = UdpSocket::bind(gone).await?;
            b.send_to(b"here", a.local_addr()?).await
        };
        let (got, sent) = both(a.recv(&mut buf), answer).await;
        sent?;
        assert_eq!(got?, 4);
        Ok(())
    });
}

#[test]
fn what_is_sent_to_a_group_comes_to_its_members() {
    on_each_driver(|| async {
        let group = Ipv4Addr::new(224, 0, 0, 251);
        let member = UdpSocket::bind("0.0.0.0:0").await?;
        let sender = UdpSocket::bind("127.0.0.1:0").await?;
        if let Err(error) = member.join_multicast_v4(group, Ipv4Addr::LOCALHOST) {
            eprintln!("not tested: this machine joins no group on loopback: {error}");
            return Ok(());
        }
        sender.set_multicast_if_v4(Ipv4Addr::LOCALHOST)?;
        sender.set_multicast_loop_v4(true)?;
        sender.set_multicast_ttl_v4(0)?;
        let to = SocketAddr::from((group, member.local_addr()?.port()));
        sender.send_to(b"all", to).await?;
        let mut buf = [0; 8];
        let (n, from) = member.recv_from(&mut buf).await?;
        assert_eq!((n, from), (3, sender.local_addr()?));
        member.leave_multicast_v4(group, Ipv4Addr::LOCALHOST)?;
        Ok(())
    });
}

#[test]
fn a_socket_of_std_comes_and_goes() {
    on_each_driver(|| async {
        let std = std::net::UdpSocket::bind("127.0.0.1:0")?;
        let socket = UdpSocket::from_std(std)?;
        let addr = socket.local_addr()?;
        socket.send_to(b"x", addr).await?;
        assert_eq!(socket.recv(&mut [0; 8]).await?, 1);
        let std = socket.into_std()?;
        std.send_to(b"y", addr)?;
        let (n, _) = std.recv_from(&mut [0; 8])?;
        assert_eq!(n, 1, "it blocks again");
        Ok(())
    });
}

#[test]
fn of_several_addresses_one_is_taken_that_the_socket_can_send_to() {
    on_each_driver(|| async {
        let (a, b) = pair().await?;
        let to = b.local_addr()?;
        // As a name may have them, the IPv6 one first.
        let both_families = [SocketAddr::from(([0_u16; 8], to.port())), to];
        assert_eq!(a.send_to(b"hello", &both_families).await?, 5);
        let mut buf = [0; 8];
        assert_eq!(b.recv_from(&mut buf).await?, (5, a.local_addr()?));
        let other = &both_families[..1];
        let error = a.send_to(b"hello", other).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(97), "no such address family");
        Ok(())
    });
}
