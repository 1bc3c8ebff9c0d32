//! What the system tells of a process: processor time and memory, from `/proc`.

use std::fs;

/// Nanoseconds that its threads have run, as far as they are alive.
///
/// `/proc/PID/task/*/schedstat` counts in nanoseconds, where `stat` has ticks of
/// ten milliseconds.
pub(crate) fn cpu_ns(pid: &str) -> Option<u64> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let times = tasks.flatten().filter_map(|task| {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    let mut any = false;
    let sum = times.inspect(|_| any = true).sum();
    any.then_some(sum)
}

/// Nanoseconds that this process has run, threads that have ended included.
pub(crate) fn own_cpu_ns() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Bytes in memory.
pub(crate) fn resident(pid: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_has_run() {
        assert!(resident("self").expect("its memory") > 100_000);
        assert!(cpu_ns("self").expect("its time") > 0);
        assert!(own_cpu_ns() > 0);
        assert_eq!((resident("0"), cpu_ns("0")), (None, None));
    }
}
