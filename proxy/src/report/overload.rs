//! Warns of calls that were refused because the process has no room for them, wherever on their way that was.

use egret_config::decide::flag::Flag;
use tracing::warn;

use crate::failure::Failure;
use crate::report::facts::Facts;
use crate::report::reporter::Sink;
use crate::warning_interval::WarningInterval;

/// The sink that warns.
#[derive(Debug, Default)]
pub struct OverloadWarning {
    files: WarningInterval,
    clients: WarningInterval,
}

impl Sink for OverloadWarning {
    fn report(&self, facts: &Facts) {
        if !facts.flags.contains(Flag::OM) {
            return;
        }
        if let Some(limit) = facts.client_limit {
            if self.clients.is_due() {
                warn!("refusing calls: there are {}", Failure::from(limit));
            }
        } else if self.files.is_due() {
            warn!(
                "refusing calls: there are as many connections as the limit of open files allows, and none of them idles; \
                 raise the limit of open files of this container"
            );
        }
    }
}
