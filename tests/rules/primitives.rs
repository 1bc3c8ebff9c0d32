//! The table: every awaitable of ours, and which rules speak of it.

use crate::world::World;
use std::future::Future;
use std::pin::Pin;

mod channels;
mod io;
mod locks;
mod tasks;
mod timing;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Rule {
    Lazy,
    NoTrace,
    CompletionWins,
    HandedOn,
    Fifo,
    ForeignWakers,
    LatestWaker,
    Budget,
    Panics,
    Arithmetic,
}

pub(crate) const RULES: [Rule; 10] = [
    Rule::Lazy,
    Rule::NoTrace,
    Rule::CompletionWins,
    Rule::HandedOn,
    Rule::Fifo,
    Rule::ForeignWakers,
    Rule::LatestWaker,
    Rule::Budget,
    Rule::Panics,
    Rule::Arithmetic,
];

/// Whom a grant is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One of those who wait: the first.
    One,
    /// All who wait.
    All,
    /// The only one who can wait: `&mut self`.
    Only,
}

pub(crate) type Build = fn() -> Pin<Box<dyn Future<Output = World>>>;

pub(crate) struct Primitive {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) build: Build,
    /// Rules that do not apply to it alone, and why.
    skips: &'static [(Rule, &'static str)],
}

/// What stands in the cell of a primitive and a rule.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    Tested,
    /// The rule does not speak of it, because...
    Void(&'static str),
}

/// Those of which no task can have ten thousand without waiting.
const NEVER_SPINS: [(&str, &str); 4] = [
    (
        "Condvar::wait",
        "it always waits: a notification counts only from then on",
    ),
    (
        "spawn_blocking",
        "the handle is that of `JoinHandle`, the job a thread's",
    ),
    (
        "TcpListener::accept",
        "each needs a connection from outside; its leaf is that of `read`",
    ),
    (
        "UdpSocket::recv",
        "the kernel keeps too few datagrams; its leaf is that of `read`",
    ),
];

impl Primitive {
    /// Whether the driver or a worker calls the waker, and not who grants: then
    /// nothing is there yet when the grant returns.
    pub(crate) fn wakes_elsewhere(&self) -> bool {
        const ELSEWHERE: [&str; 13] = [
            "time::sleep",
            "time::sleep_until",
            "time::timeout",
            "Interval::tick",
            "RateLimiter::acquire",
            "TcpStream::read",
            "TcpListener::accept",
            "UdpSocket::recv",
            "JoinHandle",
            "JoinSet::join_next",
            "spawn_blocking",
            "scope and its child",
            "Pool::acquire",
        ];
        ELSEWHERE.contains(&self.name)
    }

    pub(crate) fn cell(&self, rule: Rule) -> Cell {
        if let Some((_, why)) = self.skips.iter().find(|(which, _)| *which == rule) {
            return Cell::Void(why);
        }
        match (rule, self.shape) {
            (Rule::HandedOn, Shape::All) => {
                Cell::Void("a grant is for all who wait: nobody lacks it when one goes")
            }
            (Rule::Fifo, Shape::All) => Cell::Void("all go at once: there is no order"),
            (Rule::Fifo, Shape::Only) => Cell::Void("`&mut self`: only one can wait"),
            (Rule::Budget, _) => match NEVER_SPINS.iter().find(|(name, _)| *name == self.name) {
                Some((_, why)) => Cell::Void(why),
                None => Cell::Tested,
            },
            (Rule::Arithmetic, _) if !crate::g10_arithmetic::takes_time(self.name) => {
                Cell::Void("it takes no duration and no instant")
            }
            _ => Cell::Tested,
        }
    }
}

/// A row: name, whom a grant is for, how to build it, and the rules it is not
/// tested by, with the reason.
macro_rules! row {
    ($name:literal, $shape:ident, $build:expr $(, $rule:ident: $why:literal)* $(,)?) => {
        crate::primitives::Primitive {
            name: $name,
            shape: crate::primitives::Shape::$shape,
            build: || Box::pin($build),
            skips: &[$((crate::primitives::Rule::$rule, $why)),*],
        }
    };
}
use row;

pub(crate) fn all() -> Vec<Primitive> {
    let mut all = timing::rows();
    all.extend(locks::rows());
    all.extend(channels::rows());
    all.extend(tasks::rows());
    all.extend(io::rows());
    all
}
