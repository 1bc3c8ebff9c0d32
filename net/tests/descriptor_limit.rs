//! A server that runs out of descriptors pauses, and goes on when there are
//! some again. Alone in its process, since the limit is the process's.

mod exhausted;

use exhausted::Exhausted;
use std::io::Result;
use std::net;
use wakeline_net::TcpListener;
use wakeline_net::testing::{both, on_each_driver, yield_times};

#[test]
fn incoming_survives_a_lack_of_descriptors() {
    on_each_driver(|| async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let client = net::TcpStream::connect(listener.local_addr()?)?;
        let mut incoming = listener.incoming();

        let mut exhausted = Exhausted::new()?;
        let refused = TcpListener::bind("127.0.0.1:0").await.unwrap_err();
        assert!(refused.to_string().contains("ulimit -n"), "{refused}");

        let free = async {
            while exhausted.held.len() > 1 {
                yield_times(1).await;
                exhausted.held.pop();
            }
            Result::Ok(())
        };
        let (accepted, freed) = both(incoming.next(), free).await;
        drop(exhausted);
        freed?;
        let (_stream, peer) = accepted?;
        assert_eq!(peer, client.local_addr()?);
        assert!(incoming.shortages() > 0, "it has met the limit");
        Ok(())
    });
}
