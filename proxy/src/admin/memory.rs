//! `/memory`: the memory of the process, under Envoy's names (`envoy.admin.v3.Memory`).

use std::fs;

use serde_json::json;

use crate::admin::page::Page;

/// What the kernel says of this process (`proc_pid_status(5)`). The allocator itself keeps no figures.
const STATUS: &str = "/proc/self/status";

/// The memory of the process in bytes, as strings of digits. `allocated` is what is in memory and belongs to no file;
/// `heap_size` is what was asked of the kernel for data.
pub(super) fn page() -> Page {
    let status = fs::read_to_string(STATUS).unwrap_or_default();
    let resident = bytes(&status, "RssAnon");
    let heap = bytes(&status, "VmData").max(resident);
    Page::json(&json!({
        "allocated": resident.to_string(),
        "heap_size": heap.to_string(),
        "pageheap_unmapped": heap.saturating_sub(resident).to_string(),
        "pageheap_free": "0",
        "total_thread_cache": "0",
        "total_physical_bytes": bytes(&status, "VmRSS").to_string(),
    }))
}

/// A size of `/proc/self/status` in bytes; 0 where it has none.
fn bytes(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kibibytes = line
        .and_then(|line| line.strip_prefix(':'))
        .and_then(|value| value.split_whitespace().next())
        .and_then(|digits| digits.parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_bytes() {
        let status = "VmRSS:\t   12 kB\nRssAnon:\t 8 kB\nThreads:\t3\n";
        assert_eq!(bytes(status, "VmRSS"), 12 * 1024);
        assert_eq!(bytes(status, "RssAnon"), 8 * 1024);
        assert_eq!(bytes(status, "Rss"), 0);
        assert_eq!(bytes("", "VmRSS"), 0);
    }

    #[test]
    fn every_size_is_a_string_of_digits_and_this_process_has_memory() {
        let sizes: serde_json::Value = serde_json::from_str(&page().body).expect("JSON");
        let sizes = sizes.as_object().expect("an object");
        assert_eq!(sizes.len(), 6);
        for (name, size) in sizes {
            let size = size.as_str().expect(name);
            assert!(size.bytes().all(|byte| byte.is_ascii_digit()), "{name}");
        }
        assert_ne!(sizes["allocated"], "0");
        assert_ne!(sizes["total_physical_bytes"], "0");
    }
}
