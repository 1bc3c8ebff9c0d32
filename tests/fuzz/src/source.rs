//! A reader whose reads come out as events say: bytes, waits, errors.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use arbitrary::Arbitrary;
use futures_io::AsyncRead;

/// What happens next.
#[derive(Arbitrary, Debug)]
pub enum Event {
    Bytes(Vec<u8>),
    /// A run of one byte, which may be longer than a small buffer of the pool.
    Run(u8, u16),
    Wait,
    Error,
}

/// What comes of one read.
#[derive(Debug)]
enum Turn {
    Bytes(usize),
    Wait,
    Error,
}

/// What the events say, in their order; then the end.
#[derive(Debug)]
pub struct Source {
    all: Rc<[u8]>,
    at: usize,
    turns: VecDeque<Turn>,
    errors: usize,
}

impl Source {
    pub fn new(events: &[Event]) -> Source {
        let (mut all, mut turns) = (Vec::new(), VecDeque::new());
        for event in events {
            let before = all.len();
            match event {
                Event::Bytes(bytes) => all.extend_from_slice(bytes),
                Event::Run(byte, length) => all.resize(before + usize::from(*length), *byte),
                Event::Wait => turns.push_back(Turn::Wait),
                Event::Error => turns.push_back(Turn::Error),
            }
            if all.len() > before {
                turns.push_back(Turn::Bytes(all.len() - before));
            }
        }
        Source {
            all: all.into(),
            at: 0,
            turns,
            errors: 0,
        }
    }

    /// All the bytes that there are.
    pub fn all(&self) -> &Rc<[u8]> {
        &self.all
    }

    /// How many errors were given.
    pub fn errors(&self) -> usize {
        self.errors
    }
}

impl AsyncRead for Source {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self.turns.pop_front() {
            None => Poll::Ready(Ok(0)),
            Some(Turn::Wait) => Poll::Pending,
            Some(Turn::Error) => {
                self.errors += 1;
                Poll::Ready(Err(io::Error::other("planned")))
            }
            Some(Turn::Bytes(there)) => {
                let taken = there.min(into.len());
                into[..taken].copy_from_slice(&self.all[self.at..][..taken]);
                self.at += taken;
                if taken < there {
                    self.turns.push_front(Turn::Bytes(there - taken));
                }
                Poll::Ready(Ok(taken))
            }
        }
    }
}
