//! What is said on a connection, without a connection: an `Asker` makes the
//! requests, a `Listener` finds the answers in what comes back, and checks them.
//!
//! Both clients, ours and that of threads, are built on this, so they differ in
//! nothing but how they wait.

use crate::answer::Answer;
use crate::pattern::{Pattern, Wrong};
use crate::target::{Speaks, Target};

/// What is said, in one run.
#[derive(Debug)]
pub(crate) enum Script {
    /// Messages of so many bytes, and what each begins with instead of the pattern.
    Echo { size: usize, first: Option<u8> },
    /// The request, ready to send.
    Http { request: Vec<u8> },
}

impl Script {
    /// `once`: the connection is for one request.
    pub(crate) fn new(target: &Target, size: usize, first: Option<u8>, once: bool) -> Script {
        match &target.speaks {
            Speaks::Echo => Script::Echo { size, first },
            Speaks::Http { host, path } => {
                let connection = if once { "close" } else { "keep-alive" };
                let request = format!(
                    "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: wakeline-load\r\n\
                     Accept: */*\r\nConnection: {connection}\r\n\r\n"
                );
                Script::Http {
                    request: request.into_bytes(),
                }
            }
        }
    }

    /// The two sides of the `nth` connection.
    pub(crate) fn open(&self, nth: usize) -> (Asker<'_>, Listener) {
        let pattern = Pattern::of(nth);
        let asker = Asker {
            script: self,
            pattern,
            at: 0,
        };
        let state = match self {
            Script::Echo { size, first } => State::Echo {
                pattern,
                size: *size,
                first: *first,
                at: 0,
            },
            Script::Http { .. } => State::Http(Answer::new()),
        };
        (asker, Listener { state })
    }
}

/// Makes requests.
#[derive(Debug)]
pub(crate) struct Asker<'a> {
    script: &'a Script,
    pattern: Pattern,
    at: u64,
}

impl Asker<'_> {
    /// Appends the next request.
    pub(crate) fn ask(&mut self, out: &mut Vec<u8>) {
        match self.script {
            Script::Echo { size, first } => {
                let start = out.len();
                self.pattern.append(self.at, *size, out);
                if let Some(first) = first {
                    out[start] = *first;
                }
                self.at += *size as u64;
            }
            Script::Http { request } => out.extend_from_slice(request),
        }
    }
}

/// Finds answers, and checks them.
#[derive(Debug)]
pub(crate) struct Listener {
    state: State,
}

#[derive(Debug)]
enum State {
    Echo {
        pattern: Pattern,
        size: usize,
        first: Option<u8>,
        at: u64,
    },
    Http(Answer),
}

/// What was heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    /// Answers that are whole now.
    pub(crate) answers: usize,
    /// The server will say no more on this connection.
    pub(crate) last: bool,
}

impl Listener {
    /// Takes in what was received.
    ///
    /// # Errors
    ///
    /// The kind of mistake, and what exactly.
    pub(crate) fn hear(&mut self, bytes: &[u8]) -> Result<Heard, (&'static str, String)> {
        match &mut self.state {
            State::Echo {
                pattern,
                size,
                first,
                at,
            } => {
                check(*pattern, *size, *first, *at, bytes).map_err(|wrong| {
                    let what = format!(
                        "byte {} of the stream was sent as {:#04x} and came back as {:#04x}",
                        wrong.at, wrong.sent, wrong.came
                    );
                    ("wrong byte", what)
                })?;
                let size = *size as u64;
                let before = *at / size;
                *at += bytes.len() as u64;
                Ok(Heard {
                    answers: (*at / size - before) as usize,
                    last: false,
                })
            }
            State::Http(answer) => answer.hear(bytes).map_err(|what| ("bad answer", what)),
        }
    }

    /// The server has closed its side; true if that ends an answer.
    pub(crate) fn hear_end(&mut self) -> bool {
        match &mut self.state {
            State::Echo { .. } => false,
            State::Http(answer) => answer.hear_end(),
        }
    }
}

/// Whether `bytes` is what was sent from `at` on.
fn check(
    pattern: Pattern,
    size: usize,
    first: Option<u8>,
    mut at: u64,
    mut bytes: &[u8],
) -> Result<(), Wrong> {
    let Some(first) = first else {
        return pattern.check(at, bytes);
    };
    while let Some((&came, rest)) = bytes.split_first() {
        let within = (at % size as u64) as usize;
        if within == 0 {
            if came != first {
                let sent = first;
                return Err(Wrong { at, sent, came });
            }
            (at, bytes) = (at + 1, rest);
        } else {
            let (part, rest) = bytes.split_at(bytes.len().min(size - within));
            pattern.check(at, part)?;
            (at, bytes) = (at + part.len() as u64, rest);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echo_is_cut_into_answers_wherever_it_is_cut() {
        for (cut, first) in (1..30).flat_map(|cut| [(cut, None), (cut, Some(255))]) {
            let script = Script::Echo { size: 10, first };
            let (mut asker, mut listener) = script.open(5);
            let mut sent = Vec::new();
            (0..3).for_each(|_| asker.ask(&mut sent));
            let parts = sent
                .chunks(cut)
                .map(|part| listener.hear(part).expect("an echo"));
            assert_eq!(parts.map(|heard| heard.answers).sum::<usize>(), 3, "{cut}");
        }
    }

    #[test]
    fn a_wrong_byte_is_told_with_its_place() {
        let script = Script::Echo {
            size: 4,
            first: None,
        };
        let (mut asker, mut listener) = script.open(0);
        let mut sent = Vec::new();
        asker.ask(&mut sent);
        sent[2] ^= 0xff;
        let (kind, what) = listener.hear(&sent).expect_err("one is wrong");
        assert_eq!(kind, "wrong byte");
        assert!(what.starts_with("byte 2 of the stream"), "{what}");
    }
    #[test]
    fn a_first_byte_stands_before_each_message_and_is_checked() {
        let script = Script::Echo {
            size: 4,
            first: Some(255),
        };
        let (mut asker, mut listener) = script.open(0);
        let mut sent = Vec::new();
        (0..3).for_each(|_| asker.ask(&mut sent));
        assert!(sent.iter().step_by(4).all(|byte| *byte == 255));
        sent[8] = 0;
        let (_, what) = listener.hear(&sent).expect_err("one is wrong");
        assert!(what.starts_with("byte 8 of the stream"), "{what}");
    }
}
