//! Streams: values that come one after the other, each awaited.
//!
//! ```text
//!   while let Some(item) = stream.next().await { .. }
//!
//!   gen_stream ──▶ adapters ──▶ next: one poll asks for one item, so what is
//!   as_completed                      slow to take is slow to make
//! ```
//!
//! The trait is that of `futures-core`, and [`StreamExt`] with `next`, `map`,
//! `filter`, `fuse`, `collect` and the rest that needs no runtime is that of
//! `futures-lite`: both are well kept and known to every stream there is. Own is
//! what leans on the rest of this crate: [`gen_stream`] makes a stream of an
//! async block, and [`FlowExt`] adds concurrency ([`buffered`](FlowExt::buffered),
//! [`merge`](FlowExt::merge)) and time ([`throttle`](FlowExt::throttle),
//! [`item_timeout`](FlowExt::item_timeout),
//! [`chunks_timeout`](FlowExt::chunks_timeout)).
//!
//! The receivers of [`mpsc`](crate::sync::mpsc::Receiver) and [`broadcast`](crate::sync::broadcast::Receiver) are streams, and so are signals, the
//! lines of a reader, the entries of a directory and [`incoming`](crate::net::TcpListener::incoming)
//! connections. Of what has a `poll_` method [`poll_fn`] makes one, of everything else [`gen_stream`] does.
//!
//! # Cancellation
//!
//! Dropping the future of `next` loses nothing: an item leaves the stream with
//! the poll that returns it, and what an adapter holds stays in the adapter.
//!
//! # Example
//!
//! ```
//! use wakeline::stream::{FlowExt, StreamExt, gen_stream};
//!
//! async fn fetch(page: u32) -> String {
//!     format!("page {page}")
//! }
//! wakeline::block_on(async {
//!     let numbers = gen_stream(|y| async move {
//!         for page in 1..=3 {
//!             y.emit(page).await;
//!         }
//!     });
//!     let pages: Vec<String> = numbers.map(fetch).buffered(2).collect().await;
//!     assert_eq!(pages, ["page 1", "page 2", "page 3"]);
//! });
//! ```

mod buffered;
mod ext;
mod generator;
mod merge;
mod timed;

pub use buffered::{BufferUnordered, Buffered};
pub use ext::FlowExt;
pub use futures_core::Stream;
pub use futures_core::stream::FusedStream;
pub use futures_lite::StreamExt;
pub use futures_lite::stream::{empty, iter, once, pending, poll_fn, repeat, unfold};
pub use generator::{Emit, Emitter, GenStream, TryGenStream, gen_stream, try_gen_stream};
pub use merge::Merge;
pub use timed::{ChunksTimeout, ItemTimeout, Throttle};
