//! Connections that are no HTTP: what their clients hear, and their line in the access log, field by field.

mod dialogue;
pub(crate) mod peer;
mod gateway;
mod sidecar;

use std::net::{IpAddr, SocketAddr};

use egret_tests::egret::Settings;
use egret_tests::ledger::Ledger;
use egret_tests::netns::Host;

use crate::compare;
use crate::compare::{Facts, Names};
pub(crate) use crate::rows::dialogue::{Dialogue, hold};
pub(crate) use crate::rows::gateway::DIALOGUES;
use crate::through::PATIENCE;

/// A way through one proxy.
struct Through<'w> {
    client: &'w Host,
    names: Names,
    /// The proxy that is dialled; `None` where it stands in the way.
    at: Option<IpAddr>,
    /// The proxy's access log.
    log: &'w Ledger<String>,
}

impl Through<'_> {
    fn hold(&self, dialogue: &Dialogue) -> anyhow::Result<Facts> {
        let told = self.log.len();
        let to = SocketAddr::new(self.at.unwrap_or(dialogue.to.ip()), dialogue.to.port());
        let mut facts = hold(self.client, to, dialogue.steps);
        for lines in told..told + dialogue.rows {
            self.log.await_growth(lines, PATIENCE);
        }
        let lines = self.log.all().split_off(told);
        facts.insert(compare::ROWS.to_owned(), lines.len().to_string());
        compare::told(&lines, dialogue.rows, &self.names, &mut facts);
        Ok(facts)
    }
}

/// A gateway or a sidecar whose connections are those of one worker, as Envoy's are here.
fn alone(settings: Settings) -> Settings {
    settings.with(&["--threads", "1"])
}
