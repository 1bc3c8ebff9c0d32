//! A child process: what it is told, what it says, and how it ends.

use std::io;
use std::path::Path;

use crate::moments::Moments;
use crate::notes::{Notes, told};
use crate::support::Chance;
use crate::{Played, Script};
use wakeline::io::{AsyncReadExt, AsyncWriteExt};
use wakeline::process::{Command, Stdio};

pub(crate) struct Child {
    /// Told to a child that says it again.
    said: Vec<(Vec<u8>, Moments, Moments)>,
    /// While it is still there.
    early: Moments,
    late: Moments,
    end: End,
}

#[derive(Clone, Copy, Debug)]
enum End {
    /// By itself, with this code, when it is told nothing more.
    Exit(u8),
    Killed,
    /// All it says at once, of more than a pipe holds.
    Output(u8),
}

pub(crate) fn script(chance: &mut Chance) -> Child {
    let said = (0..3).map(|_| {
        let mut bytes = vec![0; 1 + chance.below(2_000) as usize];
        chance.fill(&mut bytes);
        (bytes, Moments::new(chance), Moments::new(chance))
    });
    let said = said.collect();
    let code = chance.below(100) as u8;
    let ends = [End::Exit(code), End::Killed, End::Output(code)];
    Child {
        said,
        early: Moments::dropped(chance),
        late: Moments::new(chance),
        end: ends[chance.below(3) as usize],
    }
}

impl Script for Child {
    fn play<'a>(&'a self, _: &'a Path, notes: &'a mut Notes) -> Played<'a> {
        Box::pin(async move {
            match self.end {
                End::Output(code) => output(code, notes).await,
                _ => self.talk(notes).await,
            }
        })
    }
}

async fn output(code: u8, notes: &mut Notes) -> io::Result<()> {
    let script = format!("cat; echo {code} >&2; exit {code}");
    let child = Command::new("sh")
        .args(["-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let output = child.communicate(vec![code; 200_000]).await?;
    notes.note(format!("says {}", told(&output.stdout)));
    notes.note(format!("complains {}", told(&output.stderr)));
    notes.note(format!("{}", output.status));
    Ok(())
}

impl Child {
    async fn talk(&self, notes: &mut Notes) -> io::Result<()> {
        let code = match self.end {
            End::Exit(code) => code,
            End::Killed | End::Output(_) => 0,
        };
        let mut child = Command::new("sh")
            .args(["-c", &format!("cat; exit {code}")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut stdin = child.stdin.take().expect("it is piped");
        let mut stdout = child.stdout.take().expect("it is piped");
        for (bytes, write, read) in &self.said {
            let first = write.live(stdin.write(bytes), || {}).await;
            let done = first.transpose()?.unwrap_or(0);
            stdin.write_all(&bytes[done..]).await?;
            let mut buf = vec![0; bytes.len()];
            let first = read.live(stdout.read(&mut buf), || {}).await;
            let done = first.transpose()?.unwrap_or(0);
            stdout.read_exact(&mut buf[done..]).await?;
            notes.note(format!("says {}", told(&buf)));
        }
        let ended = self.early.live(child.wait(), || {}).await;
        notes.note(format!("has ended before: {}", ended.is_some()));
        let mut stdin = Some(stdin);
        match self.end {
            End::Killed => child.start_kill()?,
            _ => stdin = None,
        }
        self.late.live(child.wait(), || {}).await.transpose()?;
        notes.note(format!("{}", child.wait().await?));
        drop(stdin); // and so what the killed one has started ends
        let mut rest = Vec::new();
        stdout.read_to_end(&mut rest).await?;
        notes.note(format!("then says {}", told(&rest)));
        Ok(())
    }
}
