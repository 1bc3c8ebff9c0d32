//! Sockets on the reactor.
