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

#[test]
fn as_many_branches_as_the_documentation_says() {
    let chosen = |wanted: u32| async move {
        select! {
            n = ready(0), if wanted == 0 => n,
            n = ready(1), if wanted == 1 => n,
            n = ready(2), if wanted == 2 => n,
            n = ready(3), if wanted == 3 => n,
            n = ready(4), if wanted == 4 => n,
            n = ready(5), if wanted == 5 => n,
            n = ready(6), if wanted == 6 => n,
            n = ready(7), if wanted == 7 => n,
            n = ready(8), if wanted == 8 => n,
            n = ready(9), if wanted == 9 => n,
            n = ready(10), if wanted == 10 => n,
            n = ready(11), if wanted == 11 => n,
            n = ready(12), if wanted == 12 => n,
            n = ready(13), if wanted == 13 => n,
            n = ready(14), if wanted == 14 => n,
            n = ready(15), if wanted == 15 => n,
            n = ready(16), if wanted == 16 => n,
            n = ready(17), if wanted == 17 => n,
            n = ready(18), if wanted == 18 => n,
            n = ready(19), if wanted == 19 => n,
            n = ready(20), if wanted == 20 => n,
            n = ready(21), if wanted == 21 => n,
            n = ready(22), if wanted == 22 => n,
            n = ready(23), if wanted == 23 => n,
            n = ready(24), if wanted == 24 => n,
            n = ready(25), if wanted == 25 => n,
            n = ready(26), if wanted == 26 => n,
            n = ready(27), if wanted == 27 => n,
            n = ready(28), if wanted == 28 => n,
            n = ready(29), if wanted == 29 => n,
            n = ready(30), if wanted == 30 => n,
            n = ready(31), if wanted == 31 => n,
            n = ready(32), if wanted == 32 => n,
            n = ready(33), if wanted == 33 => n,
            n = ready(34), if wanted == 34 => n,
            n = ready(35), if wanted == 35 => n,
            n = ready(36), if wanted == 36 => n,
            n = ready(37), if wanted == 37 => n,
            n = ready(38), if wanted == 38 => n,
            n = ready(39), if wanted == 39 => n,
            n = ready(40), if wanted == 40 => n,
            n = ready(41), if wanted == 41 => n,
            n = ready(42), if wanted == 42 => n,
            n = ready(43), if wanted == 43 => n,
            n = ready(44), if wanted == 44 => n,
            n = ready(45), if wanted == 45 => n,
            n = ready(46), if wanted == 46 => n,
            n = ready(47), if wanted == 47 => n,
            n = ready(48), if wanted == 48 => n,
            n = ready(49), if wanted == 49 => n,
            n = ready(50), if wanted == 50 => n,
            n = ready(51), if wanted == 51 => n,
            n = ready(52), if wanted == 52 => n,
            n = ready(53), if wanted == 53 => n,
            n = ready(54), if wanted == 54 => n,
            n = ready(55), if wanted == 55 => n,
            n = ready(56), if wanted == 56 => n,
            n = ready(57), if wanted == 57 => n,
            n = ready(58), if wanted == 58 => n,
            n = ready(59), if wanted == 59 => n,
            n = ready(60), if wanted == 60 => n,
            n = ready(61), if wanted == 61 => n,
            n = ready(62), if wanted == 62 => n,
            n = ready(63), if wanted == 63 => n,
            else => 64,
        }
    };
    block_on(async {
        for wanted in [0, 1, 3, 4, 5, 31, 62, 63, 64] {
            assert_eq!(chosen(wanted).await, wanted);
        }
    });
}
