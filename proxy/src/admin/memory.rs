//! `/memory`: the memory of the process, under Envoy's names (`envoy.admin.v3.Memory`).

use serde_json::json;

use crate::admin::page::Page;
use crate::sys::process;

/// The memory of the process in bytes, as strings of digits. `allocated` is what is in memory and belongs to no file;
/// `heap_size` is the most that this was. The allocator itself keeps no figures.
pub(super) fn page() -> Page {
    let process = process::facts().unwrap_or_default();
    let (allocated, heap) = (process.anonymous_memory, process.heap_size());
    Page::json(&json!({
        "allocated": allocated.to_string(),
        "heap_size": heap.to_string(),
        "pageheap_unmapped": heap.saturating_sub(allocated).to_string(),
        "pageheap_free": "0",
        "total_thread_cache": "0",
        "total_physical_bytes": process.resident_memory.to_string(),
    }))
}
