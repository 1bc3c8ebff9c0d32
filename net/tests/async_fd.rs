//! Foreign descriptors: what can be watched, what is refused, and that no event
//! is lost between a wait and a late try.

use rustix::event::{EventfdFlags, eventfd};
use std::fs::File;
use std::io::{ErrorKind, Read, Result, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::pin::pin;
use wakeline_net::io::{AsyncFd, Interest};
use wakeline_net::testing::{both, on_each_driver, poll_now, yield_times};

fn counter() -> Result<OwnedFd> {
    Ok(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?)
}

fn take(fd: &OwnedFd) -> Result<u64> {
    let mut count = [0; 8];
    rustix::io::read(fd, &mut count)?;
    Ok(u64::from_ne_bytes(count))
}

#[test]
fn an_eventfd_is_waited_for_and_taken() {
    on_each_driver(|| async {
        let fd = AsyncFd::new(counter()?)?;
        let wait = fd.async_io(Interest::READABLE, take);
        let add = async {
            yield_times(3).await;
            rustix::io::write(fd.get_ref(), &3_u64.to_ne_bytes())
        };
        let (count, added) = both(wait, add).await;
        added?;
        assert_eq!(count?, 3);
        let error = fd.try_io(Interest::READABLE, take).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        Ok(())
    });
}

/// The event between a try and `clear_ready` is the one that would be lost.
#[test]
fn an_event_after_the_guard_was_made_is_not_cleared() {
    on_each_driver(|| async {
        let fd = AsyncFd::new(counter()?)?;
        rustix::io::write(fd.get_ref(), &1_u64.to_ne_bytes())?;
        let mut guard = fd.readable().await?;
        assert_eq!(take(fd.get_ref())?, 1); // behind the guard's back
        rustix::io::write(fd.get_ref(), &1_u64.to_ne_bytes())?;
        yield_times(3).await; // the event is delivered
        guard.clear_ready();
        let _ = fd.readable().await?; // hangs if it was cleared
        Ok(())
    });
}

#[test]
fn a_try_that_would_block_makes_the_next_wait_wait() {
    on_each_driver(|| async {
        let fd = AsyncFd::new(counter()?)?;
        rustix::io::write(fd.get_ref(), &1_u64.to_ne_bytes())?;
        let mut guard = fd.readable().await?;
        assert_eq!(guard.try_io(|fd| take(fd.get_ref())).unwrap()?, 1);
        assert!(guard.try_io(|fd| take(fd.get_ref())).is_err());
        let mut wait = pin!(fd.readable());
        assert!(poll_now(wait.as_mut()).is_pending());
        Ok(())
    });
}

#[test]
fn the_two_directions_are_waited_for_apart() {
    on_each_driver(|| async {
        let (here, mut there) = UnixStream::pair()?;
        here.set_nonblocking(true)?;
        let here = AsyncFd::with_interest(here, Interest::READABLE | Interest::WRITABLE)?;
        let _ = here.writable().await?;
        {
            let mut wait = pin!(here.readable());
            assert!(poll_now(wait.as_mut()).is_pending());
        }
        there.write_all(b"x")?;
        let _ = here.readable().await?;
        let mut stream = here.into_inner();
        assert_eq!(stream.read(&mut [0; 8])?, 1);
        Ok(())
    });
}

#[test]
fn what_is_not_among_the_interests_is_an_error() {
    on_each_driver(|| async {
        let fd = AsyncFd::with_interest(counter()?, Interest::READABLE)?;
        let error = fd.writable().await.unwrap_err();
        assert!(error.to_string().contains("with_interest"), "{error}");
        let error = fd.async_io(Interest::BOTH, take).await.unwrap_err();
        assert!(error.to_string().contains("one direction"), "{error}");
        Ok(())
    });
}

#[test]
fn what_cannot_be_polled_is_refused_with_advice() -> Result<()> {
    for path in ["/proc/self/exe", "/proc/self", "/dev/null"] {
        let error = AsyncFd::new(File::open(path)?).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{path}");
        assert!(error.to_string().contains("fs::File"), "{error}");
    }
    Ok(())
}

/// `T` gets rid of its descriptor by itself: the wait sees the peer's end all
/// the same, and the call after it says what it finds.
#[test]
fn a_wait_outlives_the_descriptor_it_was_made_from() {
    on_each_driver(|| async {
        let (here, there) = UnixStream::pair()?;
        here.set_nonblocking(true)?;
        let mut here = AsyncFd::new(OwnedFd::from(here))?;
        let null = File::open("/dev/null")?;
        rustix::io::dup2(&null, here.get_mut())?; // closes the socket's number
        let leaves = async {
            yield_times(3).await;
            drop(there);
        };
        let (guard, ()) = both(here.readable(), leaves).await;
        let _ = guard?;
        Ok(())
    });
}
