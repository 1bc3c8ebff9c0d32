//! Which outputs of tasks are errors: those of the types that are known here.
//!
//! A task's output is any type. Whether it is a `Result` whose error can be
//! printed is nothing that generic code can ask of it: that would be
//! specialisation, and a macro that resolves methods by reference sees only the
//! type that stands in the source, which is a parameter here. So the output is
//! compared with the results that detached tasks usually have: `Result<(), E>`
//! with the errors of std. Any other error is seen if the handle is awaited, or
//! with [`try_shield`](crate::try_shield), which knows that its output is a
//! `Result`.

use std::any::Any;
use std::error::Error;
use std::fmt::Display;
use std::io;

use crate::task::JoinError;

/// The error that `output` is, as text, if it is one of the known types.
pub(crate) fn error_in<T: 'static>(output: &T) -> Option<String> {
    let output: &dyn Any = output;
    of::<io::Error>(output)
        .or_else(|| of::<Box<dyn Error + Send + Sync>>(output))
        .or_else(|| of::<Box<dyn Error + Send>>(output))
        .or_else(|| of::<Box<dyn Error>>(output))
        .or_else(|| of::<String>(output))
        .or_else(|| of::<&'static str>(output))
        .or_else(|| of::<JoinError>(output))
}

fn of<E: Display + 'static>(output: &dyn Any) -> Option<String> {
    let result: &Result<(), E> = output.downcast_ref()?;
    result.as_ref().err().map(E::to_string)
}
