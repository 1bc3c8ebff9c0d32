//! Options of a UDP socket: what it may send to, how far, and which groups it
//! hears.

use super::UdpSocket;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Options. Every one may fail with the kernel's error.
macro_rules! options {
    ($($(#[$doc:meta])* $set:ident, $get:ident: $type:ty = $set_inner:ident, $get_inner:ident;)*) => {
        impl UdpSocket {$(
            $(#[$doc])*
            ///
            /// # Errors
            ///
            /// The kernel's.
            pub fn $set(&self, value: $type) -> io::Result<()> {
                self.options().$set_inner(value)
            }

            #[doc = concat!("What [`", stringify!($set), "`](UdpSocket::", stringify!($set), ") set, or the default.")]
            ///
            /// # Errors
            ///
            /// The kernel's.
            pub fn $get(&self) -> io::Result<$type> {
                self.options().$get_inner()
            }
        )*}
    };
}

options! {
    /// Allows sending to a broadcast address.
    set_broadcast, broadcast: bool = set_broadcast, broadcast;
    /// The time to live of what is sent over IPv4, in hops.
    set_ttl, ttl: u32 = set_ttl_v4, ttl_v4;
    /// Whether what is sent to an IPv4 group also comes back to this machine.
    set_multicast_loop_v4, multicast_loop_v4: bool = set_multicast_loop_v4, multicast_loop_v4;
    /// Whether what is sent to an IPv6 group also comes back to this machine.
    set_multicast_loop_v6, multicast_loop_v6: bool = set_multicast_loop_v6, multicast_loop_v6;
    /// How many hops away what is sent to an IPv4 group may go; 1 at first.
    set_multicast_ttl_v4, multicast_ttl_v4: u32 = set_multicast_ttl_v4, multicast_ttl_v4;
}

impl UdpSocket {
    /// Receives what is sent to `group`, on the interface with this address;
    /// `0.0.0.0` lets the system choose.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn join_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.options().join_multicast_v4(&group, &interface)
    }

    /// Receives what is sent to `group`, on the interface with this index; 0
    /// lets the system choose.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn join_multicast_v6(&self, group: Ipv6Addr, interface: u32) -> io::Result<()> {
        self.options().join_multicast_v6(&group, interface)
    }

    /// Undoes [`join_multicast_v4`](UdpSocket::join_multicast_v4).
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn leave_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.options().leave_multicast_v4(&group, &interface)
    }

    /// Undoes [`join_multicast_v6`](UdpSocket::join_multicast_v6).
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn leave_multicast_v6(&self, group: Ipv6Addr, interface: u32) -> io::Result<()> {
        self.options().leave_multicast_v6(&group, interface)
    }

    /// Sends to IPv4 groups by the interface with this address.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn set_multicast_if_v4(&self, interface: Ipv4Addr) -> io::Result<()> {
        self.options().set_multicast_if_v4(&interface)
    }
}
