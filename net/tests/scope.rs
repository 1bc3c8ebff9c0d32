//! An IPv6 address that holds on one link names its interface.

use std::net::{Ipv6Addr, SocketAddr};
use wakeline_net::testing::on_each_driver;
use wakeline_net::{TcpStream, lookup_host};

#[test]
fn an_interface_behind_an_address_is_understood_in_either_form() {
    let link_local: Ipv6Addr = "fe80::1".parse().unwrap();
    on_each_driver(|| async {
        let text: Vec<SocketAddr> = lookup_host("[fe80::1%lo]:80").await?.collect();
        let pair: Vec<SocketAddr> = lookup_host(("fe80::1%lo", 80)).await?.collect();
        assert_eq!(text, pair);
        let [SocketAddr::V6(addr)] = text[..] else {
            panic!("{text:?}");
        };
        assert_eq!((*addr.ip(), addr.port()), (link_local, 80));
        assert_ne!(addr.scope_id(), 0, "the number of the interface");
        let error = lookup_host("[fe80::1%of nobody]:80").await.unwrap_err();
        let named = error.to_string().contains("[fe80::1%of nobody]:80");
        assert!(named, "{error}");
        Ok(())
    });
}

#[test]
fn without_it_the_error_says_what_is_missing() {
    on_each_driver(|| async {
        let error = TcpStream::connect("[fe80::1]:1").await.unwrap_err();
        // A machine without IPv6 says so instead.
        if error.kind() == std::io::ErrorKind::InvalidInput {
            let text = error.to_string();
            assert!(text.contains("[fe80::1%eth0]"), "{text}");
        }
        Ok(())
    });
}
