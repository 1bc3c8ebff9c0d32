//! A stream that is written at one end and read at the other: its bytes in their
//! order, and its end.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::pin::Pin;

use crate::moments::Moments;
use crate::notes::{Notes, outcome, told};
use crate::support::Chance;
use crate::{Played, Script};
use rustix::event::{PollFd, PollFlags, Timespec};
use wakeline::io::owned::{ReadOwned, ReadVectoredOwned, WriteAllOwned, WriteAllVectoredOwned};
use wakeline::io::{AsyncBufRead, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use wakeline::io::{BufReader, BufferPool, ReadFromPool};
use wakeline::net::{TcpListener, TcpStream, UnixStream};
use wakeline::pipe;
use wakeline_net::stream::{Read, ReadVectored, Write, WriteVectored};

/// So many bytes may lie in a stream: fewer than any of them has room for.
const MOST: usize = 3_000;
/// More than that.
const FLOOD: usize = 256 << 10;
const SEPARATOR: u8 = b'\n';

/// Which read or write it is. An owned write is not dropped but cancelled, and so
/// tells what it has done.
#[derive(Clone, Copy, Debug)]
enum By {
    One,
    Several,
    Owned,
    /// Cancelled also where it is a read; a write of zero copy.
    OwnedCancelled,
    SeveralOwned,
    Pool,
}

/// Of a `BufReader`, which takes all or nothing.
#[derive(Clone, Copy, Debug)]
enum Gather {
    Some,
    Exactly(usize),
    Line,
}

#[derive(Clone, Debug)]
enum Step {
    /// And the rest after a drop.
    Write(Vec<u8>, By, Moments),
    /// And what arrives meanwhile.
    Read(Vec<u8>, usize, By, Moments),
    Gather(Vec<u8>, Gather, Moments),
    /// All that was sent is read.
    Settle,
    /// More than there is room for, written and read at once.
    Flood(Vec<u8>, By, Moments),
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Tcp,
    Unix,
    Pipe,
}

/// The end of the stream, when all that was sent is read.
#[derive(Clone, Debug)]
enum End {
    /// The writer's, after a `write_all` that was dropped: it tells nothing.
    Written(Vec<u8>, Moments),
    /// The reader goes first.
    Read,
}

pub(crate) struct Streams {
    kind: Kind,
    steps: Vec<Step>,
    end: End,
}

pub(crate) fn tcp(chance: &mut Chance) -> Streams {
    script(chance, Kind::Tcp)
}

pub(crate) fn unix(chance: &mut Chance) -> Streams {
    script(chance, Kind::Unix)
}

pub(crate) fn pipe(chance: &mut Chance) -> Streams {
    script(chance, Kind::Pipe)
}

fn script(chance: &mut Chance, kind: Kind) -> Streams {
    let gathers = chance.one_in(3);
    let (mut steps, mut outstanding) = (Vec::new(), 0);
    for _ in 0..24 {
        let moments = Moments::new(chance);
        let by = [
            By::One,
            By::Several,
            By::Owned,
            By::OwnedCancelled,
            By::SeveralOwned,
            By::Pool,
        ][chance.below(6) as usize];
        if outstanding > MOST / 2 || chance.one_in(8) {
            steps.push(Step::Settle);
            outstanding = 0;
        }
        if chance.one_in(12) {
            // Nobody reads until it is dropped.
            let moments = Moments::dropped(chance);
            steps.push(Step::Flood(bytes(chance, FLOOD), by, moments));
            outstanding = 0;
            continue;
        }
        let length = 1 + chance.below(300) as usize;
        let mut sent = bytes(chance, length);
        outstanding += length;
        steps.push(match chance.below(3) {
            0 => Step::Write(sent, by, moments),
            _ if !gathers => Step::Read(sent, 1 + chance.below(400) as usize, by, moments),
            _ => {
                let gather = match chance.below(3) {
                    0 => Gather::Some,
                    // As much as arrives, so that it is there.
                    1 => Gather::Exactly(1 + chance.below(length as u64) as usize),
                    _ => {
                        sent[length - 1] = SEPARATOR;
                        Gather::Line
                    }
                };
                Step::Gather(sent, gather, moments)
            }
        });
    }
    steps.push(Step::Settle);
    // How TCP tells a writer that nobody reads depends on when he asks.
    let end = if chance.one_in(2) && !matches!(kind, Kind::Tcp) {
        End::Read
    } else {
        End::Written(bytes(chance, FLOOD), Moments::dropped(chance))
    };
    Streams { kind, steps, end }
}

fn bytes(chance: &mut Chance, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    chance.fill(&mut bytes);
    bytes
}

/// What is read; `None` where there is no such read.
trait Reads: AsyncRead + Send + Sync + Unpin {
    fn one<'a>(&'a self, buf: &'a mut [u8]) -> Read<'a>;
    fn several<'a>(&'a self, bufs: &'a mut [IoSliceMut<'a>]) -> ReadVectored<'a>;
    fn owned(&self, _room: usize) -> Option<ReadOwned<'_, Vec<u8>>> {
        None
    }
    fn several_owned(&self, _room: usize) -> Option<ReadVectoredOwned<'_, Vec<u8>>> {
        None
    }
    fn pooled<'a>(&'a self, _pool: &'a BufferPool) -> Option<ReadFromPool<'a>> {
        None
    }
}

