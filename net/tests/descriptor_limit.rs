//! A server that runs out of descriptors pauses, and goes on when there are
//! some again. Alone in its process, since the limit is the process's.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs::File;
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

        // Nobody may open another one from here on.
        let before = getrlimit(Resource::Nofile);
        let limit = Rlimit {
            current: Some(64),
            maximum: before.maximum,
        };
        setrlimit(Resource::Nofile, limit)?;
        let mut held = Vec::new();
        let error = loop {
            match File::open("/dev/null") {
                Ok(file) => held.push(file),
                Err(error) => break error,
            }
        };
        assert_eq!(error.raw_os_error(), Some(24));
        let refused = TcpListener::bind("127.0.0.1:0").await.unwrap_err();
        assert!(refused.to_string().contains("ulimit -n"), "{refused}");

        let free = async {
            while held.len() > 1 {
                yield_times(1).await;
                held.pop();
            }
            Result::Ok(())
        };
        let (accepted, freed) = both(incoming.next(), free).await;
        setrlimit(Resource::Nofile, before)?;
        freed?;
        let (_stream, peer) = accepted?;
        assert_eq!(peer, client.local_addr()?);
        assert!(incoming.shortages() > 0, "it has met the limit");
        Ok(())
    });
}
