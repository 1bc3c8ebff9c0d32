//! Question: what does it cost to hand a stream on, by buffers or by splice?
//!
//! Setup:    a thread that writes to a TCP socket, one that reads from another,
//!           both blocking; between them one thread that copies, which is what
//!           differs. Loopback. The ways take turns, round by round.
//! Counts:   processor time of the copying thread a MiB, and MiB a second;
//!           median of the rounds, and the spread.
//! Leaves out: the two outer threads, connecting, files, a network card.
//! Compare:  the ratio to the plain read and write loop; under 1 is cheaper.
//!
//! ```text
//! cargo run --release -p wakeline-benches --features tokio --bin bulk -- --rounds 7 --mib 512
//! cargo run --release -p wakeline-benches --bin bulk -- --message 512   # small messages
//! ```

mod ways;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use wakeline_benches::{help, note, print};

const ABOUT: &str = "What it costs to hand a stream on, by buffers or by splice.

usage: bulk [--rounds N] [--mib N] [--message BYTES]

--rounds N       how often each way is measured [default: 5]
--mib N          how much is handed on [default: 256]
--message BYTES  how much is written at once [default: 262144]
";

/// Copies from the first to the second, until the end.
pub(crate) type Way = (
    &'static str,
    fn(TcpStream, TcpStream) -> std::io::Result<()>,
);

struct Options {
    rounds: usize,
    mib: usize,
    message: usize,
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        rounds: 5,
        mib: 256,
        message: 256 << 10,
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let target = match arg.as_str() {
            "--rounds" => &mut options.rounds,
            "--mib" => &mut options.mib,
            "--message" => &mut options.message,
            _ => return Err(format!("{arg}: unknown; see --help")),
        };
        let number = args.next().ok_or_else(|| format!("{arg} needs a number"))?;
        *target = number
            .parse()
            .ok()
            .filter(|number| *number > 0)
            .ok_or_else(|| format!("{arg} {number}: not a number above 0"))?;
    }
    Ok(options)
}

fn pair() -> std::io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let here = TcpStream::connect(listener.local_addr()?)?;
    let (there, _) = listener.accept()?;
    here.set_nodelay(true)?;
    there.set_nodelay(true)?;
    Ok((here, there))
}

/// Processor time of this thread.
fn busy() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        time.tv_nsec.unsigned_abs() as u32,
    )
}

/// Microseconds of processor a MiB, and MiB a second.
fn measure(way: Way, options: &Options) -> std::io::Result<(f64, f64)> {
    let (mut source, from) = pair()?;
    let (to, mut sink) = pair()?;
    let (message, total) = (options.message, options.mib << 20);
    let writer = thread::spawn(move || {
        let bytes = vec![7; message];
        let mut left = total;
        while left > 0 {
            let n = message.min(left);
            source.write_all(&bytes[..n])?;
            left -= n;
        }
        std::io::Result::Ok(())
    });
    let reader = thread::spawn(move || {
        let mut buf = vec![0; 256 << 10];
        let mut read = 0;
        loop {
            match sink.read(&mut buf)? {
                0 => return std::io::Result::Ok(read),
                n => read += n,
            }
        }
    });
    let copier = thread::spawn(move || {
        let (started, before) = (Instant::now(), busy());
        (way.1)(from, to)?;
        std::io::Result::Ok((busy() - before, started.elapsed()))
    });
    let (busy, took) = copier.join().expect("no panic")?;
    writer.join().expect("no panic")?;
    assert_eq!(reader.join().expect("no panic")?, total, "{}", way.0);
    let mib = options.mib as f64;
    Ok((busy.as_secs_f64() * 1e6 / mib, mib / took.as_secs_f64()))
}

fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn run(options: &Options) -> std::io::Result<String> {
    let ways = ways::all();
    let mut figures = vec![(Vec::new(), Vec::new()); ways.len()];
    for round in 0..options.rounds {
        note(format_args!("round {} of {}", round + 1, options.rounds));
        for at in 0..ways.len() {
            // Another one begins each time.
            let at = (at + round) % ways.len();
            let (busy, rate) = measure(ways[at], options)?;
            figures[at].0.push(busy);
            figures[at].1.push(rate);
        }
    }
    let mut table = format!(
        "{:24} {:>9} {:>17} {:>7} {:>7}\n",
        "way", "us/MiB", "spread", "ratio", "MiB/s"
    );
    let base = median(&mut figures[0].0);
    for ((name, _), (busy, rate)) in ways.iter().zip(&mut figures) {
        let middle = median(busy);
        table += &format!(
            "{name:24} {middle:9.1} {:8.1}{:9.1} {:7.2} {:7.0}\n",
            busy[0],
            busy[busy.len() - 1],
            middle / base,
            median(rate)
        );
    }
    Ok(table)
}

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, message)) => {
            note(format_args!("bulk: {message}"));
            ExitCode::from(code)
        }
    }
}

/// The exit code and what to say, if it fails.
fn start() -> Result<(), (u8, String)> {
    let (wrong, failed) = (|error| (2, error), |error| (1, error));
    if help(ABOUT).map_err(failed)? {
        return Ok(());
    }
    let options = options().map_err(wrong)?;
    let table = run(&options).map_err(|error| failed(error.to_string()))?;
    print(&table).map_err(failed)
}