/// What is written, likewise.
trait Writes: AsyncWrite + AsFd + Send + Sync + Unpin {
    fn one<'a>(&'a self, buf: &'a [u8]) -> Write<'a>;
    fn several<'a>(&'a self, bufs: &'a [IoSlice<'a>]) -> WriteVectored<'a>;
    fn owned(&self, _bytes: Vec<u8>) -> Option<WriteAllOwned<'_, Vec<u8>>> {
        None
    }
    fn several_owned(&self, _bytes: Vec<Vec<u8>>) -> Option<WriteAllVectoredOwned<'_, Vec<u8>>> {
        None
    }
    /// The end that the reader sees.
    fn end(self) -> io::Result<Option<Self>>
    where
        Self: Sized;
}

macro_rules! borrowed {
    (Reads) => {
        fn one<'a>(&'a self, buf: &'a mut [u8]) -> Read<'a> {
            self.read(buf)
        }

        fn several<'a>(&'a self, bufs: &'a mut [IoSliceMut<'a>]) -> ReadVectored<'a> {
            self.read_vectored(bufs)
        }
    };
    (Writes) => {
        fn one<'a>(&'a self, buf: &'a [u8]) -> Write<'a> {
            self.write(buf)
        }

        fn several<'a>(&'a self, bufs: &'a [IoSlice<'a>]) -> WriteVectored<'a> {
            self.write_vectored(bufs)
        }
    };
}

macro_rules! socket {
    ($type:ty) => {
        impl Reads for $type {
            borrowed!(Reads);

            fn owned(&self, room: usize) -> Option<ReadOwned<'_, Vec<u8>>> {
                Some(self.read_owned(Vec::with_capacity(room)))
            }

            fn several_owned(&self, room: usize) -> Option<ReadVectoredOwned<'_, Vec<u8>>> {
                let rooms = [room / 3 + 1, room].map(Vec::with_capacity);
                Some(self.read_vectored_owned(rooms.into()))
            }

            fn pooled<'a>(&'a self, pool: &'a BufferPool) -> Option<ReadFromPool<'a>> {
                Some(self.read_from_pool(pool))
            }
        }

        impl Writes for $type {
            borrowed!(Writes);

            fn owned(&self, bytes: Vec<u8>) -> Option<WriteAllOwned<'_, Vec<u8>>> {
                Some(self.write_all_owned(bytes))
            }

            fn several_owned(
                &self,
                bytes: Vec<Vec<u8>>,
            ) -> Option<WriteAllVectoredOwned<'_, Vec<u8>>> {
                Some(self.write_all_vectored_owned(bytes))
            }

            fn end(self) -> io::Result<Option<Self>> {
                self.shutdown(Shutdown::Write)?;
                Ok(Some(self))
            }
        }
    };
}

socket!(TcpStream);
socket!(UnixStream);

impl Reads for pipe::Receiver {
    borrowed!(Reads);
}

impl Writes for pipe::Sender {
    borrowed!(Writes);

    fn end(self) -> io::Result<Option<Self>> {
        Ok(None)
    }
}

impl Script for Streams {
    fn play<'a>(&'a self, _: &'a Path, notes: &'a mut Notes) -> Played<'a> {
        Box::pin(async move {
            match self.kind {
                Kind::Tcp => {
                    let listener = TcpListener::bind("127.0.0.1:0").await?;
                    let writer = TcpStream::connect(listener.local_addr()?).await?;
                    writer.set_nodelay(true)?;
                    let (reader, _) = listener.accept().await?;
                    // So that a flood is more than they take.
                    socket2::SockRef::from(&writer).set_send_buffer_size(32 << 10)?;
                    self.all(writer, reader, notes).await
                }
                Kind::Unix => {
                    let (writer, reader) = UnixStream::pair()?;
                    self.all(writer, reader, notes).await
                }
                Kind::Pipe => {
                    let (writer, reader) = pipe::pipe()?;
                    self.all(writer, reader, notes).await
                }
            }
        })
    }
}

