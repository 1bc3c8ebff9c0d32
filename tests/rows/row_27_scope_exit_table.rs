//! What a scope returns when several things happen in one turn: all of it.
//!
//! Body, children, the scope's own deadline, a cancel from outside and one from
//! inside all meet in one poll; every combination is driven through a real
//! scope, and the rules are told here once more, in other words.

use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use wakeline::cancel::Cause;
use wakeline::sync::Event;
use wakeline::{CancelToken, FutureExt, OnPanic, ScopeError, scope, time};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    Pending,
    Ok,
    Err,
    Panic,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Child {
    None,
    Pending,
    Ok,
    Err,
    Panic,
}

#[derive(Clone, Copy, Debug)]
struct Case {
    body: Body,
    child: Child,
    own_deadline: bool,
    outer: bool,
    own_cancel: bool,
    collect: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Pending,
    Value,
    /// The errors, and how many panics.
    Failed(Vec<&'static str>, usize),
    Cancelled(&'static str),
    Elapsed,
    Panicked(&'static str),
}

fn expected(case: Case) -> Outcome {
    let cancelled = case.own_deadline || case.outer || case.own_cancel;
    let panics: Vec<_> = [
        (case.body == Body::Panic).then_some("body panics"),
        (case.child == Child::Panic).then_some("child panics"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let errors: Vec<_> = [
        (case.body == Body::Err).then_some("body"),
        (case.child == Child::Err).then_some("child"),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !panics.is_empty() && !case.collect {
        return Outcome::Panicked(panics[0]);
    }
    if !panics.is_empty() || !errors.is_empty() {
        return Outcome::Failed(errors, panics.len());
    }
    if case.body == Body::Ok {
        let waits = case.child == Child::Pending && !cancelled;
        return if waits {
            Outcome::Pending
        } else {
            Outcome::Value
        };
    }
    if case.outer {
        Outcome::Cancelled("outer")
    } else if case.own_deadline {
        Outcome::Elapsed
    } else if case.own_cancel {
        Outcome::Cancelled("inner")
    } else {
        Outcome::Pending
    }
}

fn cases() -> impl Iterator<Item = Case> {
    let bodies = [Body::Pending, Body::Ok, Body::Err, Body::Panic];
    let children = [
        Child::None,
        Child::Pending,
        Child::Ok,
        Child::Err,
        Child::Panic,
    ];
    bodies.into_iter().flat_map(move |body| {
        children.into_iter().flat_map(move |child| {
            (0..16_u32).map(move |bits| Case {
                body,
                child,
                own_deadline: bits & 1 != 0,
                outer: bits & 2 != 0,
                own_cancel: bits & 4 != 0,
                collect: bits & 8 != 0,
            })
        })
    })
}

/// The turn in which everything happens: nothing does before `go`.
fn drive(case: Case) -> Outcome {
    let go = Arc::new(Event::new());
    let outer = CancelToken::new();
    let (body_go, child_go) = (Arc::clone(&go), Arc::clone(&go));
    let mut handle = None;
    let work = scope(|s| {
        handle = Some(s.clone());
        async move {
            if case.child != Child::None {
                s.spawn(async move {
                    child_go.wait().await;
                    match case.child {
                        Child::None | Child::Pending => pending().await,
                        Child::Ok => Ok(()),
                        Child::Err => Err("child"),
                        Child::Panic => panic!("child panics"),
                    }
                });
            }
            body_go.wait().await;
            match case.body {
                Body::Pending => pending().await,
                Body::Ok => Ok(()),
                Body::Err => Err("body"),
                Body::Panic => panic!("body panics"),
            }
        }
    })
    .on_panic(if case.collect {
        OnPanic::Collect
    } else {
        OnPanic::Resume
    });
    let handle = handle.expect("the closure has run");
    let mut work = pin!(work.with_token(outer.clone()));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(work.as_mut().poll(&mut cx).is_pending(), "{case:?}");
    go.set();
    if case.outer {
        outer.cancel("outer");
    }
    if case.own_deadline {
        handle.set_deadline(Some(time::now()));
    }
    if case.own_cancel {
        handle.cancel("inner");
    }
    let polled = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(&mut cx)));
    match polled {
        Ok(Poll::Pending) => Outcome::Pending,
        Ok(Poll::Ready(Ok(()))) => Outcome::Value,
        Ok(Poll::Ready(Err(ScopeError::Elapsed(_)))) => Outcome::Elapsed,
        Ok(Poll::Ready(Err(ScopeError::Cancelled(reason)))) => {
            Outcome::Cancelled(match reason.text() {
                "outer" => "outer",
                "inner" => "inner",
                other => panic!("{case:?}: {other} ({:?})", reason.cause()),
            })
        }
        Ok(Poll::Ready(Err(ScopeError::Failed(errors)))) => {
            assert!(
                errors
                    .reason()
                    .is_none_or(|why| why.cause() != Cause::Sibling)
            );
            let panics = errors.panics().len();
            Outcome::Failed(errors.into_iter().collect(), panics)
        }
        Err(payload) => Outcome::Panicked(payload.downcast_ref::<&str>().expect("text")),
    }
}

#[test]
fn every_combination_in_one_turn_has_the_outcome_that_the_rules_say() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for case in cases() {
        let (expected, outcome) = (expected(case), drive(case));
        if expected != outcome {
            wrong.push(format!("{case:?}: {outcome:?}, and not {expected:?}"));
        }
        count += 1;
    }
    assert_eq!(count, 4 * 5 * 16);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
