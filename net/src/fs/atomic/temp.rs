//! The temporary file: where it is made, what it is called, who removes it.
//! Everything here may block, but for what a [`Temp`] does.

use rustix::buffer::spare_capacity;
use rustix::fs::{Gid, Mode, Uid, XattrFlags, fchmod, fchown, fremovexattr, fsetxattr, lgetxattr};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use wakeline_reactor::offload;

use super::super::paths;

/// Links that are followed, as many as the kernel follows.
const LINKS_MAX: usize = 40;
/// Names that are tried: others are left by processes with this one's number.
const NAMES_MAX: usize = 1000;
/// Bytes of the target's name that go into the temporary one: 255 is the most
/// that a name has, and a process id and a number have at most 31.
const NAME_KEPT: usize = 200;

/// Bytes that an extended attribute may have.
const LIST_MAX: usize = 1 << 16;

const ACCESS_LIST: &str = "system.posix_acl_access";
const MARK: &str = ".wakeline-";
const END: &str = ".tmp";

/// A temporary file, ready to be written.
pub(super) struct Begun {
    pub(super) file: File,
    pub(super) temp: Temp,
    /// What it is to have at the end, if that is more than it may have before.
    pub(super) rights: Option<Permissions>,
}

/// The name of a temporary file, which goes with it.
#[derive(Debug)]
pub(super) struct Temp {
    path: PathBuf,
    target: PathBuf,
    replaces: bool,
    /// It has another name now, or none.
    gone: bool,
}

impl Temp {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn target(&self) -> &Path {
        &self.target
    }

    /// The directory of both.
    pub(super) fn directory(&self) -> &Path {
        directory(&self.target)
    }

    /// Whether it may replace what has its name.
    pub(super) fn replaces(&self) -> bool {
        self.replaces
    }

    /// Removes it; what does not succeed the drop tries again.
    pub(super) async fn remove(&mut self) {
        if paths::remove_file(&self.path).await.is_ok() {
            self.gone = true;
        }
    }

    /// It has its own name now, or was removed: there is nothing to remove.
    pub(super) fn is_gone(&mut self) {
        self.gone = true;
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        if !self.gone {
            // On the pool, as to free a large file takes its time. A pool that
            // does not take the job drops it, and that removes it here. A rename
            // of a dropped `commit` may still be on its way: if it was first,
            // there is nothing of this name; if not, it finds nothing to rename.
            let name = Name(std::mem::take(&mut self.path));
            drop(offload(move || drop(name)));
        }
    }
}

/// Removes a name with its drop.
struct Name(PathBuf);

impl Drop for Name {
    fn drop(&mut self) {
        // An error leaves a file with a name that says what it is.
        let _gone = std::fs::remove_file(&self.0);
    }
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => Path::new("/"),
    }
}

/// Makes the temporary file for `path`.
pub(super) fn begin(path: &Path, replaces: bool) -> io::Result<Begun> {
    let (target, old) = if replaces {
        resolve(path)?
    } else if std::fs::symlink_metadata(path).is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    } else {
        (path.to_path_buf(), None)
    };
    let (file, mut temp) = make(target, old.is_some())?;
    temp.replaces = replaces;
    // From here on `temp` removes what an error leaves.
    let rights = match old {
        Some(old) => keep_rights(&file, &old, &temp.target)?,
        None => None,
    };
    Ok(Begun { file, temp, rights })
}

/// Where `path` leads to, which need not exist, and what is there.
fn resolve(path: &Path) -> io::Result<(PathBuf, Option<Metadata>)> {
    let mut path = path.to_path_buf();
    for _ in 0..LINKS_MAX {
        match std::fs::symlink_metadata(&path) {
            Ok(found) if found.is_symlink() => {
                let says = std::fs::read_link(&path)?;
                path = directory(&path).join(says);
            }
            Ok(found) if found.is_file() => return Ok((path, Some(found))),
            Ok(found) if found.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(_) => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "only a regular file can be replaced, and this is a device, a pipe or a socket",
                ));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((path, None)),
            Err(error) => return Err(error),
        }
    }
    Err(rustix::io::Errno::LOOP.into())
}

