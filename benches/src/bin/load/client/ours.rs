//! Our client: a runtime of one worker a thread, a task a connection.

use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use wakeline::future::join_all;
use wakeline::sync::Semaphore;
use wakeline::time::{sleep, sleep_until, timeout_at};
use wakeline::{Runtime, select, spawn_local};

use super::link::Link;
use super::pump::{Desk, End, Pump};
use crate::cli::Mode;
use crate::run::{Pace, RETRY_AFTER, Run};
use crate::tally::{Fault, Tally};

/// Connections that are made at once: more would overrun a listener's backlog.
const CONNECTING: usize = 64;

pub(crate) fn runtime(run: &Run) -> Result<Runtime, String> {
    Runtime::builder()
        .workers(1)
        .driver(run.driver)
        .spin(run.spin)
        .build()
        .map_err(|error| format!("cannot start: {error}"))
}

/// Makes this thread's connections, waits for the others, and works.
pub(crate) fn thread(run: &Arc<Run>, nth: usize, runtime: Runtime) -> Tally {
    runtime.block_on(async {
        let mut tally = Tally::new();
        let links = match run.mode {
            Mode::Churn | Mode::Storm => run.share(nth).map(|_| None).collect(),
            Mode::Stream | Mode::Idle => connect_all(run, nth, &mut tally).await,
        };
        // It blocks: nothing else is to be done here, and all begin together.
        run.start.wait();
        let desk = Rc::new(Desk::new(tally, run.window()));
        work(run, nth, links, &desk).await;
        desk.tally.replace(Tally::new())
    })
}

/// What comes before Ctrl-C.
async fn before_stop<F: Future>(run: &Run, future: F) -> Option<F::Output> {
    select! {
        biased;
        _reason = run.stop.cancelled() => None,
        output = future => Some(output),
    }
}

async fn connect_all(run: &Run, nth: usize, tally: &mut Tally) -> Vec<Option<Link>> {
    let room = Semaphore::new(CONNECTING);
    let connecting = run.share(nth).map(|_| async {
        let _permit = room.acquire().await;
        Link::connect(&run.address).await
    });
    let results = before_stop(run, join_all(connecting)).await;
    let mut links = Vec::new();
    for result in results.unwrap_or_default() {
        match &result {
            Ok(_) => tally.connected(&run.live),
            Err(fault) => tally.failed(fault, &run.live),
        }
        links.push(result.ok());
    }
    links
}

/// All connections of the thread, until the time is over or Ctrl-C.
async fn work(run: &Arc<Run>, nth: usize, links: Vec<Option<Link>>, desk: &Rc<Desk>) {
    let connections = run.share(nth).zip(links);
    let tasks: Vec<_> = connections
        .map(|(nth, link)| {
            let (run, desk) = (Arc::clone(run), Rc::clone(desk));
            let task = async move {
                connection(&run, &desk, nth, link).await;
                desk.ended.set(desk.ended.get() + 1);
            };
            spawn_local(task).abort_on_drop()
        })
        .collect();
    let all = tasks.len();
    let ended = before_stop(run, timeout_at(desk.window.patience, join_all(tasks))).await;
    if let Some(Err(_elapsed)) = ended {
        for _ in desk.ended.get()..all {
            desk.tally
                .borrow_mut()
                .failed(&Fault::unanswered(), &run.live);
        }
    }
}

async fn connection(run: &Run, desk: &Desk, nth: usize, mut link: Option<Link>) {
    if run.mode == Mode::Storm {
        return storm(run, desk, nth).await;
    }
    let mut pace = run.pace(nth);
    let mut failed = link.is_none() && run.mode != Mode::Churn;
    while Instant::now() < desk.window.until {
        if std::mem::take(&mut failed) {
            sleep(RETRY_AFTER).await;
        }
        let result = match run.mode {
            Mode::Stream => stream(run, desk, nth, link.take(), &mut pace).await,
            Mode::Churn => churn(run, desk, nth, &mut pace).await,
            Mode::Idle | Mode::Storm => idle(run, desk, link.take()).await,
        };
        if let Err(fault) = result {
            desk.tally.borrow_mut().failed(&fault, &run.live);
            failed = true;
        } else if run.mode == Mode::Idle {
            return; // the memory was looked at
        }
    }
}

async fn connect(run: &Run, desk: &Desk) -> Result<Link, Fault> {
    let link = Link::connect(&run.address).await?;
    desk.tally.borrow_mut().connected(&run.live);
    Ok(link)
}

async fn stream(
    run: &Run,
    desk: &Desk,
    nth: usize,
    link: Option<Link>,
    pace: &mut Pace,
) -> Result<(), Fault> {
    let mut link = match link {
        Some(link) => link,
        None => connect(run, desk).await?,
    };
    match Pump::new(run, desk, &mut link, nth, pace).await? {
        End::Done => drop(link.finish()), // gone already, it may be
        End::Reopen => {}
    }
    Ok(())
}

