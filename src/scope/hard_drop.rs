//! A scope that is dropped from outside: in a `select!`, by a `timeout`, with
//! its task.
//!
//! Nothing can be awaited here. So:
//!
//! 1. the token is cancelled, for those on other threads who listen
//! 2. children and body are dropped where they stand; tasks are aborted
//! 3. finalizers that borrow are dropped: what they borrow may end with this call. Debug
//!    mode tells of each
//! 4. the scope is closed; from now on what comes goes upward by itself
//! 5. finalizers that do not borrow, and waiting for the tasks, go upward
//! 6. the runtime is told of panics that the scope had not yet reported; a panic in
//!    2 to 5 goes on from here

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};

use wakeline_context::{Cause, Reason};
use wakeline_sync::children::{Payload, drop_caught};

use super::adopt::{Owned, adopt};
use super::driver::{Driver, Phase, Role};
use super::lane::Running;
use super::link::BODY;
use super::member::{Kind, Placed};
use super::shared::{Finalizer, News, Work};

/// What goes upward, for each child in its order.
#[derive(Default)]
struct Upward {
    lines: BTreeMap<u64, (VecDeque<Owned>, Option<&'static Location<'static>>)>,
    panics: Vec<Payload>,
}

impl Upward {
    fn keep(&mut self, running: Running, work: Owned) {
        let line = self.lines.entry(running.origin).or_default();
        line.0.push_back(work);
        line.1.get_or_insert(running.location);
    }

    fn discard<T>(&mut self, value: T) {
        self.panics.extend(drop_caught(value));
    }

    /// Foreign code may run in `f`, if only the drop of what nobody takes: a
    /// panic must not keep the rest from its end.
    fn caught(&mut self, f: impl FnOnce()) {
        self.panics.extend(catch_unwind(AssertUnwindSafe(f)).err());
    }
}

impl<F, R, E> Driver<F, R, E> {
    /// Finalizers: those that run, and those that wait for them.
    fn take_finalizers(&mut self, upward: &mut Upward) {
        for key in self.set.keys() {
            let Some(Role::Cleanup(running)) = self.roles.get(&key).copied() else {
                continue;
            };
            let Some(mut finalizer) = self.set.remove(key) else {
                continue;
            };
            if matches!(finalizer.get_mut(), Some(Kind::Owned(_))) {
                if let Some(Kind::Owned(work)) = finalizer.take() {
                    upward.keep(running, work);
                }
            } else {
                self.core.tell_dropped(running.location);
                upward.discard(finalizer);
            }
        }
        for (_origin, line) in self.lines.take() {
            for finalizer in line {
                self.sort(finalizer, upward);
            }
        }
    }

    fn sort(&self, finalizer: Finalizer<F>, upward: &mut Upward) {
        let Finalizer {
            origin,
            location,
            shield,
            work,
        } = finalizer;
        match work {
            Work::Borrowed(work) => {
                self.core.tell_dropped(location);
                upward.discard(Placed::new(work, self.place(origin)));
            }
            Work::Owned(work) => {
                let running = Running {
                    origin,
                    location,
                    shield,
                };
                upward.keep(running, work);
            }
        }
    }

    fn sort_news(&self, news: News<F, E>, upward: &mut Upward) {
        for arrival in news.arrivals {
            upward.discard(Placed::new(arrival.kind, self.place(arrival.id)));
        }
        for finalizer in news.finalizers {
            self.sort(finalizer, upward);
        }
    }

    fn hard_drop(&mut self) -> Vec<Payload> {
        self.phase = Phase::Done;
        let link = self.core.link.clone();
        let mut upward = Upward::default();
        upward.caught(|| {
            _ = link
                .token()
                .cancel(Reason::at(Cause::Dropped, link.location))
        });
        self.take_finalizers(&mut upward);
        let alive = std::mem::take(&mut self.alive);
        let body = alive.get(&BODY).copied();
        let children = alive.into_iter().filter(|&(id, _)| id != BODY);
        for key in children.map(|(_, key)| key).chain(body) {
            upward.discard(self.set.remove(key));
        }
        if let Some(body) = self.body.take() {
            upward.discard(Placed::new(body, self.place(BODY)));
        }
        // What is dropped may drop guards, and those more of them.
        while self.core.has_arrivals_or_finalizers() {
            let news = self.core.take_news();
            self.sort_news(news, &mut upward);
        }
        let news = self.core.close();
        self.sort_news(news, &mut upward);
        for orphan in link.orphans.close() {
            upward.caught(|| adopt(&link, orphan));
        }
        for (works, location) in std::mem::take(&mut upward.lines).into_values() {
            let location = location.unwrap_or(link.location);
            upward.caught(|| self.core.adopt(works, location));
        }
        upward.panics
    }
}

impl<F, R, E> Drop for Driver<F, R, E> {
    fn drop(&mut self) {
        if self.phase == Phase::Done {
            return;
        }
        let mut panics = self.hard_drop().into_iter();
        // Where the thread panics already it would end the process.
        let first = match std::thread::panicking() {
            true => None,
            false => panics.next(),
        };
        for rest in panics {
            self.story.panicked(rest);
        }
        let why = "was dropped before it could report it";
        self.story.tell_runtime(self.location, why);
        if let Some(first) = first {
            resume_unwind(first);
        }
    }
}
