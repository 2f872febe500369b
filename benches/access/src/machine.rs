use std::fs;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use std::time::Duration;

/// Describes this machine: cores, processor and kernel.
pub(crate) fn describe() -> String {
    let cores = available_parallelism().map_or(1, usize::from);
    let processor = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".to_owned());
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{cores} cores ({processor}), Linux {}", kernel.trim())
}

/// Returns the resident set of this process in bytes, if the system reports it.
pub(crate) fn resident_bytes() -> Option<u64> {
    bytes("/proc/self/status", "VmRSS")
}

/// Returns the bytes that new work can use, if the system reports them.
pub(crate) fn available_bytes() -> Option<u64> {
    bytes("/proc/meminfo", "MemAvailable")
}

fn bytes(file: &str, name: &str) -> Option<u64> {
    let kilobytes = field(file, name)?;
    let kilobytes: u64 = kilobytes.strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// Returns the first value of a field in a file of lines `name: value`.
fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let mut fields = text.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = fields.find(|(found, _)| found.trim() == name)?;
    Some(value.trim().to_owned())
}

/// Returns the file with the time that the calling thread has run, if the system has it.
pub(crate) fn thread_clock() -> Option<PathBuf> {
    Some(Path::new("/proc").join(fs::read_link("/proc/thread-self").ok()?).join("schedstat"))
}

/// Returns the time that a thread has run.
pub(crate) fn running_time(thread_clock: &Path) -> Option<Duration> {
    let text = fs::read_to_string(thread_clock).ok()?;
    Some(Duration::from_nanos(text.split(' ').next()?.parse().ok()?))
}
