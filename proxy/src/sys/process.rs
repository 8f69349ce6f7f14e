//! The kernel's statistics of this process: memory, time, descriptors (proc(5)).

use std::{fs, io};

use nix::sys::resource::{Resource, getrlimit};

/// Clock ticks of a second in `/proc` (`USER_HZ` of the kernel's interface, whatever its own tick is).
const TICKS: f64 = 100.0;

/// The current statistics of this process.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ProcessFacts {
    /// Memory that is in RAM, in bytes.
    pub resident_memory: u64,
    /// That of it which is in no file, in bytes: the heap and the stacks.
    pub anonymous_memory: u64,
    /// The most of [`ProcessFacts::anonymous_memory`] that there was, in bytes, by what the kernel keeps of it.
    pub anonymous_peak: u64,
    /// Time on a processor, in seconds.
    pub cpu_seconds: f64,
    /// When the process began, in seconds since 1970.
    pub start_seconds: f64,
    /// Open descriptors.
    pub open_files: u64,
    /// How many there may be.
    pub open_files_max: u64,
}

impl ProcessFacts {
    /// The size that the heap has grown to: never less than is in use. What is reserved and was never touched is not in it.
    pub fn heap_size(&self) -> u64 {
        self.anonymous_peak.max(self.anonymous_memory)
    }
}

/// Reads the statistics.
///
/// # Errors
/// The kernel's, where there is no `/proc`.
pub fn facts() -> io::Result<ProcessFacts> {
    let status = fs::read_to_string("/proc/self/status")?;
    let (cpu, start) = times(&fs::read_to_string("/proc/self/stat")?);
    // The directory's own descriptor is one of them.
    let open = fs::read_dir("/proc/self/fd")?.count().saturating_sub(1);
    let (open_files_max, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(ProcessFacts {
        resident_memory: kibibytes(&status, "VmRSS:"),
        anonymous_memory: kibibytes(&status, "RssAnon:"),
        anonymous_peak: kibibytes(&status, "VmHWM:").saturating_sub(kibibytes(&status, "RssFile:")),
        cpu_seconds: cpu / TICKS,
        start_seconds: booted(&fs::read_to_string("/proc/stat")?) + start / TICKS,
        open_files: open as u64,
        open_files_max,
    })
}

/// A line of `/proc/self/status` in bytes; 0 where it is missing.
fn kibibytes(status: &str, name: &str) -> u64 {
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0) << 10
}

/// Time on a processor, and from the machine's start to that of the process, in ticks.
fn times(stat: &str) -> (f64, f64) {
    // The program's name is in parentheses and may contain any character.
    let behind = stat.rsplit_once(')').map_or("", |(_, behind)| behind);
    let fields: Vec<&str> = behind.split_whitespace().collect();
    // Fields 14, 15 and 22 of the whole line.
    let field = |number: usize| -> f64 {
        let field = fields.get(number - 3);
        field.and_then(|field| field.parse().ok()).unwrap_or(0.0)
    };
    (field(14) + field(15), field(22))
}

/// When the machine started, in seconds since 1970.
fn booted(stat: &str) -> f64 {
    let mut lines = stat.lines();
    let time = lines.find_map(|line| line.strip_prefix("btime "));
    time.and_then(|time| time.trim().parse().ok())
        .unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn the_kernels_files_are_read() {
        let stat = "7 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 1 0 1234 0 0\n";
        assert_eq!(times(stat), (300.0, 1234.0));
        assert_eq!(times(""), (0.0, 0.0));
        assert_eq!(
            kibibytes("VmData:\t 3 kB\nVmRSS:\t  17 kB\n", "VmRSS:"),
            17 << 10
        );
        assert_eq!(kibibytes("", "VmRSS:"), 0);
        assert_eq!(booted("cpu 1\nbtime 1700000000\n"), 1_700_000_000.0);
    }

    #[test]
    fn this_process_has_memory_and_descriptors_and_a_past() {
        let facts = facts().expect("proc");
        assert!(facts.resident_memory > 1 << 20, "{facts:?}");
        assert!(facts.anonymous_memory <= facts.resident_memory, "{facts:?}");
        // An allocator may reserve a gigabyte that is never used.
        assert!(facts.heap_size() >= facts.anonymous_memory, "{facts:?}");
        assert!(facts.heap_size() < 4 * facts.resident_memory, "{facts:?}");
        assert!(
            (3..=facts.open_files_max).contains(&facts.open_files),
            "{facts:?}"
        );
        let now = SystemTime::UNIX_EPOCH.elapsed().expect("after 1970");
        let age = now.as_secs_f64() - facts.start_seconds;
        assert!((-2.0..86_400.0).contains(&age), "{facts:?}");
    }
}
