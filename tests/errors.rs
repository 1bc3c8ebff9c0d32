//! Errors of wakeline on their way up: into `io::Error`, into a `Box<dyn Error>`.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::time::Duration;

use wakeline::join_set::TaskError;
use wakeline::pool::PoolError;
use wakeline::retry::{Retry, retry};
use wakeline::scope::StartError;
use wakeline::{JoinSet, ScopeError, block_on, scope};

type Any = Box<dyn Error + Send + Sync>;

fn refused() -> io::Error {
    ErrorKind::ConnectionRefused.into()
}

#[test]
fn any_error_of_an_application_passes_through_what_wraps_it() {
    async fn all() -> Result<(), Any> {
        let summed = scope(|s| async move {
            s.spawn(async { Err::<(), Any>("in a child".into()) });
            Ok(1)
        });
        summed.await?;
        Ok(())
    }
    assert_eq!(block_on(all()).unwrap_err().to_string(), "in a child");

    async fn tried() -> Result<(), Any> {
        let policy = Retry::fixed(Duration::ZERO).attempts(1);
        Ok(retry(policy, async || Err::<(), Any>("no luck".into())).await?)
    }
    assert!(
        block_on(tried())
            .unwrap_err()
            .to_string()
            .ends_with("no luck")
    );

    fn is_error<T: Error>() {}
    is_error::<PoolError<Any>>();
    is_error::<StartError<Any>>();
    is_error::<TaskError<Any>>();
}

#[test]
fn the_kind_of_an_error_stays_on_its_way_into_one_of_io() {
    let failed = block_on(scope(|_| async { Err::<(), _>(refused()) }));
    let error = io::Error::from(failed.unwrap_err());
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);

    let several = block_on(scope(|s| async move {
        s.spawn(async { Err::<(), _>(io::Error::other("a child")) });
        Err::<(), _>(refused())
    }));
    let error = io::Error::from(several.unwrap_err());
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    assert!(error.to_string().starts_with("2 failures: "), "{error}");

    let elapsed: Result<(), ScopeError<io::Error>> = block_on(async {
        scope(|_| std::future::pending())
            .timeout(Duration::ZERO)
            .await
    });
    assert_eq!(
        io::Error::from(elapsed.unwrap_err()).kind(),
        ErrorKind::TimedOut
    );

    let policy = Retry::fixed(Duration::ZERO).attempts(2);
    let tried = block_on(retry(policy, async || Err::<(), _>(refused())));
    let error = io::Error::from(tried.unwrap_err());
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    assert!(error.to_string().contains("2 attempts"), "{error}");

    let joined = block_on(async {
        let mut set = JoinSet::new();
        set.spawn(async { Err::<(), _>(refused()) });
        set.try_join_all().await
    });
    let error = io::Error::from(joined.unwrap_err());
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);

    let error = io::Error::from(PoolError::Create(refused()));
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    let error = io::Error::from(StartError::Failed(refused()));
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}
