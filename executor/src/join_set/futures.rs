//! The futures that borrow a set.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use wakeline_context::{Cause, Reason};

use super::JoinSet;
use super::entries::tell_of_panic;
use crate::task::{Id, JoinError};

/// The future of [`JoinSet::join_next`].
#[derive(Debug)]
#[must_use = "a task is only waited for when this is awaited"]
pub struct JoinNext<'a, T> {
    set: &'a mut JoinSet<T>,
    location: &'static Location<'static>,
}

impl<'a, T> JoinNext<'a, T> {
    pub(super) fn new(set: &'a mut JoinSet<T>, location: &'static Location<'static>) -> Self {
        JoinNext { set, location }
    }
}

impl<T> Future for JoinNext<'_, T> {
    type Output = Option<Result<T, JoinError>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let location = self.location;
        let ended = ready!(self.set.poll_take(cx, location));
        Poll::Ready(ended.map(|ended| ended.result))
    }
}

/// The future of [`JoinSet::join_next_with_id`].
#[derive(Debug)]
#[must_use = "a task is only waited for when this is awaited"]
pub struct JoinNextWithId<'a, T> {
    set: &'a mut JoinSet<T>,
    location: &'static Location<'static>,
}

impl<'a, T> JoinNextWithId<'a, T> {
    pub(super) fn new(set: &'a mut JoinSet<T>, location: &'static Location<'static>) -> Self {
        JoinNextWithId { set, location }
    }
}

impl<T> Future for JoinNextWithId<'_, T> {
    type Output = Option<Result<(Id, T), JoinError>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let location = self.location;
        let ended = ready!(self.set.poll_take(cx, location));
        Poll::Ready(ended.map(|ended| ended.result.map(|value| (ended.id, value))))
    }
}

/// The future of [`JoinSet::shutdown`].
#[derive(Debug)]
#[must_use = "nothing is aborted until this is awaited"]
pub struct Shutdown<'a, T> {
    set: &'a mut JoinSet<T>,
    aborted: bool,
    location: &'static Location<'static>,
}

impl<'a, T> Shutdown<'a, T> {
    pub(super) fn new(set: &'a mut JoinSet<T>, location: &'static Location<'static>) -> Self {
        Shutdown {
            set,
            aborted: false,
            location,
        }
    }
}

impl<T> Future for Shutdown<'_, T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let location = self.location;
        if !std::mem::replace(&mut self.aborted, true) {
            self.set.cancel_all(Reason::at(Cause::Aborted, location));
        }
        while let Some(ended) = ready!(self.set.poll_take(cx, location)) {
            tell_of_panic(ended.result.as_ref().err(), "was shut down");
            drop(ended);
        }
        Poll::Ready(())
    }
}
