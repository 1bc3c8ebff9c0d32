//! What a program does by itself: a wait, a lock, a message, a file, a connection.

use std::future::Future;
use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use wakeline::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use wakeline::net::{TcpStream, UnixStream};
use wakeline::pipe::pipe;
use wakeline::process::Command;
use wakeline::time::sleep;
use wakeline::{checkpoint, fs, join, spawn_blocking, yield_now};

use crate::support::Chance;
use crate::world::{Alive, PERMITS, Within, World};

/// A part of a program.
pub(crate) type Part = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Some leaf. It ends by itself, but for those that wait for another program.
pub(crate) fn leaf(mut chance: Chance, world: Arc<World>) -> Part {
    let alive = Alive::new(&world);
    Box::pin(async move {
        let _alive = alive;
        world.counts.steps.fetch_add(1, Ordering::Relaxed);
        match chance.below(19) {
            0 => {}
            1 => yields(&mut chance).await,
            2 => sleep(micros(&mut chance)).await,
            3 => mutex(&mut chance, &world).await,
            4 => rwlock(&mut chance, &world).await,
            5 => semaphore(&mut chance, &world).await,
            6 => send_job(&world).await,
            7 => receive_job(&world).await,
            8 => send_letter(&world).await,
            9 => receive_letter(&world).await,
            10 => world.notify.notified().await,
            11 => world.notify.notify_one(),
            12 => event(&mut chance, &world).await,
            13 => echo(&mut chance, &world).await.expect("an echo"),
            14 => unix(&mut chance).await.expect("a pair of sockets"),
            15 => piped(&mut chance).await.expect("a pipe"),
            16 => file(&mut chance, &world).await.expect("a file"),
            17 => blocking(&mut chance, &world).await,
            _ => child(&mut chance).await.expect("a child process"),
        }
    })
}

pub(crate) fn micros(chance: &mut Chance) -> Duration {
    Duration::from_micros(chance.below(300))
}

/// What is done while something is held: nothing that waits for others.
async fn short(chance: &mut Chance) {
    match chance.below(3) {
        0 => yields(chance).await,
        1 => sleep(micros(chance)).await,
        _ => {}
    }
}

async fn yields(chance: &mut Chance) {
    for _ in 0..chance.below(4) {
        yield_now().await;
    }
}

async fn mutex(chance: &mut Chance, world: &World) {
    let _guard = world.mutex.lock().await;
    let _within = Within::new(&world.counts.in_mutex, 1);
    short(chance).await;
}

async fn rwlock(chance: &mut Chance, world: &World) {
    let counts = &world.counts;
    if chance.one_in(3) {
        let _guard = world.rwlock.write().await;
        let _within = Within::new(&counts.writers, 1);
        assert_eq!(counts.readers.load(Ordering::SeqCst), 0);
        short(chance).await;
    } else {
        let _guard = world.rwlock.read().await;
        let _within = Within::new(&counts.readers, usize::MAX);
        assert_eq!(counts.writers.load(Ordering::SeqCst), 0);
        short(chance).await;
    }
}

async fn semaphore(chance: &mut Chance, world: &World) {
    let many = chance.below(PERMITS as u64) as u32 + 1;
    let _permits = world.semaphore.acquire_many(many as usize).await;
    let _within: Vec<_> = (0..many)
        .map(|_| Within::new(&world.counts.permits, PERMITS))
        .collect();
    short(chance).await;
}

async fn send_job(world: &World) {
    let number = world.number();
    world.jobs.0.send(number).await.expect("it is not closed");
    world.sent(number);
}

async fn receive_job(world: &World) {
    let job = world.jobs.1.recv().await.expect("it is not closed");
    world.received(job.into_inner());
}

async fn send_letter(world: &World) {
    let number = world.number();
    world
        .letters
        .0
        .send(number)
        .await
        .expect("it is not closed");
    world.sent(number);
}

async fn receive_letter(world: &World) {
    let mut letters = world.letters.1.lock().await;
    world.received(letters.recv().await.expect("the sender is there"));
}

async fn event(chance: &mut Chance, world: &World) {
    match chance.below(3) {
        0 => world.event.set(),
        1 => world.event.clear(),
        _ => world.event.wait().await,
    }
}

fn bytes(chance: &mut Chance, most: u64) -> Vec<u8> {
    let mut bytes = vec![0; chance.below(most) as usize];
    chance.fill(&mut bytes);
    bytes
}

async fn echo(chance: &mut Chance, world: &World) -> io::Result<()> {
    let mut stream = TcpStream::connect(world.echo).await?;
    for _ in 0..=chance.below(3) {
        let sent = bytes(chance, 5_000);
        stream.write_all(&sent).await?;
        let mut came = vec![0; sent.len()];
        stream.read_exact(&mut came).await?;
        assert!(came == sent, "an echo of other bytes");
    }
    if chance.one_in(2) {
        stream.shutdown(Shutdown::Write)?;
        assert_eq!(stream.read(&mut [0; 1]).await?, 0);
    }
    Ok(())
}

/// Writes `sent` into the one end and reads it from the other.
async fn through(
    mut to: impl AsyncWrite + Unpin,
    mut from: impl wakeline::io::AsyncRead + Unpin,
    sent: Vec<u8>,
) -> io::Result<()> {
    let write = async {
        to.write_all(&sent).await?;
        drop(to);
        io::Result::Ok(())
    };
    let mut came = Vec::new();
    let (wrote, read) = join!(write, from.read_to_end(&mut came));
    wrote?;
    read?;
    assert!(came == sent, "other bytes came");
    Ok(())
}

async fn unix(chance: &mut Chance) -> io::Result<()> {
    let (a, b) = UnixStream::pair()?;
    through(a, b, bytes(chance, 500_000)).await
}

async fn piped(chance: &mut Chance) -> io::Result<()> {
    let (sender, receiver) = pipe()?;
    through(sender, receiver, bytes(chance, 200_000)).await
}

async fn file(chance: &mut Chance, world: &World) -> io::Result<()> {
    let path = world.directory.0.join(world.number().to_string());
    let written = bytes(chance, 20_000);
    if chance.one_in(2) {
        fs::write(&path, &written).await?;
    } else {
        fs::write_atomic(&path, &written).await?;
    }
    assert!(fs::read(&path).await? == written, "a file of other bytes");
    fs::remove_file(&path).await
}

async fn blocking(chance: &mut Chance, world: &Arc<World>) {
    let (alive, pause) = (Alive::new(world), micros(chance));
    let job = spawn_blocking(move || {
        let _alive = alive;
        std::thread::sleep(pause); // the job's work: it blocks its thread
        checkpoint().is_ok()
    });
    if chance.one_in(3) {
        job.abort();
    }
    // Cut off before it began, or it has come to its end.
    let _ = job.await;
}

async fn child(chance: &mut Chance) -> io::Result<()> {
    if !chance.one_in(8) {
        return Ok(());
    }
    let sent = bytes(chance, 100_000);
    let mut cat = Command::new("cat");
    cat.stdin(wakeline::process::Stdio::piped());
    cat.stdout(wakeline::process::Stdio::piped());
    cat.kill_on_drop(true);
    let output = cat.spawn()?.communicate(sent.clone()).await?;
    assert!(output.stdout == sent, "cat of other bytes");
    Ok(())
}
