//! The methods of streams that own their buffers; part of the macros of
//! [`methods`](crate::methods), which see.

/// Reading: for whole streams and read halves.
macro_rules! read_owned_methods {
    ([$($generics:tt)*] $type:ty, $inner:ident, $setup:literal) => {
        impl<$($generics)*> $type {
            /// Reads into the room of `buf`, and gives `buf` back with how many
            /// bytes came; 0 is the end of the stream, or no room.
            ///
            /// Where they go, by the kind of buffer, says
            /// [`IoBufMut`](crate::io::IoBufMut): a `Vec` grows by them within
            /// its capacity. So `Vec::with_capacity(n)` has room, and `vec![0; n]` has
            /// none; clear one that is used again.
            ///
            /// # Errors
            ///
            /// As of `read`; the buffer comes back all the same.
            ///
            /// # Cancellation
            ///
            /// Dropping the future drops the buffer and loses no byte of the
            /// stream; its `cancel` gives the buffer back.
            ///
            /// # Example
            ///
            /// ```
            /// # wakeline_net::testing::block_on(async {
            #[doc = $setup]
            /// use wakeline_net::io::AsyncWriteExt;
            ///
            /// peer.write_all(b"hello").await?;
            /// let (result, buf) = stream.read_owned(Vec::with_capacity(64)).await;
            /// assert_eq!((result?, &buf[..]), (5, &b"hello"[..]));
            ///
            /// let (gave_up, buf) = stream.read_owned(buf).cancel().await;
            /// assert!(gave_up.is_err());
            /// assert_eq!(buf, b"hello");
            /// # std::io::Result::Ok(())
            /// # })?;
            /// # Ok::<(), std::io::Error>(())
            /// ```
            #[track_caller]
            pub fn read_owned<B: $crate::io::IoBufMut>(
                &self,
                buf: B,
            ) -> $crate::io::owned::ReadOwned<'_, B> {
                $crate::owned::ReadOwned::new(self.$inner(), buf)
            }

            /// Waits for data and then for a buffer of `pool`, and reads; an
            /// empty buffer is the end of the stream.
            ///
            /// While it waits it holds no buffer. Those who wait for one get it
            /// in the order in which they came; who keeps what was read keeps
            /// others waiting.
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
            /// See [`BufferPool`](crate::io::BufferPool).
            #[track_caller]
            pub fn read_from_pool(
                &self,
                pool: &$crate::io::BufferPool,
            ) -> $crate::io::ReadFromPool<'_> {
                $crate::io::ReadFromPool::new(self.$inner(), pool)
            }

            /// Reads into the room of several buffers in order, as one call, at
            /// most 1,024 of them; gives them back with how many bytes came.
            ///
            /// # Errors
            ///
            /// As of `read`; the buffers come back all the same.
            ///
            /// # Cancellation
            ///
            /// As of `read_owned`.
            #[track_caller]
            pub fn read_vectored_owned<B: $crate::io::IoBufMut>(
                &self,
                bufs: Vec<B>,
            ) -> $crate::io::owned::ReadVectoredOwned<'_, B> {
                $crate::owned::ReadVectoredOwned::new(self.$inner(), bufs)
            }
        }
    };
}

/// Writing: for whole streams and write halves.
macro_rules! write_owned_methods {
    ([$($generics:tt)*] $type:ty, $inner:ident, $setup:literal) => {
        impl<$($generics)*> $type {
            /// Writes from `buf`, and gives it back with how many bytes the
            /// kernel took, which may be fewer than all.
            ///
            /// # Errors
            ///
            /// As of `write`; the buffer comes back all the same.
            ///
            /// # Cancellation
            ///
            /// Dropping the future before it is ready has written nothing; its
            /// `cancel` gives the buffer back.
            #[track_caller]
            pub fn write_owned<B: $crate::io::IoBuf>(
                &self,
                buf: B,
            ) -> $crate::io::owned::WriteOwned<'_, B> {
                $crate::owned::WriteOwned::new(self.$inner(), buf)
            }

            /// Writes all of `buf`, and gives it back; on request
            /// [without a copy](crate::io::owned::WriteAllOwned::zero_copy).
            ///
            /// # Errors
            ///
            /// As of `write`, with an unknown part of it written; the buffer
            /// comes back all the same.
            ///
            /// # Cancellation
            ///
            /// Dropping the future may leave a prefix written, and nothing of
            /// the rest is written later: never within the next write. Its
            /// `cancel` gives the buffer back and tells how long the prefix is.
            ///
            /// # Example
            ///
            /// ```
            /// # wakeline_net::testing::block_on(async {
            #[doc = $setup]
            /// use wakeline_net::io::IoBuf;
            ///
            /// let (result, text) = peer.write_all_owned(String::from("hello")).await;
            /// result?;
            /// let (result, part) = peer.write_all_owned(text.slice(..4)).await;
            /// result?;
            /// let text = part.into_inner();
            /// assert_eq!(text, "hello");
            /// # drop(stream);
            /// # std::io::Result::Ok(())
            /// # })?;
            /// # Ok::<(), std::io::Error>(())
            /// ```
            #[track_caller]
            pub fn write_all_owned<B: $crate::io::IoBuf>(
                &self,
                buf: B,
            ) -> $crate::io::owned::WriteAllOwned<'_, B> {
                $crate::owned::WriteAllOwned::new(self.$inner(), buf)
            }

            /// Writes from several buffers in order, as one call, at most 1,024
            /// of them; gives them back with how many bytes the kernel took.
            ///
            /// # Errors
            ///
            /// As of `write_owned`.
            ///
            /// # Cancellation
            ///
            /// As of `write_owned`.
            #[track_caller]
            pub fn write_vectored_owned<B: $crate::io::IoBuf>(
                &self,
                bufs: Vec<B>,
            ) -> $crate::io::owned::WriteVectoredOwned<'_, B> {
                $crate::owned::WriteVectoredOwned::new(self.$inner(), bufs)
            }

            /// Writes all of several buffers, in order, and gives them back.
            ///
            /// # Errors
            ///
            /// As of `write_all_owned`.
            ///
            /// # Cancellation
            ///
            /// As of `write_all_owned`.
            ///
            /// # Example
            ///
            /// ```
            /// # wakeline_net::testing::block_on(async {
            #[doc = $setup]
            /// let (result, _) = peer.write_all_vectored_owned(vec!["head", "body"]).await;
            /// result?;
            /// let bufs: Vec<Box<[u8]>> = vec![Box::from([0; 4]), Box::from([0; 8])];
            /// let (n, bufs) = stream.read_vectored_owned(bufs).await;
            /// assert_eq!((n?, &bufs[1][..4]), (8, &b"body"[..]));
            /// # std::io::Result::Ok(())
            /// # })?;
            /// # Ok::<(), std::io::Error>(())
            /// ```
            #[track_caller]
            pub fn write_all_vectored_owned<B: $crate::io::IoBuf>(
                &self,
                bufs: Vec<B>,
            ) -> $crate::io::owned::WriteAllVectoredOwned<'_, B> {
                $crate::owned::WriteAllVectoredOwned::new(self.$inner(), bufs)
            }
        }
    };
}

pub(crate) use {read_owned_methods, write_owned_methods};
