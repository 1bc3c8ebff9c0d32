//! What may be written in a `select!`.

use std::future::{pending, ready};

use wakeline::{block_on, select, yield_now};

#[test]
fn patterns_of_all_sorts_bind_as_in_a_match() {
    struct Point {
        x: String,
        y: u8,
    }
    const SEVEN: u8 = 7;
    block_on(async {
        let text = select! {
            (mut word, ref number @ 1..=9) = ready((String::from("n"), 3)) => {
                word.push_str(&number.to_string());
                word
            }
        };
        assert_eq!(text, "n3");
        let x = select! {
            Point { x, y: SEVEN } = ready(Point { x: "kept".into(), y: 7 }) => x,
            else => String::from("no match"),
        };
        assert_eq!(x, "kept");
        let y = select! {
            Point { y: SEVEN, .. } = ready(Point { x: String::new(), y: 8 }) => 0,
            Point { y, .. } = ready(Point { x: String::new(), y: 9 }), if false => y,
            else => 1,
        };
        assert_eq!(y, 1);
        let either = select! { Ok(n) | Err(n) = ready(Err::<u8, u8>(5)) => n };
        assert_eq!(either, 5);
        let by_reference = select! { &n = ready(&4) => n };
        assert_eq!(by_reference, 4);
        // An output that cannot be copied, taken apart and moved.
        let boxed = select! { Some(boxed) = ready(Some(Box::new(1))) => boxed };
        assert_eq!(*boxed, 1);
    });
}

#[test]
fn temporaries_in_a_future_live_as_long_as_it() {
    async fn length(text: &str) -> usize {
        yield_now().await;
        text.len()
    }
    block_on(async {
        let n = select! { n = length(&String::from("four")) => n };
        assert_eq!(n, 4);
    });
}

#[test]
fn names_of_the_caller_are_not_hidden_by_those_of_the_macros() {
    #![allow(non_snake_case, reason = "names that the macros might use")]
    const BRANCHES: u8 = 5;
    fn Ok(n: u8) -> u8 {
        n
    }
    fn poll() -> u8 {
        2
    }
    block_on(async {
        let (output, branch, disabled, first, turn) = (1, 2, 4, 8, 16);
        let sum = select! {
            _ = ready(Ok(poll())), if disabled == 0 => 0,
            BRANCHES = ready(output + disabled) => output + branch + disabled + first + turn,
        };
        assert_eq!(sum, 31);
        let futures = 3;
        let (a, b) = wakeline::join!(ready(futures), async { futures });
        let both = wakeline::try_join!(async { Result::<_, ()>::Ok(a) }, ready(Result::Ok(b)));
        assert_eq!(both, Result::Ok((3, 3)));
    });
}

#[test]
fn blocks_and_expressions_mix_with_and_without_commas() {
    block_on(async {
        let n = select! {
            _ = pending::<()>() => { 1 }
            _ = pending::<()>(), if true => { 2 },
            _ = pending::<()>() => 3,
            _ = pending::<()>(), if false => { 4 }
            n = ready(5) => n
        };
        assert_eq!(n, 5);
    });
}

#[test]
fn a_select_of_what_is_send_is_send() {
    fn spawnable<F: Future + Send + 'static>(_: F) {}
    spawnable(async {
        let text = String::from("moved");
        select! {
            () = async { yield_now().await; drop(text) } => yield_now().await,
            n = ready(1), if true => { let _n: u8 = n; }
            else => {}
        }
    });
}
