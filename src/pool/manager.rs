//! What a pool asks of the one who knows its resources.

use std::future::Future;
use std::sync::Arc;

/// Makes and looks after the resources of a [`Pool`](super::Pool).
///
/// # Example
///
/// ```
/// use std::io;
/// use wakeline::net::TcpStream;
/// use wakeline::pool::Manager;
///
/// struct Backend(&'static str);
///
/// impl Manager for Backend {
///     type Resource = TcpStream;
///     type Error = io::Error;
///
///     async fn create(&self) -> io::Result<TcpStream> {
///         TcpStream::connect(self.0).await
///     }
/// }
/// ```
pub trait Manager: Send + Sync + 'static {
    /// What is lent.
    type Resource: Send + 'static;
    /// Why it could not be made, or is not fit any more.
    type Error: Send + 'static;

    /// Makes a resource, for a caller of [`Pool::acquire`](super::Pool::acquire) who waits for it.
    ///
    /// # Errors
    ///
    /// Goes to that caller only.
    fn create(&self) -> impl Future<Output = Result<Self::Resource, Self::Error>> + Send;

    /// Looks whether an idle resource is still good, before it is lent.
    ///
    /// # Errors
    ///
    /// It is not: it will be closed, and another one made. The error is dropped.
    fn check(
        &self,
        resource: &mut Self::Resource,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send {
        let _ = resource;
        async { Ok(()) }
    }

    /// Makes a resource that came back fit for the next user, in the background.
    ///
    /// # Errors
    ///
    /// It cannot be: it will be closed. The error is dropped.
    fn recycle(
        &self,
        resource: &mut Self::Resource,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send {
        let _ = resource;
        async { Ok(()) }
    }

    /// Takes leave of a resource: one that broke, or when the pool is closed.
    ///
    /// Its slot is free when this is done.
    fn close(&self, resource: Self::Resource) -> impl Future<Output = ()> + Send {
        async move { drop(resource) }
    }
}

/// A shared manager is one too: for who keeps it, to look at what it knows.
///
/// # Example
///
/// ```
/// use std::convert::Infallible;
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
/// use wakeline::{Pool, pool::Manager};
///
/// #[derive(Default)]
/// struct Numbered {
///     made: AtomicUsize,
/// }
///
/// impl Manager for Numbered {
///     type Resource = usize;
///     type Error = Infallible;
///
///     async fn create(&self) -> Result<usize, Infallible> {
///         Ok(self.made.fetch_add(1, Relaxed))
///     }
/// }
///
/// let numbered = Arc::new(Numbered::default());
/// let pool = Pool::new(Arc::clone(&numbered), 2);
/// wakeline::block_on(async {
///     assert_eq!(*pool.acquire().await.expect("it is open"), 0);
/// });
/// assert_eq!(numbered.made.load(Relaxed), 1);
/// ```
impl<M: Manager + ?Sized> Manager for Arc<M> {
    type Resource = M::Resource;
    type Error = M::Error;

    fn create(&self) -> impl Future<Output = Result<M::Resource, M::Error>> + Send {
        M::create(self)
    }

    fn check(
        &self,
        resource: &mut M::Resource,
    ) -> impl Future<Output = Result<(), M::Error>> + Send {
        M::check(self, resource)
    }

    fn recycle(
        &self,
        resource: &mut M::Resource,
    ) -> impl Future<Output = Result<(), M::Error>> + Send {
        M::recycle(self, resource)
    }

    fn close(&self, resource: M::Resource) -> impl Future<Output = ()> + Send {
        M::close(self, resource)
    }
}
