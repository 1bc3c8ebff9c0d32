//! `select!`: the first of a known number of futures.
//!
//! ```text
//!             ┌──────── pending ────────┐
//!             ▼                         │
//!   ──1──▶ waits ──2──▶ polls, beginning with a drawn branch ──3──▶ winner ──5──▶ handler
//!                               │
//!                               └──4──▶ all are disabled ──5──▶ else
//! ```
//! 1 conditions and futures are evaluated, in the order as written
//! 2 the task is polled and has budget left
//! 3 a future is ready and its output matches the branch's pattern
//! 4 no branch is left: each had a false condition or an output without a match
//! 5 every future is dropped; what they borrowed may be used by the handler
//!
//! # How a pattern is tried without taking the output apart
//!
//! The output must leave the polling code whole, as the names that the pattern
//! binds belong to the handler, which runs elsewhere. A reference to it does
//! not match the pattern as the user wrote it (`mut`, `ref`). But a `match` arm
//! moves only once its guard has said yes:
//!
//! ```text
//!   match output { PATTERN if { matches = true; false } => unreachable!(), _ => {} }
//! ```
//!
//! A guard that takes a note and says no tries any pattern, and leaves `output`
//! where it is.

/// Waits for the first of several futures and runs its handler; the other
/// futures are dropped before that.
///
/// ```text
/// select! {
///     biased;                                  // optional
///     <pattern> = <future> => <handler>,
///     <pattern> = <future>, if <condition> => <handler>,
///     else => <expression>                     // optional
/// }
/// ```
///
/// 1. Conditions, then futures are evaluated, in the order as written; also the
///    futures of branches whose condition is false, but those are never polled.
/// 2. The futures are polled, beginning with one that is drawn, so that no
///    branch starves when several are always ready. With `biased;` each poll
///    begins with the first.
/// 3. The first one that is ready, and whose output matches its pattern, wins.
///    One whose output does not match is disabled: it is not polled again.
/// 4. All futures are dropped, and the winner's handler runs. It may use what
///    the futures had borrowed, and `?`, `break`, `return` and `.await`.
/// 5. When all branches are disabled, `else` runs.
///
/// All handlers have the same type, which is that of the whole. At most 64
/// branches.
///
/// In a loop, pass `&mut future` for one that should go on from round to round;
/// what is made anew in each round loses its progress when it loses. So use
/// operations there whose `# Cancellation` says that a drop loses nothing.
///
/// # Panics
///
/// If all branches are disabled and there is no `else`.
///
/// # Cancellation
///
/// It awaits in place: if the surrounding future is dropped, so are all
/// branches.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use wakeline::sync::oneshot;
/// use wakeline::time::sleep;
///
/// wakeline::block_on(async {
///     let (tx, mut rx) = oneshot::channel();
///     tx.send("hello").unwrap();
///     let mut limit = sleep(Duration::from_secs(60));
///     let word = wakeline::select! {
///         Ok(word) = &mut rx => word,
///         _ = &mut limit => "nothing in a minute",
///         else => "nobody will say anything",
///     };
///     assert_eq!(word, "hello");
/// });
/// ```
#[macro_export]
macro_rules! select {
    () => {
        ::core::compile_error!("`select!` needs a branch: `pattern = future => handler`")
    };
    (biased; $($branches:tt)*) => {
        $crate::__select!(@parse biased () () {} $($branches)*)
    };
    ($($branches:tt)*) => {
        $crate::__select!(@parse drawn () () {} $($branches)*)
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __select {
    // Branch by branch. Collected for each: its number as a sum, the path to its
    // place, and the four parts.
    (@parse $order:ident $n:tt $path:tt { $($done:tt)+ } $(,)?) => {
        $crate::__select!(@emit $order $n { $($done)+ }
            { $crate::future::__support::all_disabled() })
    };
    (@parse $order:ident $n:tt $path:tt { $($done:tt)+ } else => $else:expr $(,)?) => {
        $crate::__select!(@emit $order $n { $($done)+ } { $else })
    };
    (@parse $order:ident $n:tt $path:tt {} else => $else:expr $(,)?) => {
        ::core::compile_error!("`select!` needs a branch besides `else`")
    };
    // One step of recursion for each branch: a caller's limit is 128 by default.
    (@parse $order:ident ($($n:tt)*) ($($path:tt)*) { $($done:tt)* }
        $pat:pat = $future:expr, if $if:expr => $handler:block, $($rest:tt)*) => {
        $crate::__select!(@parse $order ($($n)* + 1) ($($path)* . 1) {
            $($done)* [($($n)*) ($($path)* . 0) ($pat) ($future) ($if) ($handler)]
        } $($rest)*)
    };
    (@parse $order:ident ($($n:tt)*) ($($path:tt)*) { $($done:tt)* }
        $pat:pat = $future:expr => $handler:block, $($rest:tt)*) => {
        $crate::__select!(@parse $order ($($n)* + 1) ($($path)* . 1) {
            $($done)* [($($n)*) ($($path)* . 0) ($pat) ($future) (true) ($handler)]
        } $($rest)*)
    };
    (@parse $order:ident ($($n:tt)*) ($($path:tt)*) { $($done:tt)* }
        $pat:pat = $future:expr, if $if:expr => $handler:block $($rest:tt)*) => {
        $crate::__select!(@parse $order ($($n)* + 1) ($($path)* . 1) {
            $($done)* [($($n)*) ($($path)* . 0) ($pat) ($future) ($if) ($handler)]
        } $($rest)*)
    };
    (@parse $order:ident ($($n:tt)*) ($($path:tt)*) { $($done:tt)* }
        $pat:pat = $future:expr => $handler:block $($rest:tt)*) => {
        $crate::__select!(@parse $order ($($n)* + 1) ($($path)* . 1) {
            $($done)* [($($n)*) ($($path)* . 0) ($pat) ($future) (true) ($handler)]
        } $($rest)*)
    };
    (@parse $order:ident ($($n:tt)*) ($($path:tt)*) { $($done:tt)* }
        $pat:pat = $future:expr, if $if:expr => $handler:expr) => {
        $crate::__select!(@parse $order ($($n)* + 1) ($($path)* . 1) {
            $($done)* [($($n)*) ($($path)* . 0) ($pat) ($future) ($if) ($handler)]
        })
    };
    (@parse $order:ident ($($n:tt)*) ($($path:tt)*) { $($done:tt)* }
        $pat:pat = $future:expr => $handler:expr) => {
        $crate::__select!(@parse $order ($($n)* + 1) ($($path)* . 1) {
            $($done)* [($($n)*) ($($path)* . 0) ($pat) ($future) (true) ($handler)]
        })
    };
    (@parse $order:ident ($($n:tt)*) ($($path:tt)*) { $($done:tt)* }
        $pat:pat = $future:expr, if $if:expr => $handler:expr, $($rest:tt)*) => {
        $crate::__select!(@parse $order ($($n)* + 1) ($($path)* . 1) {
            $($done)* [($($n)*) ($($path)* . 0) ($pat) ($future) ($if) ($handler)]
        } $($rest)*)
    };
    (@parse $order:ident ($($n:tt)*) ($($path:tt)*) { $($done:tt)* }
        $pat:pat = $future:expr => $handler:expr, $($rest:tt)*) => {
        $crate::__select!(@parse $order ($($n)* + 1) ($($path)* . 1) {
            $($done)* [($($n)*) ($($path)* . 0) ($pat) ($future) (true) ($handler)]
        } $($rest)*)
    };

    (@emit $order:ident ($($count:tt)*)
        { $([($($n:tt)*) ($($path:tt)*) ($pat:pat) ($future:expr) ($if:expr) ($handler:expr)])+ }
        { $else:expr }
    ) => {{
        // No item: its name could hide one of the caller's.
        let branches: usize = 0 $($count)*;
        const { ::core::assert!((0 $($count)*) <= 64, "`select!` takes at most 64 branches") };
        // A `let`, so that the futures are gone when the handler runs; and a
        // `match`, so that temporaries in the expressions live until then.
        let output = {
            // A bit for each branch that is never polled (again).
            let mut disabled: u64 = 0;
            $(
                if !$if {
                    disabled |= 1 << (0 $($n)*);
                }
            )+
            match $crate::__select!(@pinned $(($future))+) {
                mut futures => $crate::future::__support::poll_fn(|cx| {
                    if $crate::future::__support::poll_budget(cx).is_pending() {
                        return $crate::future::__support::Poll::Pending;
                    }
                    let first = $crate::__select!(@first $order branches);
                    let mut pending = false;
                    for turn in 0..branches {
                        let branch = first + turn;
                        let branch = if branch < branches { branch } else { branch - branches };
                        if disabled & (1 << branch) != 0 {
                            continue;
                        }
                        $(
                            if branch == (0 $($n)*) {
                                let polled = ::core::future::Future::poll(
                                    futures $($path)* .as_mut(),
                                    cx,
                                );
                                let $crate::future::__support::Poll::Ready(output) = polled else {
                                    pending = true;
                                    continue;
                                };
                                disabled |= 1 << branch;
                                let mut matches = false;
                                match output {
                                    #[allow(unused_variables, unused_mut, unused_assignments)]
                                    $pat if { matches = true; false } => ::core::unreachable!(),
                                    _ => {}
                                }
                                if matches {
                                    $crate::future::__support::spend(cx);
                                    return $crate::future::__support::Poll::Ready(
                                        $crate::__select!(@branch ($($n)*) output)
                                    );
                                }
                                continue;
                            }
                        )+
                    }
                    if pending {
                        $crate::future::__support::Poll::Pending
                    } else {
                        $crate::future::__support::Poll::Ready($crate::__select!(
                            @disabled ($($count)*)
                        ))
                    }
                })
                .await,
            }
        };
        match output {
            $( $crate::__select!(@branch ($($n)*) $pat) => $handler, )+
            $crate::__select!(@disabled ($($count)*)) => $else,
            #[allow(unreachable_patterns)]
            _ => ::core::unreachable!("the pattern matched before"),
        }
    }};

    (@first biased $branches:ident) => { 0 };
    (@first drawn $branches:ident) => { $crate::future::__support::drawn($branches) };

    (@pinned) => { () };
    // Four at once, as the recursion is limited.
    (@pinned ($a:expr) ($b:expr) ($c:expr) ($d:expr) $($rest:tt)*) => {
        (
            $crate::future::__support::pin!(
                $crate::future::__support::IntoFuture::into_future($a)
            ),
            (
                $crate::future::__support::pin!(
                    $crate::future::__support::IntoFuture::into_future($b)
                ),
                (
                    $crate::future::__support::pin!(
                        $crate::future::__support::IntoFuture::into_future($c)
                    ),
                    (
                        $crate::future::__support::pin!(
                            $crate::future::__support::IntoFuture::into_future($d)
                        ),
                        $crate::__select!(@pinned $($rest)*),
                    ),
                ),
            ),
        )
    };
    (@pinned ($future:expr) $($rest:tt)*) => {
        (
            $crate::future::__support::pin!(
                $crate::future::__support::IntoFuture::into_future($future)
            ),
            $crate::__select!(@pinned $($rest)*),
        )
    };

    // The output of the n-th branch, as an expression and as a pattern.
    (@branch () $($output:tt)+) => { $crate::future::__support::Branch::This($($output)+) };
    // Four at once, as the recursion is limited.
    (@branch (+ 1 + 1 + 1 + 1 $($n:tt)*) $($output:tt)+) => {
        $crate::future::__support::Branch::Later(
            $crate::future::__support::Branch::Later(
                $crate::future::__support::Branch::Later(
                    $crate::future::__support::Branch::Later(
                        $crate::__select!(@branch ($($n)*) $($output)+)
                    )
                )
            )
        )
    };
    (@branch (+ 1 $($n:tt)*) $($output:tt)+) => {
        $crate::future::__support::Branch::Later($crate::__select!(@branch ($($n)*) $($output)+))
    };
    (@disabled ()) => { $crate::future::__support::AllDisabled };
    (@disabled (+ 1 + 1 + 1 + 1 $($n:tt)*)) => {
        $crate::future::__support::Branch::Later(
            $crate::future::__support::Branch::Later(
                $crate::future::__support::Branch::Later(
                    $crate::future::__support::Branch::Later(
                        $crate::__select!(@disabled ($($n)*))
                    )
                )
            )
        )
    };
    (@disabled (+ 1 $($n:tt)*)) => {
        $crate::future::__support::Branch::Later($crate::__select!(@disabled ($($n)*)))
    };
}
