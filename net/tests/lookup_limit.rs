//! A name that cannot be looked up for want of a descriptor is not told as unknown. Alone
//! in its process, since the limit is the process's.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs::File;
use wakeline_net::TcpStream;
use wakeline_net::testing::on_each_driver;

#[test]
fn a_lookup_without_a_descriptor_to_spare_says_what_to_do() {
    on_each_driver(|| async {
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
        let refused = TcpStream::connect("localhost:1").await.unwrap_err();
        drop(held);
        setrlimit(Resource::Nofile, before)?;

        assert_eq!(error.raw_os_error(), Some(24));
        assert_eq!(refused.kind(), error.kind());
        let refused = refused.to_string();
        assert!(refused.contains("look up localhost:1"), "{refused}");
        assert!(refused.contains("ulimit -n"), "{refused}");
        Ok(())
    });
}
