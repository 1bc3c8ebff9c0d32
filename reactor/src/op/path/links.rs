//! A second name, and a name that stands for another: `linkat`, `symlinkat`.

use super::at;
use crate::op::cell::Attempt;
use crate::op::kinds::sealed::Steps;
use crate::op::kinds::{Op, retry};
use crate::sys::check;
use io_uring::squeue::Entry;
use io_uring::{opcode, types};
use std::ffi::CString;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// Gives a file a second name.
#[derive(Debug)]
pub struct LinkAt {
    /// Where a relative `from` begins; `None` is the working directory.
    pub from_dir: Option<Arc<OwnedFd>>,
    /// A name it has.
    pub from: CString,
    /// Where a relative `to` begins.
    pub to_dir: Option<Arc<OwnedFd>>,
    /// The name it gets; that must be free.
    pub to: CString,
    /// 0, or `libc::AT_SYMLINK_FOLLOW`.
    pub flags: i32,
}

impl Op for LinkAt {}
impl Steps for LinkAt {
    type Output = ();
    type Back = ();
    const OPCODE: Option<u8> = Some(opcode::LinkAt::CODE);

    fn entry(&mut self) -> Entry {
        opcode::LinkAt::new(
            types::Fd(at(self.from_dir.as_ref())),
            self.from.as_ptr(),
            types::Fd(at(self.to_dir.as_ref())),
            self.to.as_ptr(),
        )
        .flags(self.flags)
        .build()
    }

    fn attempt(&mut self) -> Attempt {
        Attempt::Block
    }

    fn block(&mut self) -> io::Result<u32> {
        retry(|| {
            // SAFETY: both paths are C strings that live until the call returns.
            let result = unsafe {
                libc::linkat(
                    at(self.from_dir.as_ref()),
                    self.from.as_ptr(),
                    at(self.to_dir.as_ref()),
                    self.to.as_ptr(),
                    self.flags,
                )
            };
            check(result).map(|_| 0)
        })
    }

    fn finish(&mut self, result: io::Result<u32>) -> (io::Result<()>, ()) {
        (result.map(drop), ())
    }
}

/// Makes a symbolic link.
#[derive(Debug)]
pub struct SymlinkAt {
    /// What the link says; nobody looks whether that exists.
    pub target: CString,
    /// Where a relative `path` begins; `None` is the working directory.
    pub dir: Option<Arc<OwnedFd>>,
    /// The link's own name; that must be free.
    pub path: CString,
}

impl Op for SymlinkAt {}
impl Steps for SymlinkAt {
    type Output = ();
    type Back = ();
    const OPCODE: Option<u8> = Some(opcode::SymlinkAt::CODE);

    fn entry(&mut self) -> Entry {
        let dir = types::Fd(at(self.dir.as_ref()));
        opcode::SymlinkAt::new(dir, self.target.as_ptr(), self.path.as_ptr()).build()
    }

    fn attempt(&mut self) -> Attempt {
        Attempt::Block
    }

    fn block(&mut self) -> io::Result<u32> {
        retry(|| {
            let dir = at(self.dir.as_ref());
            // SAFETY: both paths are C strings that live until the call returns.
            let result = unsafe { libc::symlinkat(self.target.as_ptr(), dir, self.path.as_ptr()) };
            check(result).map(|_| 0)
        })
    }

    fn finish(&mut self, result: io::Result<u32>) -> (io::Result<()>, ()) {
        (result.map(drop), ())
    }
}
