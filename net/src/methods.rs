//! The methods that `TcpStream`, `UnixStream` and their halves have in common,
//! written once.
//!
//! Each macro expands to an `impl` whose methods forward to
//! [`Stream`](crate::stream::Stream); `$setup` is the hidden line of the
//! examples that makes a connected `(stream, peer)` of the right type.

/// Reading: for whole streams and read halves. `$inner` finds the `Stream`.
macro_rules! read_methods {
    ([$($generics:tt)*] $type:ty, $inner:ident, $setup:literal) => {
        impl<$($generics)*> $type {
            /// Reads into `buf` and tells how many bytes came; 0 is the end of
            /// the stream, or an empty `buf`.
            ///
            /// # Errors
            ///
            /// The kernel's, untouched: `ConnectionReset` if the peer went away
            /// without an end.
            ///
            /// # Cancellation
            ///
            /// Dropping the future loses nothing: a byte is taken only by the
            /// poll that returns it.
            ///
            /// # Example
            ///
            /// ```
            /// # wakeline_net::testing::block_on(async {
            #[doc = $setup]
            /// use wakeline_net::io::AsyncWriteExt;
            ///
            /// peer.write_all(b"hello").await?;
            /// let mut buf = [0; 16];
            /// let n = stream.read(&mut buf).await?;
            /// assert_eq!(&buf[..n], b"hello");
            /// # std::io::Result::Ok(())
            /// # })?;
            /// # Ok::<(), std::io::Error>(())
            /// ```
            #[inline]
            #[track_caller]
            pub fn read<'a>(&'a self, buf: &'a mut [u8]) -> $crate::stream::Read<'a> {
                self.$inner().read(buf)
            }

            /// Reads into several buffers in order, as one call.
            ///
            /// # Errors
            ///
            /// The kernel's, untouched.
            ///
            /// # Cancellation
            ///
            /// Dropping the future loses nothing.
            ///
            /// # Example
            ///
            /// ```
            /// # wakeline_net::testing::block_on(async {
            #[doc = $setup]
            /// use std::io::IoSliceMut;
            /// use wakeline_net::io::AsyncWriteExt;
            ///
            /// peer.write_all(b"headbody").await?;
            /// let (mut head, mut body) = ([0; 4], [0; 4]);
            /// let mut bufs = [IoSliceMut::new(&mut head), IoSliceMut::new(&mut body)];
            /// assert_eq!(stream.read_vectored(&mut bufs).await?, 8);
            /// assert_eq!((&head, &body), (b"head", b"body"));
            /// # std::io::Result::Ok(())
            /// # })?;
            /// # Ok::<(), std::io::Error>(())
            /// ```
            #[track_caller]
            pub fn read_vectored<'a>(
                &'a self,
                bufs: &'a mut [std::io::IoSliceMut<'a>],
            ) -> $crate::stream::ReadVectored<'a> {
                self.$inner().read_vectored(bufs)
            }

            /// Waits for data, borrows a buffer for it, and reads; an empty
            /// buffer is the end of the stream.
            ///
            /// While it waits it holds no buffer, so an idle connection costs
            /// none. The buffer is of 4, 16 or 64 KiB, by what the stream has
            /// brought so far.
            ///
            /// # Errors
            ///
            /// The kernel's, untouched.
            ///
            /// # Cancellation
            ///
            /// Dropping the future loses nothing.
            ///
            /// # Example
            ///
            /// ```
            /// # wakeline_net::testing::block_on(async {
            #[doc = $setup]
            /// use wakeline_net::io::AsyncWriteExt;
            ///
            /// peer.write_all(b"hello").await?;
            /// let buf = stream.read_pooled().await?;
            /// assert_eq!(&buf[..], b"hello");
            /// # std::io::Result::Ok(())
            /// # })?;
            /// # Ok::<(), std::io::Error>(())
            /// ```
            #[track_caller]
            pub fn read_pooled(&self) -> $crate::stream::ReadPooled<'_> {
                self.$inner().read_pooled()
            }

            /// Copies what could be read next into `buf` and leaves it there.
            ///
            /// # Errors
            ///
            /// The kernel's, untouched.
            ///
            /// # Cancellation
            ///
            /// Dropping the future loses nothing.
            ///
            /// # Example
            ///
            /// ```
            /// # wakeline_net::testing::block_on(async {
            #[doc = $setup]
            /// use wakeline_net::io::AsyncWriteExt;
            ///
            /// peer.write_all(b"GET").await?;
            /// let mut buf = [0; 8];
            /// assert_eq!(stream.peek(&mut buf).await?, 3);
            /// assert_eq!(stream.read(&mut buf).await?, 3);
            /// # std::io::Result::Ok(())
            /// # })?;
            /// # Ok::<(), std::io::Error>(())
            /// ```
            #[track_caller]
            pub fn peek<'a>(&'a self, buf: &'a mut [u8]) -> $crate::stream::Peek<'a> {
                self.$inner().peek(buf)
            }

            /// Waits until a `try_read` is worth it; a hint, as somebody else may
            /// be faster.
            ///
            /// # Errors
            ///
            /// When the socket cannot be watched.
            ///
            /// # Cancellation
            ///
            /// Dropping the future loses nothing.
            ///
            /// # Example
            ///
            /// ```
            /// # wakeline_net::testing::block_on(async {
            #[doc = $setup]
            /// use std::io::ErrorKind;
            ///
            /// peer.shutdown(std::net::Shutdown::Write)?;
            /// let mut buf = [0; 8];
            /// let n = loop {
            ///     stream.readable().await?;
            ///     match stream.try_read(&mut buf) {
            ///         Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
            ///         result => break result?,
            ///     }
            /// };
            /// assert_eq!(n, 0, "the peer has ended its side");
            /// # std::io::Result::Ok(())
            /// # })?;
            /// # Ok::<(), std::io::Error>(())
            /// ```
            #[track_caller]
            pub fn readable(&self) -> $crate::stream::Readable<'_> {
                self.$inner().readable()
            }

            /// Reads what is there, without waiting.
            ///
            /// # Errors
            ///
            /// `WouldBlock` if nothing is there; else the kernel's.
            pub fn try_read(&self, buf: &mut [u8]) -> std::io::Result<usize> {
                self.$inner().try_read(buf)
            }

            /// Reads what is there into several buffers, without waiting.
            ///
            /// # Errors
            ///
            /// `WouldBlock` if nothing is there; else the kernel's.
            pub fn try_read_vectored(
                &self,
                bufs: &mut [std::io::IoSliceMut<'_>],
            ) -> std::io::Result<usize> {
                self.$inner().try_read_vectored(bufs)
            }

            /// Copies what is there without taking it out, and without waiting.
            ///
            /// # Errors
            ///
            /// `WouldBlock` if nothing is there; else the kernel's.
            pub fn try_peek(&self, buf: &mut [u8]) -> std::io::Result<usize> {
                self.$inner().try_peek(buf)
            }
        }

        $crate::owned::methods::read_owned_methods!([$($generics)*] $type, $inner, $setup);
    };
}

