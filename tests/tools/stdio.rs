//! A program whose standard streams are whatever the test makes them.
//!
//! ```text
//! stdio uring|epoll WHAT
//! ```
//!
//! What it has to say it says on standard error, by std.

use std::env;
use std::io::Result;
use std::pin::pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Wake, Waker};

use wakeline::Runtime;
use wakeline::io::{self, AsyncReadExt, AsyncWriteExt, BufReader};
use wakeline::time::sleep;

/// Polls a read once and drops it. The waker is listed as long as the handle lives.
fn begin_to_read(stdin: &mut io::Stdin, waker: &Waker) {
    let mut buf = [0; 64];
    let mut read = pin!(stdin.read(&mut buf));
    let polled = read.as_mut().poll(&mut Context::from_waker(waker));
    eprintln!(
        "{}",
        if polled.is_pending() {
            "pending"
        } else {
            "ready"
        }
    );
}

/// A waker that is no task's.
struct Tells(mpsc::Sender<()>);

impl Wake for Tells {
    fn wake(self: Arc<Self>) {
        let _ = self.0.send(());
    }
}

async fn cat() -> Result<()> {
    let mut stdout = io::stdout();
    io::copy(io::stdin(), &mut stdout).await?;
    stdout.flush().await
}

/// More than any pipe, terminal or queue takes.
async fn flood() -> Result<()> {
    let bytes = vec![b'x'; 1 << 20];
    let mut stdout = io::stdout();
    let mut all = pin!(stdout.write_all(&bytes));
    let polled = all.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending());
    // Whoever sees this has read nothing of it yet, and the one thread lives.
    sleep(std::time::Duration::from_millis(1)).await;
    eprintln!("alive");
    all.await?;
    io::stdout().flush().await
}

/// Writes until that is an error.
async fn until_broken() -> Result<()> {
    let mut line = String::new();
    BufReader::new(io::stdin()).read_line(&mut line).await?;
    let mut stdout = io::stdout();
    let error = loop {
        if let Err(error) = stdout.write_all(b"anybody?\n").await {
            break error;
        }
        if let Err(error) = stdout.flush().await {
            break error;
        }
    };
    eprintln!("{:?}", error.kind());
    Ok(())
}

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [driver, what] = arguments.as_slice() else {
        panic!("stdio uring|epoll WHAT");
    };
    let driver = driver.parse().expect("a driver");
    let runtime = Runtime::builder().workers(1).driver(driver).build()?;
    runtime.block_on(async {
        match what.as_str() {
            "cat" => cat().await,
            "drop" => {
                begin_to_read(&mut io::stdin(), Waker::noop());
                cat().await
            }
            "keep" => {
                let (told, hear) = mpsc::channel();
                let mut stdin = io::stdin();
                begin_to_read(&mut stdin, &Waker::from(Arc::new(Tells(told))));
                // Blocks on purpose: what was read for nobody is here by then.
                hear.recv().expect("a wake");
                cat().await
            }
            "leave" => {
                begin_to_read(&mut io::stdin(), Waker::noop());
                Ok(())
            }
            "flood" => flood().await,
            "until-broken" => until_broken().await,
            other => panic!("{other}?"),
        }
    })
}
