//! What the targets share.
//!
//! | file         | what is there                                                |
//! |--------------|--------------------------------------------------------------|
//! | `answers.rs` | answers of an HTTP server, well-formed ones and others       |
//! | `script.rs`  | a stream that comes in pieces, with waits between them       |
//! | `source.rs`  | a reader whose reads come out as events say                  |
//! | `leaf.rs`    | futures and streams that wait for wakes, and who owes these  |
//! | `wakes.rs`   | wakers that count                                            |

pub mod answers;
pub mod leaf;
pub mod script;
pub mod source;
pub mod wakes;
