//! `join!` and `try_join!`: all of a known number of futures.
//!
//! Each branch is a `Joined` pinned on the stack: the future, then its output.
//! A poll polls those that still run, beginning one branch later than the poll
//! before, so that a branch that uses up the budget of every poll takes turns
//! with the others.

/// Waits for all of the futures, at once, and gives their outputs as a tuple in
/// the order in which they were written.
///
/// It takes as long as the longest. The futures run in turns inside of the
/// current task; they may borrow from it. With `biased;` in front each poll
/// polls them in the order as written; without, each begins one further.
///
/// # Cancellation
///
/// It awaits in place: if the surrounding future is dropped, so are all
/// branches.
///
/// # Example
///
/// ```
/// wakeline::block_on(async {
///     let (word, number) = wakeline::join!(async { "six" }, async { 6 });
///     assert_eq!((word, number), ("six", 6));
/// });
/// ```
#[macro_export]
macro_rules! join {
    () => { ::core::future::ready(()).await };
    (biased; $($future:expr),* $(,)?) => {
        $crate::__join!(biased, join, take, { $($future,)* })
    };
    ($($future:expr),* $(,)?) => {
        $crate::__join!(rotating, join, take, { $($future,)* })
    };
}

/// Waits for all of the futures, at once, or for the first error.
///
/// `Ok` of a tuple of their values in the order as written. The first `Err` is
/// returned at once; the other futures are dropped before that, also those
/// that could have failed too.
///
/// Handles of tasks resolve to a `Result` of their own, whose error says that
/// the task panicked or was cancelled. To see the error that the task *returned*
/// use [`future::flatten`](crate::future::flatten) on each.
///
/// # Errors
///
/// The expression's value is that of the first branch that failed.
///
/// # Cancellation
///
/// It awaits in place: if the surrounding future is dropped, so are all
/// branches.
///
/// # Example
///
/// ```
/// async fn parse(text: &str) -> Result<u32, std::num::ParseIntError> {
///     text.parse()
/// }
/// wakeline::block_on(async {
///     assert_eq!(wakeline::try_join!(parse("1"), parse("2")), Ok((1, 2)));
///     assert!(wakeline::try_join!(parse("1"), parse("two")).is_err());
/// });
/// ```
#[macro_export]
macro_rules! try_join {
    (biased; $($future:expr),* $(,)?) => {
        $crate::__join!(biased, try_join, take_ok, { $($future,)* })
    };
    ($($future:expr),* $(,)?) => {
        $crate::__join!(rotating, try_join, take_ok, { $($future,)* })
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __join {
    // Numbers the branches: each gets the path to its place.
    ($order:ident, $kind:ident, $take:ident, { $($future:expr,)* }) => {
        $crate::__join!(@number $order, $kind, $take, () {} { $($future,)* } { $($future,)* })
    };
    (@number $order:ident, $kind:ident, $take:ident,
        ($($path:tt)*) { $($done:tt)* } { $future:expr, $($rest:expr,)* } $all:tt
    ) => {
        $crate::__join!(@number $order, $kind, $take,
            ($($path)* . 1) { $($done)* ($($path)* . 0) } { $($rest,)* } $all)
    };
    (@number $order:ident, $kind:ident, $take:ident,
        $end:tt { $($path:tt)* } {} { $($future:expr,)* }
    ) => {{
        // A `let`, so that the branches are gone when the value is seen; and a
        // `match`, so that temporaries in the expressions live until then.
        let outputs = match $crate::__join!(@pinned $($future,)*) {
            mut futures => {
                let mut rotation = $crate::future::__support::Rotation::default();
                let result = $crate::future::__support::poll_fn(|cx| {
                    let first = $crate::__join!(@first $order, rotation, futures);
                    $crate::future::__support::$kind(&mut futures, cx, first)
                })
                .await;
                $crate::__join!(@outputs $kind, $take, result, futures, $($path)*)
            }
        };
        outputs
    }};
    (@pinned) => { () };
    (@pinned $future:expr, $($rest:expr,)*) => {
        (
            $crate::future::__support::pin!($crate::future::__support::Joined::new(
                $crate::future::__support::IntoFuture::into_future($future)
            )),
            $crate::__join!(@pinned $($rest,)*),
        )
    };
    (@first biased, $rotation:ident, $futures:ident) => { 0 };
    (@first rotating, $rotation:ident, $futures:ident) => {
        $rotation.next($crate::future::__support::count(&$futures))
    };
    (@outputs join, $take:ident, $result:ident, $futures:ident, $(($($path:tt)*))*) => {{
        let () = $result;
        ($($futures $($path)* .as_mut().$take(),)*)
    }};
    (@outputs try_join, $take:ident, $result:ident, $futures:ident, $(($($path:tt)*))*) => {
        match $result {
            ::core::result::Result::Ok(()) => {
                ::core::result::Result::Ok(($($futures $($path)* .as_mut().$take(),)*))
            }
            ::core::result::Result::Err(error) => ::core::result::Result::Err(error),
        }
    };
}
