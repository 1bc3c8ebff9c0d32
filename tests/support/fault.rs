//! Tells where a program died of a bad access, as the tests that watch freed
//! memory may do by design: which address, on which thread, from which code.
//!
//! ```text
//! fault: SIGSEGV (code 2) at 0x7f2a4c000000 by wakeline-0, in code at 0x5581c0de1234
//! fault: may come from 0x5581c0de5678 0x5581c0de9abc …
//! 5581c0d00000-5581c1000000 r-xp … /target/debug/deps/runtime_drop-…
//! ```
//!
//! Below the addresses are the process's mappings, so that they can be looked up
//! in the program (`addr2line -e PROGRAM ADDRESS-less-its-mapping`). It is written
//! by system calls alone, as the memory may be in any state.

use std::io;
use std::os::fd::AsRawFd;
use std::sync::OnceLock;

/// Words of the stack that are looked through for addresses of code.
const DEPTH: usize = 1_024;

/// Whoever had the signal before, usually std, which knows of stack overflows.
static BEFORE: OnceLock<libc::sigaction> = OnceLock::new();

/// Reports faults from here on; more than once is the same.
pub(crate) fn report() {
    BEFORE.get_or_init(|| {
        // SAFETY: all zeroes are a `sigaction`: the default one.
        let mut before: libc::sigaction = unsafe { std::mem::zeroed() };
        let mut ours = before;
        ours.sa_sigaction = on_fault as *const () as usize;
        ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        // SAFETY: both are there for the length of the call, and `on_fault` makes
        // system calls only.
        let set = unsafe { libc::sigaction(libc::SIGSEGV, &raw const ours, &raw mut before) };
        assert_eq!(set, 0, "sigaction: {}", io::Error::last_os_error());
        before
    });
}

extern "C" fn on_fault(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    // SAFETY: the kernel passes it for the length of the handler (SA_SIGINFO).
    let info = unsafe { &*info };
    // SAFETY: as above.
    let context = unsafe { &*context.cast::<libc::ucontext_t>() };
    let mut line = Line::new();
    line.text(b"fault: SIGSEGV (code ");
    line.number(info.si_code.unsigned_abs() as usize, 10);
    line.text(b") at 0x");
    // SAFETY: of a SIGSEGV the kernel tells the address; of a sent one it is rubbish.
    line.number(unsafe { info.si_addr() } as usize, 16);
    line.text(b" by ");
    let mut name = [0_u8; 16];
    // SAFETY: the kernel writes up to 16 bytes there.
    unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
    line.text(name.split(|byte| *byte == 0).next().unwrap_or(b"?"));
    code(context, &mut line);
    line.end();
    mappings();
    // The access is tried again, and then it is the one's before us.
    match BEFORE.get() {
        // SAFETY: it is what `sigaction` gave, and nothing is asked back.
        Some(before) => unsafe {
            libc::sigaction(signal, before, std::ptr::null_mut());
        },
        // Just being set: the process ends without more words.
        // SAFETY: the default is always allowed.
        None => unsafe {
            libc::signal(signal, libc::SIG_DFL);
        },
    }
}

/// Where it was, and what on the stack may be where that was called.
#[cfg(target_arch = "x86_64")]
fn code(context: &libc::ucontext_t, line: &mut Line) {
    let registers = &context.uc_mcontext.gregs;
    let at = registers[libc::REG_RIP as usize] as usize;
    let stack = registers[libc::REG_RSP as usize] as usize & !7;
    line.text(b", in code at 0x");
    line.number(at, 16);
    line.end();
    line.text(b"fault: may come from");
    let ours = on_fault as *const () as usize;
    // SAFETY: it has no conditions.
    let process = unsafe { libc::getpid() };
    for depth in 0..DEPTH {
        let mut word = [0_u8; 8];
        let place = (stack + 8 * depth) as *mut libc::c_void;
        let (to, from) = (
            libc::iovec {
                iov_base: word.as_mut_ptr().cast(),
                iov_len: 8,
            },
            libc::iovec {
                iov_base: place,
                iov_len: 8,
            },
        );
        // By a call that fails where nothing is mapped.
        // SAFETY: `word` is 8 writable bytes, and the kernel looks whether the
        // other side may be read.
        let read =
            unsafe { libc::process_vm_readv(process, &raw const to, 1, &raw const from, 1, 0) };
        if read != 8 {
            break;
        }
        let word = usize::from_ne_bytes(word);
        // Near this very function: in the program, not in a library.
        if word.abs_diff(ours) < 16 << 20 {
            line.text(b" 0x");
            line.number(word, 16);
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn code(_: &libc::ucontext_t, _: &mut Line) {}

/// `/proc/self/maps`, as it is.
fn mappings() {
    // SAFETY: a path that ends with a zero, and flags.
    let maps = unsafe { libc::open(c"/proc/self/maps".as_ptr(), libc::O_RDONLY) };
    let mut part = [0_u8; 1_024];
    loop {
        // SAFETY: `part` is writable for as long as it is.
        let read = unsafe { libc::read(maps, part.as_mut_ptr().cast(), part.len()) };
        match usize::try_from(read) {
            Ok(read) if read > 0 => write(&part[..read]),
            _ => break,
        }
    }
}

fn write(bytes: &[u8]) {
    let to = io::stderr().as_raw_fd();
    // SAFETY: `bytes` are readable for the length of the call.
    let _ = unsafe { libc::write(to, bytes.as_ptr().cast(), bytes.len()) };
}

/// A line in memory of its own.
struct Line {
    bytes: [u8; 512],
    len: usize,
}

impl Line {
    fn new() -> Line {
        Line {
            bytes: [0; 512],
            len: 0,
        }
    }

    fn text(&mut self, text: &[u8]) {
        for byte in text {
            if self.len == self.bytes.len() {
                self.flush();
            }
            self.bytes[self.len] = *byte;
            self.len += 1;
        }
    }

    fn number(&mut self, mut number: usize, base: usize) {
        let mut digits = [0_u8; 20];
        let mut at = digits.len();
        loop {
            at -= 1;
            digits[at] = b"0123456789abcdef"[number % base];
            number /= base;
            if number == 0 {
                break;
            }
        }
        self.text(&digits[at..]);
    }

    fn flush(&mut self) {
        write(&self.bytes[..self.len]);
        self.len = 0;
    }

    fn end(&mut self) {
        self.text(b"\n");
        self.flush();
    }
}