/// One connection with one message, from connect to the server's end.
async fn churn(run: &Run, desk: &Desk, nth: usize, pace: &mut Pace) -> Result<(), Fault> {
    let until = desk.window.until;
    let due = loop {
        if let Some(due) = pace.take(Instant::now(), until) {
            break due;
        }
        sleep_until(pace.wait_until(until).unwrap_or(until)).await;
        if Instant::now() >= until {
            return Ok(());
        }
    };
    let mut link = connect(run, desk).await?;
    let mut none = *pace;
    Pump::new(run, desk, &mut link, nth, &mut none)
        .once(due)
        .await?;
    link.finish()
        .map_err(|error| Fault::io("shutdown", &error))?;
    let end = std::future::poll_fn(|cx| link.poll_read(cx, &mut [0])).await;
    match end {
        Ok(0) => {}
        Ok(_) => return Err(Fault::new("unasked answer", "more came than was asked for")),
        Err(error) => return Err(Fault::io("close", &error)),
    }
    let mut tally = desk.tally.borrow_mut();
    tally.answered(desk.window, due, Instant::now(), &run.live);
    Ok(())
}

/// One connection of many that are made in one moment; it is held until the
/// main thread has seen how that went.
async fn storm(run: &Run, desk: &Desk, nth: usize) {
    let due = desk.window.from;
    sleep_until(due).await;
    let answered = async {
        let mut link = connect(run, desk).await?;
        let mut none = run.pace(nth); // never asked
        let pump = Pump::new(run, desk, &mut link, nth, &mut none);
        pump.once(due).await?;
        Ok(link)
    };
    let link: Result<Link, Fault> = answered.await;
    match &link {
        Ok(_) => {
            let mut tally = desk.tally.borrow_mut();
            tally.answered(desk.window, due, Instant::now(), &run.live);
        }
        Err(fault) => desk.tally.borrow_mut().failed(fault, &run.live),
    }
    run.one_over();
    run.sampled.cancelled().await;
    drop(link);
}

/// Holds a connection until the memory was looked at, after the end.
async fn idle(run: &Run, desk: &Desk, link: Option<Link>) -> Result<(), Fault> {
    let mut link = match link {
        Some(link) => link,
        None => connect(run, desk).await?,
    };
    let read = std::future::poll_fn(|cx| link.poll_read(cx, &mut [0]));
    let read = select! {
        biased;
        _sampled = run.sampled.cancelled() => return Ok(()),
        read = read => read,
    };
    match read {
        Ok(0) => Err(Fault::closed(0)),
        Ok(_) => Err(Fault::new(
            "unasked answer",
            "bytes came on an idle connection",
        )),
        Err(error) => Err(Fault::io("receive", &error)),
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::task::Poll;

    use clap::Parser;

    use super::*;
    use crate::cli::Options;
    use crate::speak::Script;
    use crate::target::Address;

    fn idle_for(time: &str, listener: &std::net::TcpListener) -> Run {
        let address = Address::Tcp(listener.local_addr().expect("its address"));
        let arguments = [
            "load", "a:1", "--mode", "idle", "-c", "1", "-w", "0s", "-t", time,
        ];
        let options = Options::parse_from(arguments);
        let script = Script::Echo {
            size: 1,
            first: None,
        };
        Run::new(&options, address, script)
    }

    #[test]
    fn idle_connections_stay_until_the_memory_is_sampled() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let run = idle_for("10ms", &listener);
        let runtime = runtime(&run).expect("it starts");
        runtime.block_on(async {
            let desk = Desk::new(Tally::new(), run.window());
            let link = Link::connect(&run.address).await.expect("it listens");
            sleep_until(desk.window.until).await;
            let mut idle = pin!(idle(&run, &desk, Some(link)));
            let early = poll_fn(|cx| Poll::Ready(idle.as_mut().poll(cx).is_ready())).await;
            assert!(!early);
            run.sampled.cancel("sampled");
            assert_eq!(idle.await, Ok(()));
        });
    }

    #[test]
    fn each_connection_that_is_not_answered_is_an_error() {
        let deaf = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = Address::Tcp(deaf.local_addr().expect("its address"));
        let arguments = "load a:1 -c 3 -w 0s -t 10ms --drain 0s";
        let (size, first) = (1, None);
        for mode in ["stream", "churn", "storm"] {
            let arguments = format!("{arguments} --mode {mode}");
            let options = Options::parse_from(arguments.split(' '));
            let run = Run::new(&options, address.clone(), Script::Echo { size, first });
            let runtime = runtime(&run).expect("it starts");
            let run = Arc::new(run);
            let main = Arc::clone(&run);
            let tally = std::thread::scope(|scope| {
                scope.spawn(move || main.start.wait());
                thread(&run, 0, runtime)
            });
            let errors: Vec<_> = tally.errors.values().map(|all| all.count).collect();
            assert_eq!(errors, [3], "{mode}: {:?}", tally.errors);
        }
    }

    #[test]
    fn idle_connections_are_not_made_again_after_that() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let run = idle_for("50ms", &listener);
        run.sampled.cancel("sampled"); // as Ctrl-C does, before the time is over
        let runtime = runtime(&run).expect("it starts");
        runtime.block_on(async {
            let desk = Desk::new(Tally::new(), run.window());
            let link = Link::connect(&run.address).await.expect("it listens");
            connection(&run, &desk, 0, Some(link)).await;
            assert_eq!(desk.tally.borrow().connects, 0);
        });
    }
}
