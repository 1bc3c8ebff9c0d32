//! Why a program could not be run, in words that say what to do.
//!
//! The kernel has one number for many causes: `ENOENT` is a program that is not
//! there, a working directory that is not there, or a script whose interpreter
//! is not there. So the causes are looked at, one after the other, when a spawn
//! has failed; that takes a few calls more, of which nobody waits for the speed.

use crate::error::{Context, limits};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::Pid;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What could not be run, and why.
pub(super) fn spawn(command: &Command, source: io::Error) -> io::Error {
    let program = command.get_program();
    let why = why(command, &source);
    let doing = match why {
        Some(why) => format!("run {}: {why}", quoted(program)),
        None => format!("run {}", quoted(program)),
    };
    let hint = hint(&source);
    Context::with_hint(doing, hint, source)
}

/// The child was started, but could not be watched, and was killed.
pub(super) fn watch(command: &Command, source: io::Error) -> io::Error {
    let program = quoted(command.get_program());
    let hint = limits(Errno::from_io_error(&source));
    Context::with_hint(
        format!("run {program}: it was started and killed again, as its end could not be watched"),
        hint,
        source,
    )
}

/// The status is not to be had.
pub(super) fn lost(program: &str, pid: Pid) -> io::Error {
    let doing = format!("wait for {program} (process {pid}): its status is lost");
    let hint = Some(
        "SIGCHLD is ignored in this process (then the kernel keeps no status), or other code \
         has waited for all children: leave SIGCHLD at its default, and wait for children by name",
    );
    Context::with_hint(doing, hint, Errno::CHILD.into())
}

pub(super) fn no_group(program: &str) -> io::Error {
    let text =
        format!("{program} leads no group of its own: start it with `Command::process_group(0)`");
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

pub(super) fn group_gone(program: &str) -> io::Error {
    let doing =
        format!("signal the group of {program}: {program} is reaped, and its number with it");
    let hint = Some(
        "what it has left behind can be reached only before the status is taken: \
         wait by `Child::until_ended` first",
    );
    Context::with_hint(doing, hint, Errno::SRCH.into())
}

pub(super) fn no_stdin(program: &str) -> io::Error {
    let text = format!(
        "there is input for {program}, but no pipe: start it with `stdin(Stdio::piped())`, \
         and leave `Child::stdin` in its place"
    );
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

pub(super) fn too_much(program: &str, stream: &str, limit: usize) -> io::Error {
    let text = format!(
        "{program} wrote more than {limit} bytes to its {stream}: allow more by `limit`, \
         or read `Child::{stream}` as it comes"
    );
    io::Error::new(io::ErrorKind::FileTooLarge, text)
}

fn hint(source: &io::Error) -> Option<&'static str> {
    match Errno::from_io_error(source) {
        Some(Errno::TOOBIG) => Some(
            "the kernel takes about 2 MiB of arguments and environment together, and 128 KiB each: \
             pass the rest by its stdin or in a file",
        ),
        Some(Errno::AGAIN) => Some(
            "no more processes: see `ulimit -u`, and pids.max of the cgroup; \
             run fewer at a time",
        ),
        Some(Errno::NOEXEC) => Some(
            "the kernel cannot run this file: a script needs a first line like `#!/bin/sh`, \
             a program must be for this machine",
        ),
        Some(Errno::TXTBSY) => Some("the file is still open for writing: close it first"),
        other => limits(other),
    }
}

/// The cause, as far as it can be seen.
fn why(command: &Command, source: &io::Error) -> Option<String> {
    let errno = Errno::from_io_error(source);
    match errno {
        Some(Errno::NOENT | Errno::ACCESS | Errno::NOTDIR) => {}
        Some(Errno::TOOBIG) => return Some(size_of(command)),
        Some(Errno::PERM) => {
            let text = "it was not allowed to change its user, its group or its process group";
            return Some(text.into());
        }
        None if source.kind() == io::ErrorKind::InvalidInput => {
            return Some("a zero byte in its name, its arguments or its environment".into());
        }
        _ => return None,
    }
    // In the order in which the child meets them.
    directory(command).or_else(|| file(command))
}

/// What is wrong with the working directory.
fn directory(command: &Command) -> Option<String> {
    let path = command.get_current_dir()?;
    let shown = path.display();
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Some(format!("its working directory {shown} does not exist"))
        }
        Err(error) => Some(format!(
            "its working directory {shown} cannot be reached ({error})"
        )),
        Ok(found) if !found.is_dir() => {
            Some(format!("its working directory {shown} is not a directory"))
        }
        Ok(_) => None,
    }
}

