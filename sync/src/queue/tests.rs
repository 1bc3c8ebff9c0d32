//! Each nasty case once by hand-polled futures, in three files; chance against
//! something dull; and, in loom, the races.

#[cfg(not(loom))]
mod ends;
#[cfg(not(loom))]
mod jobs;
#[cfg(loom)]
mod models;
#[cfg(not(loom))]
mod random;
#[cfg(not(loom))]
mod waiting;

#[cfg(not(loom))]
use helpers::{drain, put, ready};

#[cfg(not(loom))]
mod helpers {
    use super::super::*;
    use std::task::Poll;

    #[track_caller]
    pub(super) fn put<T>(producer: &Producer<T>, values: impl IntoIterator<Item = T>) {
        for value in values {
            assert!(producer.try_send(value).is_ok(), "there is room");
        }
    }

    /// What can be received now, finished at once.
    pub(super) fn drain<T>(consumer: &Consumer<T>) -> Vec<T> {
        std::iter::from_fn(|| consumer.try_recv().ok().map(Job::into_inner)).collect()
    }

    #[track_caller]
    pub(super) fn ready<T>(poll: Poll<T>) -> T {
        match poll {
            Poll::Ready(value) => value,
            Poll::Pending => panic!("it is not ready"),
        }
    }
}
