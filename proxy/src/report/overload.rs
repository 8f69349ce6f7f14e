//! Warns of calls that were refused because no descriptor was left for them, wherever on their way that was.

use egret_config::decide::flag::Flag;
use tracing::warn;

use crate::report::facts::Facts;
use crate::report::reporter::Sink;
use crate::warning_interval::WarningInterval;

/// The sink that warns.
#[derive(Debug, Default)]
pub struct OverloadWarning(WarningInterval);

impl Sink for OverloadWarning {
    fn report(&self, facts: &Facts) {
        if facts.flags.contains(Flag::OM) && self.0.is_due() {
            warn!(
                "refusing calls: there are as many connections as the limit of open files allows, and none of them idles; \
                 raise the limit of open files of this container"
            );
        }
    }
}