/// Writing: for whole streams and write halves.
macro_rules! write_methods {
    ([$($generics:tt)*] $type:ty, $inner:ident, $setup:literal) => {
        impl<$($generics)*> $type {
            /// Writes from `buf` and tells how many bytes the kernel took,
            /// which may be fewer than all.
            ///
            /// # Errors
            ///
            /// The kernel's, untouched: `BrokenPipe` or `ConnectionReset` if
            /// the peer is gone. There is never a `SIGPIPE`.
            ///
            /// # Cancellation
            ///
            /// Dropping the future before it is ready has written nothing.
            ///
            /// # Example
            ///
            /// ```
            /// # wakeline_net::testing::block_on(async {
            #[doc = $setup]
            /// assert_eq!(peer.write(b"hello").await?, 5);
            /// let mut buf = [0; 8];
            /// assert_eq!(stream.read(&mut buf).await?, 5);
            /// # std::io::Result::Ok(())
            /// # })?;
            /// # Ok::<(), std::io::Error>(())
            /// ```
            #[inline]
            #[track_caller]
            pub fn write<'a>(&'a self, buf: &'a [u8]) -> $crate::stream::Write<'a> {
                self.$inner().write(buf)
            }

            /// Writes from several buffers in order, as one call; at most 1,024
            /// of them.
            ///
            /// # Errors
            ///
            /// The kernel's, untouched.
            ///
            /// # Cancellation
            ///
            /// Dropping the future before it is ready has written nothing.
            ///
            /// # Example
            ///
            /// ```
            /// # wakeline_net::testing::block_on(async {
            #[doc = $setup]
            /// use std::io::IoSlice;
            ///
            /// let bufs = [IoSlice::new(b"head"), IoSlice::new(b"body")];
            /// assert_eq!(peer.write_vectored(&bufs).await?, 8);
            /// let mut buf = [0; 16];
            /// let n = stream.read(&mut buf).await?;
            /// assert_eq!(&buf[..n], b"headbody");
            /// # std::io::Result::Ok(())
            /// # })?;
            /// # Ok::<(), std::io::Error>(())
            /// ```
            #[track_caller]
            pub fn write_vectored<'a>(
                &'a self,
                bufs: &'a [std::io::IoSlice<'a>],
            ) -> $crate::stream::WriteVectored<'a> {
                self.$inner().write_vectored(bufs)
            }

            /// Waits until a `try_write` is worth it; a hint.
            ///
            /// # Errors
            ///
            /// When the socket cannot be watched.
            ///
            /// # Cancellation
            ///
            /// Dropping the future loses nothing.
            #[track_caller]
            pub fn writable(&self) -> $crate::stream::Writable<'_> {
                self.$inner().writable()
            }

            /// Writes what the kernel takes at once, without waiting.
            ///
            /// # Errors
            ///
            /// `WouldBlock` if it takes nothing; else the kernel's.
            pub fn try_write(&self, buf: &[u8]) -> std::io::Result<usize> {
                self.$inner().try_write(buf)
            }

            /// Writes from several buffers what the kernel takes at once.
            ///
            /// # Errors
            ///
            /// `WouldBlock` if it takes nothing; else the kernel's.
            pub fn try_write_vectored(
                &self,
                bufs: &[std::io::IoSlice<'_>],
            ) -> std::io::Result<usize> {
                self.$inner().try_write_vectored(bufs)
            }
        }

        $crate::owned::methods::write_owned_methods!([$($generics)*] $type, $inner, $setup);
    };
}

