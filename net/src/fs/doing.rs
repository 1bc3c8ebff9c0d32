//! What was done on which path, for the error that says so.
//!
//! Paths are told as string literals, since they may hold newlines and bytes
//! that are no text: `remove file "a\nb"`. Nothing is formatted until there is
//! an error.

use super::open_options::NOT_OPENED;
use crate::error::{Context, limits};
use rustix::io::Errno;
use std::io;
use std::path::{Path, PathBuf};

/// Something done on one path, or on two.
#[derive(Clone, Debug)]
pub(crate) struct Doing {
    verb: &'static str,
    path: PathBuf,
    second: Option<(&'static str, PathBuf)>,
}

impl Doing {
    pub(crate) fn one(verb: &'static str, path: &Path) -> Doing {
        Doing {
            verb,
            path: path.into(),
            second: None,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// `link` joins the two: `rename "a" to "b"`.
    pub(crate) fn two(verb: &'static str, path: &Path, link: &'static str, to: &Path) -> Doing {
        Doing {
            verb,
            path: path.into(),
            second: Some((link, to.into())),
        }
    }

    /// `source`, with what was being done; kind and errno stay.
    pub(crate) fn failed(&self, source: io::Error) -> io::Error {
        let mut text = format!("{} {:?}", self.verb, self.path);
        if let Some((link, second)) = &self.second {
            text += &format!(" {link} {second:?}");
        }
        Context::with_hint(text, self.hint(&source), source)
    }

    fn hint(&self, source: &io::Error) -> Option<&'static str> {
        match Errno::from_io_error(source) {
            Some(Errno::XDEV) => Some(
                "these are different file systems: copy it and remove the original, or make the new name beside the old one",
            ),
            Some(Errno::NAMETOOLONG) => {
                Some("a name has at most 255 bytes, and a path at most 4095")
            }
            Some(Errno::LOOP) => Some("its symbolic links lead in a circle"),
            Some(Errno::NOTEMPTY) if self.verb.starts_with("remove") => {
                Some("`remove_dir_all` removes a directory with what is in it")
            }
            Some(Errno::ISDIR) if self.verb == "remove file" => {
                Some("`remove_dir` removes a directory")
            }
            Some(Errno::NOENT) if self.verb == "create directory" => {
                Some("its parent does not exist: `create_dir_all` makes that, too")
            }
            Some(Errno::NXIO) if self.verb == "copy" => Some(NOT_OPENED),
            Some(Errno::NOSPC) => Some("the file system is full"),
            Some(Errno::ROFS) => Some("the file system is mounted read-only"),
            errno => limits(errno),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_what_was_done_on_which_paths() {
        let doing = Doing::two("rename", Path::new("a\nb"), "to", Path::new("c"));
        let error = doing.failed(Errno::XDEV.into());
        let text = error.to_string();
        assert!(text.starts_with(r#"rename "a\nb" to "c": "#), "{text}");
        assert!(text.contains("copy it and remove"), "{text}");
        assert_eq!(error.kind(), io::ErrorKind::CrossesDevices);
    }

    #[test]
    fn what_memory_is_short_for_is_not_made_up() {
        let error = Doing::one("remove file", Path::new("a")).failed(Errno::NOMEM.into());
        let text = error.to_string();
        assert!(
            text.contains("memory") && !text.contains("socket"),
            "{text}"
        );
    }
}