/// One stream, and what came of it since the last settling.
struct Link<R, W> {
    writer: W,
    reader: BufReader<R>,
    pool: BufferPool,
    sent: usize,
    received: Vec<u8>,
}

impl Streams {
    async fn all<R: Reads, W: Writes>(
        &self,
        writer: W,
        reader: R,
        notes: &mut Notes,
    ) -> io::Result<()> {
        let mut link = Link {
            writer,
            reader: BufReader::new(reader),
            pool: BufferPool::new(1, 150),
            sent: 0,
            received: Vec::new(),
        };
        for step in &self.steps {
            match step {
                Step::Write(bytes, by, moments) => {
                    link.sent += bytes.len();
                    let done = write(&link.writer, bytes, *by, moments).await?;
                    link.writer.write_all(&bytes[done..]).await?;
                }
                Step::Read(bytes, room, by, moments) => {
                    link.sent += bytes.len();
                    link.read(bytes, *room, *by, moments).await?;
                }
                Step::Gather(bytes, gather, moments) => {
                    link.sent += bytes.len();
                    link.gather(bytes, *gather, moments).await?;
                }
                Step::Settle => link.settle(notes).await?,
                Step::Flood(bytes, by, moments) => {
                    link.sent += bytes.len();
                    let done = write(&link.writer, bytes, *by, moments).await?;
                    link.flood(&bytes[done..]).await?;
                    link.settle(notes).await?;
                }
            }
        }
        self.end(link, notes).await
    }

    async fn end<R: Reads, W: Writes>(
        &self,
        link: Link<R, W>,
        notes: &mut Notes,
    ) -> io::Result<()> {
        let Link {
            mut writer,
            mut reader,
            ..
        } = link;
        match &self.end {
            End::Written(bytes, moments) => {
                let written = moments.live(writer.write_all(bytes), || {}).await;
                written.transpose()?;
                let writer = writer.end()?;
                let mut rest = Vec::new();
                reader.read_to_end(&mut rest).await?;
                notes.note(format!(
                    "the rest is a beginning of what was written: {}",
                    bytes.starts_with(&rest)
                ));
                notes.note(outcome(&AsyncReadExt::read(&mut reader, &mut [0; 8]).await));
                notes.note(outcome(&reader.read_exact(&mut [0; 8]).await));
                drop(writer);
            }
            End::Read => {
                drop(reader);
                // It is closed when the kernel has let go of it, which may take a turn.
                // Nothing is written until then: of a Unix stream that is closed with
                // bytes unread, a write that meets the close may be told of a reset.
                while !is_closed(writer.as_fd())? {
                    wakeline::yield_now().await;
                }
                let told = writer.write(b"for nobody").await;
                notes.note(outcome(&told));
            }
        }
        Ok(())
    }
}

/// A write that may be dropped: how much it says that it wrote.
async fn write<W: Writes>(
    writer: &W,
    bytes: &[u8],
    by: By,
    moments: &Moments,
) -> io::Result<usize> {
    let halves = bytes.split_at(bytes.len() / 2);
    let write = match by {
        By::Owned | By::OwnedCancelled => writer.owned(bytes.to_vec()),
        _ => None,
    };
    if let Some(write) = write {
        // Of a flood the buffer would come back only when somebody reads.
        let zero_copy = matches!(by, By::OwnedCancelled) && bytes.len() < MOST;
        let write = write.zero_copy(zero_copy);
        return match moments.until_stopped(write, || {}).await {
            Ok((done, _)) => done.map(|()| bytes.len()),
            Err(write) => write.cancel().await.0,
        };
    }
    let write = match by {
        By::SeveralOwned | By::Pool => writer.several_owned(vec![halves.0.into(), halves.1.into()]),
        _ => None,
    };
    if let Some(write) = write {
        return match moments.until_stopped(write, || {}).await {
            Ok((done, _)) => done.map(|()| bytes.len()),
            Err(write) => write.cancel().await.0,
        };
    }
    let done = match by {
        By::One | By::Owned | By::OwnedCancelled => moments.live(writer.one(bytes), || {}).await,
        By::Several | By::SeveralOwned | By::Pool => {
            let bufs = [IoSlice::new(halves.0), IoSlice::new(halves.1)];
            moments.live(writer.several(&bufs), || {}).await
        }
    };
    Ok(done.transpose()?.unwrap_or(0))
}

/// Whether nobody can read what would be written.
fn is_closed(writer: BorrowedFd<'_>) -> io::Result<bool> {
    let mut poll = [PollFd::new(&writer, PollFlags::OUT)];
    rustix::event::poll(&mut poll, Some(&Timespec::default()))?;
    let told = poll[0].revents();
    Ok(told.intersects(PollFlags::HUP | PollFlags::ERR))
}