/// What is wrong with the program's file.
fn file(command: &Command) -> Option<String> {
    let program = command.get_program();
    if program.as_bytes().contains(&b'/') {
        let base = command.get_current_dir().unwrap_or(Path::new(""));
        return file_at(&base.join(program));
    }
    let path = search_path(command);
    let mut denied = None;
    for directory in env::split_paths(&path) {
        let candidate = directory.join(program);
        match fs::metadata(&candidate) {
            Ok(found) if found.is_dir() => {}
            Ok(found) if found.permissions().mode() & 0o111 == 0 => {
                denied = denied.or(Some(candidate));
            }
            Ok(_) => return file_at(&candidate),
            Err(_) => {}
        }
    }
    Some(match denied {
        Some(candidate) => not_executable(&candidate),
        None => format!("no such program in PATH ({})", path.display()),
    })
}

/// Where the child looks for programs.
fn search_path(command: &Command) -> OsString {
    let own = command.get_envs().find(|(key, _)| *key == "PATH");
    match own {
        Some((_, value)) => value.map(OsStr::to_owned).unwrap_or_default(),
        None => env::var_os("PATH").unwrap_or_default(),
    }
}

fn file_at(path: &Path) -> Option<String> {
    let shown = path.display();
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Some(format!("{shown} does not exist"));
        }
        Err(error) => return Some(format!("{shown} cannot be reached ({error})")),
        Ok(found) if found.is_dir() => return Some(format!("{shown} is a directory")),
        Ok(found) if !found.is_file() => return Some(no_file(path)),
        Ok(found) if found.permissions().mode() & 0o111 == 0 => {
            return Some(not_executable(path));
        }
        Ok(_) => {}
    }
    let interpreter = interpreter(path)?;
    match fs::metadata(&interpreter) {
        Err(_) => Some(format!(
            "the interpreter {} that its first line names does not exist",
            interpreter.display()
        )),
        Ok(found) if !found.is_file() => {
            Some(format!("its interpreter: {}", no_file(&interpreter)))
        }
        Ok(found) if found.permissions().mode() & 0o111 == 0 => {
            Some(format!("its interpreter: {}", not_executable(&interpreter)))
        }
        Ok(_) => None,
    }
}

fn not_executable(path: &Path) -> String {
    let shown = path.display();
    format!("{shown} is not executable: try `chmod +x {shown}`")
}

fn no_file(path: &Path) -> String {
    format!("{} is not a regular file", path.display())
}

/// The program named by a first line like `#!/bin/sh`.
fn interpreter(path: &Path) -> Option<PathBuf> {
    // What the kernel looks at; a longer line is cut off by it, too.
    let mut head = Vec::new();
    // What has taken the place of a file meanwhile may be a FIFO: no wait for it.
    let flags = OFlags::NONBLOCK.bits() as i32;
    let mut options = OpenOptions::new();
    let file = options.read(true).custom_flags(flags).open(path);
    file.ok()?.take(256).read_to_end(&mut head).ok()?;
    let line = head
        .strip_prefix(b"#!")?
        .split(|byte| *byte == b'\n')
        .next()?;
    let words = line.split(|byte| byte.is_ascii_whitespace());
    let first = words.into_iter().find(|word| !word.is_empty())?;
    Some(OsString::from_vec(first.to_vec()).into())
}

/// How large arguments and environment are.
fn size_of(command: &Command) -> String {
    let mut bytes = command.get_program().len() + 1;
    let mut longest = 0;
    for argument in command.get_args() {
        bytes += argument.len() + 1;
        longest = longest.max(argument.len());
    }
    let own: usize = command
        .get_envs()
        .filter_map(|(key, value)| Some(key.len() + value?.len() + 2))
        .sum();
    format!("{bytes} bytes of arguments (the longest: {longest}), {own} of added environment")
}

pub(super) fn quoted(program: &OsStr) -> String {
    format!("`{}`", program.display())
}