fn make(target: PathBuf, replaces: bool) -> io::Result<(File, Temp)> {
    let Some(name) = target.file_name() else {
        let text = "the path has no file name at its end";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    };
    // Never more open than what it replaces, from the beginning.
    let mode = if replaces { 0o600 } else { 0o666 };
    let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
    for _ in 0..NAMES_MAX {
        let path = directory(&target).join(temporary_name(name));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(mode);
        match options.open(&path) {
            Ok(file) => {
                let temp = Temp {
                    path,
                    target,
                    replaces: true,
                    gone: false,
                };
                return Ok((file, temp));
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

/// Owner, access list and mode of `old`, as far as may be; and the mode that is for the
/// end, with whose rights it runs: a half-written file must not, and a write takes that
/// away again.
fn keep_rights(file: &File, old: &Metadata, target: &Path) -> io::Result<Option<Permissions>> {
    let new = file.metadata()?;
    let (user, group) = (Uid::from_raw(old.uid()), Gid::from_raw(old.gid()));
    let mut owner = (new.uid(), new.gid()) == (old.uid(), old.gid());
    let mut same_group = new.gid() == old.gid();
    if !owner {
        owner = fchown(file, Some(user), Some(group)).is_ok();
        // Who may not give files away may give them to a group of his own.
        same_group = same_group || owner || fchown(file, None, Some(group)).is_ok();
    }
    let mut mode = kept_mode(old.mode(), owner, same_group);
    if !keep_list(file, &access_list(target), same_group) {
        mode &= 0o700;
    }
    // After the owner: a change of that takes bits away. And after the list: in
    // one that is there, the bits of the group open all that it names.
    fchmod(file, Mode::from_raw_mode(mode & 0o777))?;
    Ok((mode & !0o777 != 0).then(|| Permissions::from_mode(mode)))
}

/// `None`: there is none.
fn access_list(path: &Path) -> Result<Option<Vec<u8>>, Errno> {
    let mut list = Vec::with_capacity(LIST_MAX);
    match lgetxattr(path, ACCESS_LIST, spare_capacity(&mut list)) {
        Ok(_) => Ok(Some(list)),
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether the bits of the group mean to the new file what they meant to the
/// old one: with an access list, they are the most that those in it may do, and
/// not what the group may.
fn keep_list(file: &File, old: &Result<Option<Vec<u8>>, Errno>, same_group: bool) -> bool {
    if let Ok(Some(list)) = old
        && same_group
        && fsetxattr(file, ACCESS_LIST, list, XattrFlags::empty()).is_ok()
    {
        return true;
    }
    // The directory may have given it one.
    let none_now = match fremovexattr(file, ACCESS_LIST) {
        Ok(()) | Err(Errno::NODATA | Errno::OPNOTSUPP) => true,
        Err(_) => false,
    };
    none_now && matches!(old, Ok(None))
}

/// What `mode` allows, and nobody more than that: whether the file has the owner
/// (and the group), and whether at least the group, that these bits are about.
fn kept_mode(mode: u32, owner: bool, same_group: bool) -> u32 {
    let mode = mode & 0o7777;
    match (owner, same_group) {
        (true, _) => mode,
        // It would let run as somebody else what another has written.
        (false, true) => mode & 0o777,
        // Nor are these rights another group's. Those who had them are among
        // all others now, who may do no more than they could.
        (false, false) => mode & (0o700 | (mode >> 3 & 0o007)),
    }
}

fn temporary_name(name: &OsStr) -> OsString {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    // Relaxed: only that no two are the same matters.
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let kept = &name.as_bytes()[..name.len().min(NAME_KEPT)];
    let mut temporary = OsString::from(".");
    temporary.push(OsStr::from_bytes(kept));
    temporary.push(format!("{MARK}{}-{number}{END}", std::process::id()));
    temporary
}

/// Whether `temporary_name` has made this name.
pub(super) fn is_ours(name: &OsStr) -> bool {
    let bytes = name.as_bytes();
    let Some(bytes) = bytes.strip_prefix(b".") else {
        return false;
    };
    let Some(bytes) = bytes.strip_suffix(END.as_bytes()) else {
        return false;
    };
    let mark = bytes
        .windows(MARK.len())
        .rposition(|part| part == MARK.as_bytes());
    let Some(mark) = mark else { return false };
    let numbers = &bytes[mark + MARK.len()..];
    let mut parts = numbers.split(|&byte| byte == b'-');
    let is_number = |part: Option<&[u8]>| {
        part.is_some_and(|part| !part.is_empty() && part.iter().all(u8::is_ascii_digit))
    };
    is_number(parts.next()) && is_number(parts.next()) && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_may_do_more_with_the_new_file() {
        // (mode, owner kept, group kept, new mode)
        for (mode, owner, group, expected) in [
            (0o10_6751, true, true, 0o6751),
            (0o10_7751, false, true, 0o751),
            (0o10_6664, false, false, 0o604),
            (0o10_0660, false, false, 0o600),
            (0o10_0606, false, false, 0o600),
            (0o10_0647, false, false, 0o604),
        ] {
            let kept = kept_mode(mode, owner, group);
            assert_eq!(kept, expected, "{mode:o}: {kept:o}");
        }
    }

    #[test]
    fn temporary_names_are_known_again_and_fit() {
        for name in ["a", "x.wakeline-1-1.tmp", "\u{1f980}", &"n".repeat(255)] {
            let temporary = temporary_name(OsStr::new(name));
            assert!(is_ours(&temporary), "{temporary:?}");
            assert!(temporary.len() <= 255, "{temporary:?}");
            assert_ne!(temporary, temporary_name(OsStr::new(name)));
        }
        for other in [
            "",
            ".",
            "a",
            ".tmp",
            ".a.wakeline-.tmp",
            ".a.wakeline-1.tmp",
            ".a.wakeline-1-2-3.tmp",
            "a.wakeline-1-2.tmp",
            ".a.wakeline-1-x.tmp",
        ] {
            assert!(!is_ours(OsStr::new(other)), "{other:?}");
        }
    }
}
