//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::cell::{Cell, MATRIX};

/// Compares echo servers: ours, the peers', and raw loops.
#[derive(Debug, Parser)]
#[command(name = "compare", version)]
pub(crate) struct Options {
    /// Rounds; every server is measured once in each.
    #[arg(long, default_value_t = 5, value_parser = rounds)]
    pub(crate) rounds: usize,

    /// Cells [default: the matrix]: CONNECTIONSxBYTESxDEPTH; `churn`, a connection a message; `idle`, memory of
    /// 10000 connections that say nothing; `storm`, 5000 at once; `imbalance`, 100 light ones beside 4 heavy ones.
    /// `idle:200` has another number of them; `unix:` before one is over Unix sockets, with the last two not.
    #[arg(long, value_delimiter = ',')]
    pub(crate) cells: Vec<Cell>,

    /// Servers, by a part of their names [default: all].
    #[arg(long, value_delimiter = ',')]
    pub(crate) servers: Vec<String>,

    /// What is compared with.
    #[arg(long, default_value = "tokio-ct")]
    pub(crate) base: String,

    /// Where server and client run.
    #[arg(long, value_enum, default_value = "one")]
    pub(crate) cpus: Cpus,

    /// Milliseconds of a window.
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u64).range(50..=60_000))]
    pub(crate) window: u64,

    /// Heavy messages a second of an imbalance, over all four: each takes a millisecond of a processor.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u64).range(10..=2_000))]
    pub(crate) heavy: u64,

    /// Write the figures as JSON.
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,

    /// Write a plot of the ratios.
    #[arg(long)]
    pub(crate) svg: Option<PathBuf>,
}

/// Where server and client run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Cpus {
    /// Both on one processor.
    One,
    /// On one each.
    Two,
}

impl Options {
    pub(crate) fn cells(&self) -> Vec<Cell> {
        if self.cells.is_empty() {
            MATRIX.to_vec()
        } else {
            self.cells.clone()
        }
    }
}

fn rounds(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(rounds @ 1..=1000) => Ok(rounds),
        _ => Err("between 1 and 1000".to_owned()),
    }
}
