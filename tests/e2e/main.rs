//! End-to-end tests: every story on a real kernel, with real `curl`, in network namespaces that vanish.

mod harness;
mod floors;
