//! The halves of a stream, borrowed and owned, written once for TCP and Unix.
//!
//! ```text
//!   stream ──split──▶ ReadHalf<'_>, WriteHalf<'_>            two references
//!   stream ──into_split──▶ OwnedReadHalf, OwnedWriteHalf     one count each
//!             ◀──reunite──      │ drop: ends the writing side
//! ```

/// The four halves of a stream type, and how they come apart and together.
macro_rules! halves {
    ($stream:ident, $setup:literal) => {
        /// The reading side of a borrowed stream.
        #[derive(Clone, Copy, Debug)]
        pub struct ReadHalf<'a>(&'a $stream);

        /// The writing side of a borrowed stream. Dropping it ends nothing.
        #[derive(Debug)]
        pub struct WriteHalf<'a>(&'a $stream);

        /// The reading side of a stream, for a task of its own.
        #[derive(Debug)]
        pub struct OwnedReadHalf(std::sync::Arc<$stream>);

        /// The writing side of a stream, for a task of its own.
        ///
        /// Dropping it ends the writing side: the peer reads what was written
        /// and then the end of the stream.
        #[derive(Debug)]
        pub struct OwnedWriteHalf {
            /// `None` only in `forget` and `reunite`, which take it.
            stream: Option<std::sync::Arc<$stream>>,
        }

        /// Two halves that were never one stream, given back by `reunite`.
        #[derive(Debug)]
        pub struct ReuniteError(pub OwnedReadHalf, pub OwnedWriteHalf);

        impl std::fmt::Display for ReuniteError {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("these two halves are not of the same stream")
            }
        }

        impl std::error::Error for ReuniteError {}

        impl $stream {
            /// Borrows the two sides, to be used at the same time.
            ///
            /// # Example
            ///
            /// ```
            /// # wakeline_net::testing::block_on(async {
            #[doc = $setup]
            /// use wakeline_net::io::AsyncWriteExt;
            ///
            /// let (reader, mut writer) = peer.split();
            /// writer.write_all(b"hello").await?;
            /// stream.write(b"world").await?;
            /// assert_eq!(&reader.read_pooled().await?[..], b"world");
            /// # std::io::Result::Ok(())
            /// # })?;
            /// # Ok::<(), std::io::Error>(())
            /// ```
            pub fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
                (ReadHalf(self), WriteHalf(self))
            }

            /// Parts the stream into two sides that may go to different tasks.
            ///
            /// The socket closes when both are gone; `reunite` puts them
            /// together again.
            ///
            /// # Example
            ///
            /// ```
            /// # wakeline_net::testing::block_on(async {
            #[doc = $setup]
            /// let (reader, writer) = peer.into_split();
            /// drop(writer); // the end of this side
            /// assert!(stream.read_pooled().await?.is_empty());
            /// stream.write(b"still open").await?;
            /// assert_eq!(&reader.read_pooled().await?[..], b"still open");
            /// # std::io::Result::Ok(())
            /// # })?;
            /// # Ok::<(), std::io::Error>(())
            /// ```
            #[must_use = "dropping the write half ends the writing side"]
            pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
                let stream = std::sync::Arc::new(self);
                let writer = OwnedWriteHalf {
                    stream: Some(std::sync::Arc::clone(&stream)),
                };
                (OwnedReadHalf(stream), writer)
            }
        }

        impl ReadHalf<'_> {
            fn stream(&self) -> &$crate::stream::Stream {
                self.0.stream()
            }
        }

        impl WriteHalf<'_> {
            fn stream(&self) -> &$crate::stream::Stream {
                self.0.stream()
            }

            /// Ends the writing side: the peer reads the end of the stream.
            ///
            /// # Errors
            ///
            /// `NotConnected` if the connection is gone.
            pub fn shutdown(&self) -> std::io::Result<()> {
                self.0.shutdown(std::net::Shutdown::Write)
            }
        }

        impl OwnedReadHalf {
            fn stream(&self) -> &$crate::stream::Stream {
                self.0.stream()
            }

            /// Puts the two sides together again.
            ///
            /// # Errors
            ///
            /// Gives both back if they are not of the same stream.
            ///
            /// # Panics
            ///
            /// Never.
            pub fn reunite(self, writer: OwnedWriteHalf) -> Result<$stream, ReuniteError> {
                let mut writer = writer;
                let same = writer
                    .stream
                    .take_if(|stream| std::sync::Arc::ptr_eq(stream, &self.0));
                if same.is_none() {
                    return Err(ReuniteError(self, writer));
                }
                drop(same);
                Ok(std::sync::Arc::into_inner(self.0).expect("the two halves are the only owners"))
            }
        }

        impl OwnedWriteHalf {
            fn stream(&self) -> &$crate::stream::Stream {
                match &self.stream {
                    Some(stream) => stream.stream(),
                    None => unreachable!("a write half without a stream is never lent out"),
                }
            }

            /// Puts the two sides together again; as [`OwnedReadHalf::reunite`].
            ///
            /// # Errors
            ///
            /// Gives both back if they are not of the same stream.
            pub fn reunite(self, reader: OwnedReadHalf) -> Result<$stream, ReuniteError> {
                reader.reunite(self)
            }

            /// Ends the writing side: the peer reads the end of the stream.
            ///
            /// # Errors
            ///
            /// `NotConnected` if the connection is gone.
            pub fn shutdown(&self) -> std::io::Result<()> {
                self.stream().shutdown(std::net::Shutdown::Write)
            }

            /// Drops this half without ending the writing side, which then ends
            /// with the socket.
            pub fn forget(mut self) {
                self.stream = None;
            }
        }

        impl Drop for OwnedWriteHalf {
            fn drop(&mut self) {
                if let Some(stream) = &self.stream {
                    // A connection that is gone already has nothing to be ended.
                    let _ = stream.stream().close_write();
                }
            }
        }

        $crate::methods::impl_async_read!([] ReadHalf<'_>, stream);
        $crate::methods::impl_async_read!([] OwnedReadHalf, stream);
        $crate::methods::impl_async_write!([] WriteHalf<'_>, stream);
        $crate::methods::impl_async_write!([] OwnedWriteHalf, stream);
    };
}

pub(crate) use halves;
