//! Benchmarks, and what several of them need.

pub mod child;
pub mod descriptors;
mod print;

pub use print::{help, note, print};
