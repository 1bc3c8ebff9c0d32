//! What was seen, in words.

use std::fmt;
use std::hash::{DefaultHasher, Hasher};
use std::io;

/// The notes of one script.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes(Vec<String>);

impl Notes {
    pub(crate) fn note(&mut self, line: impl Into<String>) {
        self.0.push(line.into());
    }

    /// The first line that differs, with those before it; `None` if all are equal.
    pub(crate) fn difference(&self, other: &Notes) -> Option<String> {
        let most = self.0.len().max(other.0.len());
        let differs = |at: &usize| self.0.get(*at) != other.0.get(*at);
        let at = (0..most).find(differs)?;
        let mut text = String::new();
        for line in &self.0[at.saturating_sub(3)..at] {
            text += &format!("  {line}\n");
        }
        for (sign, notes) in [('-', self), ('+', other)] {
            let line = notes.0.get(at).map_or("(nothing more)", String::as_str);
            text += &format!("{sign} {line}\n");
        }
        Some(text)
    }
}

/// The last ones: where a script is that does not go on.
impl fmt::Display for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.0.len().saturating_sub(5);
        self.0[last..]
            .iter()
            .try_for_each(|line| writeln!(f, "  {line}"))
    }
}

/// Bytes in few words that any change shows in.
pub(crate) fn told(bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new(); // the same in every run
    hasher.write(bytes);
    format!("{} bytes, {:016x}", bytes.len(), hasher.finish())
}

/// A result: of an error its kind, as its words may name a path.
pub(crate) fn outcome<T: fmt::Debug>(result: &io::Result<T>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("{:?}", error.kind()),
    }
}