/// A write by somebody else, who does not wait.
fn by_hand(writer: BorrowedFd<'_>, bytes: &[u8]) {
    let written = rustix::io::write(writer, bytes);
    assert_eq!(written, Ok(bytes.len()), "there is room");
}

impl<R: Reads, W: Writes> Link<R, W> {
    /// A read that may be dropped; `bytes` arrive meanwhile.
    async fn read(
        &mut self,
        bytes: &[u8],
        room: usize,
        by: By,
        moments: &Moments,
    ) -> io::Result<()> {
        let reader = self.reader.get_ref();
        let received = &mut self.received;
        let arrive = || by_hand(self.writer.as_fd(), bytes);
        match by {
            By::Owned if let Some(read) = reader.owned(room) => {
                if let Some((n, buf)) = moments.live(read, arrive).await {
                    assert_eq!(n?, buf.len());
                    received.extend(buf);
                }
            }
            By::OwnedCancelled if let Some(read) = reader.owned(room) => {
                let (n, buf) = match moments.until_stopped(read, arrive).await {
                    Ok(done) => done,
                    Err(read) => read.cancel().await,
                };
                match n {
                    Ok(n) => assert_eq!(n, buf.len()),
                    Err(error) => assert_eq!(error.raw_os_error(), Some(libc::ECANCELED)),
                }
                received.extend(buf);
            }
            By::SeveralOwned if let Some(read) = reader.several_owned(room) => {
                if let Some((n, bufs)) = moments.live(read, arrive).await {
                    let bytes = bufs.concat();
                    assert_eq!(n?, bytes.len());
                    received.extend(bytes);
                }
            }
            By::Pool if let Some(read) = reader.pooled(&self.pool) => {
                if let Some(buf) = moments.live(read, arrive).await {
                    received.extend_from_slice(&buf?);
                }
            }
            By::Several => {
                let (mut first, mut second) = (vec![0; room / 3 + 1], vec![0; room]);
                let mut bufs = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
                let n = moments.live(reader.several(&mut bufs), arrive).await;
                let n = n.transpose()?.unwrap_or(0);
                received.extend_from_slice(&[first, second].concat()[..n]);
            }
            _ => {
                let mut buf = vec![0; room];
                let n = moments.live(reader.one(&mut buf), arrive).await;
                received.extend_from_slice(&buf[..n.transpose()?.unwrap_or(0)]);
            }
        }
        Ok(())
    }

    /// The same through the buffer.
    async fn gather(&mut self, bytes: &[u8], gather: Gather, moments: &Moments) -> io::Result<()> {
        let (reader, received) = (&mut self.reader, &mut self.received);
        let arrive = || by_hand(self.writer.as_fd(), bytes);
        match gather {
            Gather::Some => {
                let some = moments.live(reader.fill(), arrive).await.transpose()?;
                let n = some.map_or(0, |some| {
                    received.extend_from_slice(some);
                    some.len()
                });
                Pin::new(reader).consume(n);
            }
            Gather::Exactly(n) => {
                let mut buf = vec![0; n];
                if let Some(done) = moments.live(reader.read_exact(&mut buf), arrive).await {
                    done?;
                    received.extend(buf);
                }
            }
            Gather::Line => {
                let until = reader.read_until(&[SEPARATOR], received);
                moments.live(until, arrive).await.transpose()?;
            }
        }
        Ok(())
    }

    async fn flood(&mut self, bytes: &[u8]) -> io::Result<()> {
        let missing = self.sent - self.received.len();
        let writing = self.writer.write_all(bytes);
        let reading = read_more(&mut self.reader, missing, &mut self.received);
        let (written, read) = wakeline::join!(writing, reading);
        written.and(read)
    }

    /// Reads all that was sent, and notes it.
    async fn settle(&mut self, notes: &mut Notes) -> io::Result<()> {
        let missing = self.sent - self.received.len();
        read_more(&mut self.reader, missing, &mut self.received).await?;
        notes.note(told(&self.received));
        self.received.clear();
        self.sent = 0;
        Ok(())
    }
}

/// Reads `missing` bytes; fewer only at an end.
async fn read_more<R: AsyncRead + Unpin>(
    reader: &mut R,
    mut missing: usize,
    received: &mut Vec<u8>,
) -> io::Result<()> {
    let mut buf = vec![0; 8 << 10];
    while missing > 0 {
        let most = missing.min(buf.len());
        match reader.read(&mut buf[..most]).await? {
            0 => break,
            n => {
                received.extend_from_slice(&buf[..n]);
                missing -= n;
            }
        }
    }
    Ok(())
}
