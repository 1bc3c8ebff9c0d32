//! Names that go, change and come: `unlinkat`, `renameat2`, `mkdirat`.

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

/// Removes a name, and what it names if that was its last.
///
/// # Example
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doc.rs")); }
/// # use doc::block_on;
/// use std::io::ErrorKind;
/// use wakeline_reactor::{Config, Reactor, op};
///
/// # struct Inline;
/// # impl wakeline_reactor::Offload for Inline {
/// #     fn offload(&self, job: Box<dyn FnOnce() -> wakeline_reactor::LateWake + Send>) -> std::io::Result<()> {
/// #         Ok(drop(job()))
/// #     }
/// # }
/// let reactor = Reactor::new(&Config::default().offload(std::sync::Arc::new(Inline)))?;
/// let _entered = reactor.enter();
/// let unlink = op::UnlinkAt { dir: None, path: c"/no/such/file".into(), flags: 0 };
/// let (result, ()) = block_on(&reactor, op::submit(unlink))?;
/// assert_eq!(result.unwrap_err().kind(), ErrorKind::NotFound);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct UnlinkAt {
    /// Where a relative path begins; `None` is the working directory.
    pub dir: Option<Arc<OwnedFd>>,
    /// What to remove.
    pub path: CString,
    /// 0 for a file, `libc::AT_REMOVEDIR` for an empty directory.
    pub flags: i32,
}

impl Op for UnlinkAt {}
impl Steps for UnlinkAt {
    type Output = ();
    type Back = ();
    const OPCODE: Option<u8> = Some(opcode::UnlinkAt::CODE);

    fn entry(&mut self) -> Entry {
        opcode::UnlinkAt::new(types::Fd(at(self.dir.as_ref())), self.path.as_ptr())
            .flags(self.flags)
            .build()
    }

    fn attempt(&mut self) -> Attempt {
        Attempt::Block
    }

    fn block(&mut self) -> io::Result<u32> {
        retry(|| {
            // SAFETY: the path is a C string that lives until the call returns.
            let result =
                unsafe { libc::unlinkat(at(self.dir.as_ref()), self.path.as_ptr(), self.flags) };
            check(result).map(|_| 0)
        })
    }

    fn finish(&mut self, result: io::Result<u32>) -> (io::Result<()>, ()) {
        (result.map(drop), ())
    }
}

/// Gives something another name, in one step.
#[derive(Debug)]
pub struct RenameAt {
    /// Where a relative `from` begins; `None` is the working directory.
    pub from_dir: Option<Arc<OwnedFd>>,
    /// Its name.
    pub from: CString,
    /// Where a relative `to` begins.
    pub to_dir: Option<Arc<OwnedFd>>,
    /// Its new name.
    pub to: CString,
    /// 0: what had the new name is replaced. `libc::RENAME_NOREPLACE`: that is
    /// an error. `libc::RENAME_EXCHANGE`: the two change names.
    pub flags: u32,
}

impl Op for RenameAt {}
impl Steps for RenameAt {
    type Output = ();
    type Back = ();
    const OPCODE: Option<u8> = Some(opcode::RenameAt::CODE);

    fn entry(&mut self) -> Entry {
        opcode::RenameAt::new(
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
                libc::renameat2(
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

/// Makes an empty directory.
#[derive(Debug)]
pub struct MkdirAt {
    /// Where a relative path begins; `None` is the working directory.
    pub dir: Option<Arc<OwnedFd>>,
    /// Its name.
    pub path: CString,
    /// Its permissions, before the umask.
    pub mode: u32,
}

impl Op for MkdirAt {}
impl Steps for MkdirAt {
    type Output = ();
    type Back = ();
    const OPCODE: Option<u8> = Some(opcode::MkDirAt::CODE);

    fn entry(&mut self) -> Entry {
        opcode::MkDirAt::new(types::Fd(at(self.dir.as_ref())), self.path.as_ptr())
            .mode(self.mode)
            .build()
    }

    fn attempt(&mut self) -> Attempt {
        Attempt::Block
    }

    fn block(&mut self) -> io::Result<u32> {
        retry(|| {
            // SAFETY: the path is a C string that lives until the call returns.
            let result =
                unsafe { libc::mkdirat(at(self.dir.as_ref()), self.path.as_ptr(), self.mode) };
            check(result).map(|_| 0)
        })
    }

    fn finish(&mut self, result: io::Result<u32>) -> (io::Result<()>, ()) {
        (result.map(drop), ())
    }
}
