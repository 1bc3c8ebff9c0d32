//! A name that cannot be looked up for want of a descriptor is not told as unknown. Alone
//! in its process, since the limit is the process's.

mod exhausted;

use exhausted::Exhausted;
use std::io::Error;
use wakeline_net::TcpStream;
use wakeline_net::testing::on_each_driver;

#[test]
fn a_lookup_without_a_descriptor_to_spare_says_what_to_do() {
    on_each_driver(|| async {
        let exhausted = Exhausted::new()?;
        let refused = TcpStream::connect("localhost:1").await.unwrap_err();
        drop(exhausted);

        assert_eq!(refused.kind(), Error::from_raw_os_error(24).kind());
        let refused = refused.to_string();
        assert!(refused.contains("look up localhost:1"), "{refused}");
        assert!(refused.contains("ulimit -n"), "{refused}");
        Ok(())
    });
}