/// `futures-io` reading, for a type whose `$inner` finds the `Stream`.
macro_rules! impl_async_read {
    ([$($generics:tt)*] $type:ty, $inner:ident) => {
        impl<$($generics)*> futures_io::AsyncRead for $type {
            #[inline]
            fn poll_read(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buf: &mut [u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                self.$inner().poll_read(cx, buf)
            }

            fn poll_read_vectored(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                bufs: &mut [std::io::IoSliceMut<'_>],
            ) -> std::task::Poll<std::io::Result<usize>> {
                self.$inner().poll_read_vectored(cx, bufs)
            }
        }
    };
}

/// `futures-io` writing. A flush has nothing to do, as nothing is buffered
/// here; a close ends the writing side.
macro_rules! impl_async_write {
    ([$($generics:tt)*] $type:ty, $inner:ident) => {
        impl<$($generics)*> futures_io::AsyncWrite for $type {
            #[inline]
            fn poll_write(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buf: &[u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                self.$inner().poll_write(cx, buf)
            }

            fn poll_write_vectored(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                bufs: &[std::io::IoSlice<'_>],
            ) -> std::task::Poll<std::io::Result<usize>> {
                self.$inner().poll_write_vectored(cx, bufs)
            }

            fn poll_flush(
                self: std::pin::Pin<&mut Self>,
                _: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                std::task::Poll::Ready(Ok(()))
            }

            fn poll_close(
                self: std::pin::Pin<&mut Self>,
                _: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                std::task::Poll::Ready(self.$inner().close_write())
            }
        }
    };
}

pub(crate) use {impl_async_read, impl_async_write, read_methods, write_methods};
