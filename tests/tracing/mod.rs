//! Runs a program so that one of its system calls fails, or it is killed there.
//!
//! The program is the one that users have: nothing is built into it. Its system calls are stopped one by one with ptrace(2), as a debugger does it.

use std::collections::HashMap;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use nix::errno::Errno;
use nix::libc::{self, user_regs_struct};
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// A system call by which a program changes files, or says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    Create,
    Write { descriptor: u64 },
    Truncate,
    Sync,
    Rename,
    Link,
    MakeFolder,
    Remove,
    Lock,
}

impl Call {
    fn of(registers: &user_regs_struct) -> Option<Self> {
        let creates =
            |flags: u64| flags & (libc::O_CREAT | libc::O_TMPFILE) as u64 & !(libc::O_DIRECTORY as u64) != 0;
        let write = Self::Write { descriptor: registers.rdi };
        match registers.orig_rax as i64 {
            libc::SYS_open if creates(registers.rsi) => Some(Self::Create),
            libc::SYS_openat if creates(registers.rdx) => Some(Self::Create),
            libc::SYS_write | libc::SYS_writev | libc::SYS_pwrite64 | libc::SYS_pwritev => Some(write),
            libc::SYS_copy_file_range | libc::SYS_sendfile => Some(Self::Write { descriptor: u64::MAX }),
            libc::SYS_ftruncate | libc::SYS_fallocate => Some(Self::Truncate),
            libc::SYS_fsync | libc::SYS_fdatasync => Some(Self::Sync),
            libc::SYS_rename | libc::SYS_renameat | libc::SYS_renameat2 => Some(Self::Rename),
            libc::SYS_link | libc::SYS_linkat => Some(Self::Link),
            libc::SYS_mkdir | libc::SYS_mkdirat => Some(Self::MakeFolder),
            libc::SYS_unlink | libc::SYS_unlinkat | libc::SYS_rmdir => Some(Self::Remove),
            libc::SYS_flock => Some(Self::Lock),
            _ => None,
        }
    }

    /// Whether it fails on a disk without space.
    fn needs_space(self) -> bool {
        match self {
            Self::Write { descriptor } => descriptor > 2,
            Self::Create | Self::Truncate | Self::MakeFolder | Self::Link => true,
            Self::Sync | Self::Rename | Self::Remove | Self::Lock => false,
        }
    }
}

/// What happens at a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The program is killed before the call.
    Kill,
    /// The call fails with this error.
    Error(Errno),
    /// From this call on, there is no space on any disk.
    NoSpace,
}

/// How a program ended.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    /// What it wrote on standard error.
    pub said: String,
    /// The calls that it made up to its end.
    pub calls: Vec<Call>,
}

/// Runs a program in a folder until it ends. `fault` is what happens at the call of that number. `own` is a folder for what it prints.
// It is waited for with waitpid(2), as its threads are.
#[allow(clippy::zombie_processes)]
pub fn run(
    program: &Path,
    arguments: &[&str],
    folder: &Path,
    own: &Path,
    fault: Option<(usize, Fault)>,
) -> Ended {
    let said = own.join("stderr");
    let child = Command::new("/bin/sh")
        // It stops itself, so that it is held from its beginning.
        .args(["-c", "kill -STOP $$; exec \"$0\" \"$@\""])
        .arg(program)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(File::create(own.join("stdout")).unwrap())
        .stderr(File::create(&said).unwrap())
        .spawn()
        .unwrap();
    let process = Pid::from_raw(child.id() as i32);
    waitpid(process, Some(WaitPidFlag::WUNTRACED)).unwrap();
    let options = Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEEXEC
        | Options::PTRACE_O_EXITKILL;
    ptrace::seize(process, options).unwrap();
    kill(process, Signal::SIGCONT).unwrap();
    let mut traced = Traced { process, fault, calls: Vec::new(), failing: HashMap::new(), started: false };
    let status = loop {
        // Of this thread's programs only: other threads run others.
        let flags = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
        match waitpid(None, Some(flags)).unwrap() {
            WaitStatus::Exited(pid, code) if pid == process => break ExitStatus::from_raw(code << 8),
            WaitStatus::Signaled(pid, signal, _) if pid == process => {
                break ExitStatus::from_raw(signal as i32);
            }
            WaitStatus::PtraceSyscall(pid) => {
                traced.at_call(pid);
                go_on(pid, None);
            }
            WaitStatus::PtraceEvent(pid, _, event) => {
                traced.started |= event == libc::PTRACE_EVENT_EXEC;
                go_on(pid, None);
            }
            WaitStatus::Stopped(pid, signal) => {
                let passed = !matches!(signal, Signal::SIGSTOP | Signal::SIGCONT | Signal::SIGTRAP);
                go_on(pid, passed.then_some(signal));
            }
            _ => {}
        }
    };
    Ended { status, said: fs::read_to_string(said).unwrap_or_default(), calls: traced.calls }
}

/// A thread that was killed meanwhile cannot go on.
fn go_on(thread: Pid, signal: Option<Signal>) {
    let _ = ptrace::syscall(thread, signal);
}

struct Traced {
    process: Pid,
    fault: Option<(usize, Fault)>,
    calls: Vec<Call>,
    /// The threads whose call fails.
    failing: HashMap<Pid, Errno>,
    /// Whether the shell has become the program.
    started: bool,
}

impl Traced {
    /// A thread is at the beginning or the end of a system call.
    fn at_call(&mut self, thread: Pid) {
        let (Ok(info), Ok(mut registers)) = (ptrace::syscall_info(thread), ptrace::getregs(thread)) else {
            return;
        };
        if !self.started {
            return;
        }
        if info.op == libc::PTRACE_SYSCALL_INFO_EXIT {
            if let Some(error) = self.failing.remove(&thread) {
                registers.rax = -(error as i64) as u64;
                let _ = ptrace::setregs(thread, registers);
            }
            return;
        }
        let Some(call) = Call::of(&registers) else { return };
        let number = self.calls.len();
        self.calls.push(call);
        let error = match self.fault {
            Some((at, Fault::Kill)) if number == at => {
                kill(self.process, Signal::SIGKILL).unwrap();
                return;
            }
            Some((at, Fault::Error(error))) if number == at => error,
            Some((at, Fault::NoSpace)) if number >= at && call.needs_space() => Errno::ENOSPC,
            _ => return,
        };
        // A call that there is not: nothing is done.
        registers.orig_rax = u64::MAX;
        if ptrace::setregs(thread, registers).is_ok() {
            self.failing.insert(thread, error);
        }
    }
}
