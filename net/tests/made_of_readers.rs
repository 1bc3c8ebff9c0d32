//! `take` and `chain`: they give what std's give, ask nobody for nothing, and end.

use proptest::prelude::*;
use std::io::{BufRead, Read, Result};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use wakeline_net::io::{AsyncBufRead, AsyncRead, AsyncReadExt, Chain, Take};
use wakeline_net::testing::{block_on, poll_now};

#[derive(Clone, Debug)]
enum Step {
    Read(usize),
    Show,
    /// So many of a hundred of what is shown.
    Consume(usize),
    Limit(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..9_usize).prop_map(Step::Read),
        Just(Step::Show),
        (0..=100_usize).prop_map(Step::Consume),
        (0..20_u64).prop_map(Step::Limit),
    ];
    prop::collection::vec(step, 0..30)
}

type Ours<'a> = Take<Chain<&'a [u8], &'a [u8]>>;
type Std<'a> = std::io::Take<std::io::Chain<&'a [u8], &'a [u8]>>;

fn now<T>(polled: Poll<Result<T>>) -> T {
    match polled {
        Poll::Ready(result) => result.expect("slices have no errors"),
        Poll::Pending => panic!("slices do not wait"),
    }
}

/// What a step shows.
fn ours(reader: &mut Ours<'_>, step: &Step) -> Vec<u8> {
    let cx = &mut Context::from_waker(Waker::noop());
    let mut reader = Pin::new(reader);
    match *step {
        Step::Read(len) => {
            let mut buf = vec![0; len];
            let n = now(reader.poll_read(cx, &mut buf));
            buf.truncate(n);
            buf
        }
        Step::Show => now(reader.poll_fill_buf(cx)).to_vec(),
        Step::Consume(hundredths) => {
            let n = now(reader.as_mut().poll_fill_buf(cx)).len() * hundredths / 100;
            reader.consume(n);
            vec![]
        }
        Step::Limit(limit) => {
            reader.set_limit(limit);
            vec![]
        }
    }
}

fn std(reader: &mut Std<'_>, step: &Step) -> Vec<u8> {
    match *step {
        Step::Read(len) => {
            let mut buf = vec![0; len];
            let n = reader.read(&mut buf).expect("slices have no errors");
            buf.truncate(n);
            buf
        }
        Step::Show => reader.fill_buf().expect("slices have no errors").to_vec(),
        Step::Consume(hundredths) => {
            let n = reader.fill_buf().expect("slices have no errors").len() * hundredths / 100;
            reader.consume(n);
            vec![]
        }
        Step::Limit(limit) => {
            reader.set_limit(limit);
            vec![]
        }
    }
}

proptest! {
    #[test]
    fn they_give_what_those_of_std_give(first in 0..12_u8, second in 0..12_u8, limit in 0..30_u64, steps in steps()) {
        let first: Vec<u8> = (0..first).collect();
        let second: Vec<u8> = (100..100 + second).collect();
        let mut ours_is = AsyncReadExt::take(AsyncReadExt::chain(&first[..], &second[..]), limit);
        let mut std_is = Read::take(Read::chain(&first[..], &second[..]), limit);
        for step in &steps {
            prop_assert_eq!(ours(&mut ours_is, step), std(&mut std_is, step));
            prop_assert_eq!(ours_is.limit(), std_is.limit());
        }
        prop_assert_eq!(ours_is.into_inner().into_inner(), std_is.into_inner().into_inner());
    }
}

/// Ends once, and must not be asked again.
struct EndsOnce(bool);

impl AsyncRead for EndsOnce {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut [u8],
    ) -> Poll<Result<usize>> {
        assert!(
            !std::mem::replace(&mut self.0, true),
            "asked behind its end"
        );
        Poll::Ready(Ok(0))
    }
}

struct Never;

impl AsyncRead for Never {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut [u8]) -> Poll<Result<usize>> {
        Poll::Pending
    }
}

#[test]
fn who_has_ended_is_not_asked_again() {
    let mut all = String::new();
    let mut reader = EndsOnce(false).chain(&b"the second"[..]);
    block_on(reader.read_to_string(&mut all)).unwrap();
    assert_eq!(all, "the second");
}

#[test]
fn at_the_limit_nobody_is_waited_for() {
    let mut buf = [0; 4];
    let mut limited = Never.take(0);
    assert_eq!(now(poll_now(pin!(limited.read(&mut buf)))), 0);
    limited.set_limit(1);
    assert!(poll_now(pin!(limited.read(&mut buf))).is_pending());
}
