//! What a process has cost so far, as Linux counts it.

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// Of `utime` and `stime` in `/proc/PID/stat`: fixed at 100 in Linux's user interface (proc(5),
/// `sysconf(_SC_CLK_TCK)`).
const TICKS_PER_SECOND: f64 = 100.0;

/// What a process used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usage {
    /// Of all threads, user and system.
    pub cpu_seconds: f64,
    /// The most that was ever in memory.
    pub peak_rss_mib: f64,
}

/// # Errors
/// Where the process is gone, or the system is not Linux.
pub fn of(process_id: u32) -> Result<Usage> {
    let read = |file: &str| {
        let path = format!("/proc/{process_id}/{file}");
        std::fs::read_to_string(&path).with_context(|| {
            format!("cannot read {path}: the process is gone, or this is not Linux")
        })
    };
    let (stat, status) = (read("stat")?, read("status")?);
    let cpu_ticks = cpu_ticks(&stat).context("/proc/PID/stat is not of the documented form")?;
    let peak_rss_kib = peak_rss_kib(&status).context("/proc/PID/status has no VmHWM")?;
    Ok(Usage {
        cpu_seconds: f64::from(cpu_ticks) / TICKS_PER_SECOND,
        peak_rss_mib: f64::from(peak_rss_kib) / 1024.0,
    })
}

/// `utime` and `stime`, the 14th and 15th field. The 2nd is the name in parentheses, which may hold
/// anything, spaces too.
fn cpu_ticks(stat: &str) -> Option<u32> {
    let (_, after_name) = stat.rsplit_once(") ")?;
    let mut times = after_name.split(' ').skip(11).map(str::parse::<u32>);
    Some(times.next()?.ok()? + times.next()?.ok()?)
}

fn peak_rss_kib(status: &str) -> Option<u32> {
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?
        .trim()
        .strip_suffix(" kB")?
        .parse()
        .ok()
}

/// What this machine calls itself.
pub fn machine() -> Value {
    let told = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = told.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    json!({"processor": model, "processors": processors})
}
