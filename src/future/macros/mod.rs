//! The macros, and the little that they share.
//!
//! A macro cannot make up names, so its futures stand in nested pairs,
//! `(first, (second, (third, ())))`, each pinned where it stands: no heap and
//! no `unsafe`. `__at!` names the place of the n-th, `. 1 . 1 . 0`.

mod join;
mod select;
pub mod support;
