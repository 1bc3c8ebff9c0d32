//! The load tester's reader of HTTP/1.1 answers.
//!
//! However a stream is cut into reads, it says the same of it. Well-formed answers are
//! counted, and the last one before a close is seen; where a chunk is not followed by a line
//! end, or the body's end is told in two ways, the stream is refused.
//!
//! The reader is private to a program, and pure: its file and those that it knows are compiled
//! here once more.

#![no_main]

use answer::Answer;
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use wakeline_fuzz::answers::{self, Framing, Piece};
use wakeline_fuzz::script::Cuts;

#[path = "../../../benches/src/bin/load/answer.rs"]
mod answer;
#[path = "../../../benches/src/bin/load/pattern.rs"]
#[allow(dead_code, reason = "the reader of echoes is not asked here")]
mod pattern;
#[path = "../../../benches/src/bin/load/speak.rs"]
#[allow(dead_code, reason = "of this the result's type is used")]
mod speak;
#[path = "../../../benches/src/bin/load/target.rs"]
#[allow(dead_code, reason = "nothing is loaded")]
mod target;

#[derive(Arbitrary, Debug)]
enum Input {
    Any(Vec<Piece>, [Cuts; 2]),
    /// With a byte that is to stand in the place of one of a line end.
    Good(Vec<answers::Answer>, Cuts, Option<(u8, u8)>),
    /// One that says twice where its body ends.
    Twice(answers::Answer, Cuts),
}

/// How many answers, and whether the server closes after them.
type Counted = Result<(usize, bool), String>;

fn hear(bytes: &[u8], cuts: &Cuts) -> Counted {
    let (mut reader, mut answers, mut last) = (Answer::new(), 0, false);
    for piece in cuts.of(bytes) {
        let heard = reader.hear(piece)?;
        answers += heard.answers;
        last |= heard.last;
    }
    Ok((answers + usize::from(reader.hear_end()), last))
}

/// What is to be said of these: how many there are to the first that closes.
fn expected(all: &[answers::Answer]) -> Option<(usize, bool)> {
    let Some(at) = all.iter().position(answers::Answer::closes) else {
        return Some((all.len(), false));
    };
    if all[at].has_body() && all[at].framing == Framing::UntilEnd {
        return Some((at + 1, false)); // whatever follows is its body
    }
    (at + 1 == all.len()).then_some((at + 1, true))
}

fn good(all: &[answers::Answer], cuts: &Cuts, wrong: Option<(u8, u8)>) {
    let (mut bytes, mut ends, mut open) = (Vec::new(), Vec::new(), true);
    for answer in all {
        let places = answer.write(&mut bytes);
        ends.extend(places.into_iter().filter(|_| open));
        open &= !answer.closes();
    }
    if let Some((which, byte)) = wrong
        && !ends.is_empty()
    {
        let place = ends[usize::from(which) % ends.len()];
        let before = std::mem::replace(&mut bytes[place], byte);
        if before != byte {
            let said = hear(&bytes, cuts);
            assert!(said.is_err(), "a chunk without its line end: {said:?}");
            return;
        }
    }
    assert_eq!(hear(&bytes, cuts).ok(), expected(all));
}

fuzz_target!(|input: Input| match input {
    Input::Good(all, cuts, wrong) => good(&all, &cuts, wrong),
    Input::Twice(answer, cuts) => {
        if let Some(bytes) = answer.twice_framed() {
            let said = hear(&bytes, &cuts);
            assert!(said.is_err(), "it can be cut in two ways: {said:?}");
        }
    }
    Input::Any(pieces, [one, other]) => {
        let mut bytes = Vec::new();
        pieces.iter().for_each(|piece| piece.write(&mut bytes));
        let whole = hear(&bytes, &Cuts::default());
        assert_eq!(hear(&bytes, &one), whole);
        assert_eq!(hear(&bytes, &other), whole);
    }
});
