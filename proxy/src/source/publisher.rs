//! Puts inputs in force that do not break what is in force, and writes what came of them to the log and the status.

use std::collections::BTreeSet;
use std::sync::Arc;

use egret_config::load::{Document, mesh};
use egret_config::problem::{Problem, Severity};
use egret_config::snapshot::Snapshot;
use jiff::Timestamp;
use thiserror::Error;
use tracing::{error, info, warn};

use crate::current::Current;
use crate::source::compile;
use crate::source::compile::{InForce, Terms};
use crate::source::input::Input;
use crate::source::status::{Loaded, Status};

/// Problems beyond this many are counted in the log, not written; the admin pages have all of them.
const PROBLEMS_LOGGED_MAX: usize = 100;

/// What is in force, and the last input that was offered.
#[derive(Debug)]
pub struct Publisher {
    terms: Terms,
    status: Status,
    in_force: Arc<Loaded>,
    /// The mesh configuration in force. It stays when an input comes without one.
    mesh: Option<Document>,
    /// The fingerprint of the last input, in force or not; or the error that kept it from being read.
    offered: Result<u64, String>,
}

/// A configuration that egret must not start with.
#[derive(Debug, Error)]
#[error("{first}{}", more(*.others))]
pub struct Refused {
    first: String,
    others: usize,
}

impl Publisher {
    /// Builds the first snapshot. Errors in documents do not stop the other documents.
    ///
    /// # Errors
    /// An AuthorizationPolicy that applies to the workload, unless `terms` accept that it is not enforced.
    pub fn start(input: Input, terms: Terms, status: Status) -> Result<(Self, Snapshot), Refused> {
        let mesh = mesh_of(&input);
        let (snapshot, loaded) = compile::compile(input, &terms, None);
        let refusing = loaded.unenforced();
        if let (Some(first), false) = (refusing.first(), terms.ignore_authorization_policies) {
            return Err(Refused {
                first: first.to_string(),
                others: refusing.len() - 1,
            });
        }
        let in_force = Arc::new(loaded);
        status.accept(Arc::clone(&in_force));
        let publisher = Self {
            terms,
            status,
            offered: Ok(in_force.fingerprint),
            in_force,
            mesh,
        };
        Ok((publisher, snapshot))
    }

    /// Writes what was loaded at the start to the log.
    pub fn announce(&self) {
        log_loaded(&self.in_force, None);
    }

    /// What is in force.
    pub fn in_force(&self) -> &Loaded {
        &self.in_force
    }

    /// Whether nothing is known of the last input, because it could not be read.
    pub fn is_blind(&self) -> bool {
        self.offered.is_err()
    }

    /// Whether an input with this fingerprint is another one than the last.
    pub fn is_news(&self, fingerprint: u64) -> bool {
        self.offered != Ok(fingerprint)
    }

    /// Takes an input. It comes into force, unless it is what is in force, or breaks that.
    pub fn offer(&mut self, input: Input, current: &Current) {
        self.offered = Ok(input.fingerprint);
        if input.fingerprint == self.in_force.fingerprint {
            info!("the configuration is again what is in force");
            self.status.restore();
            return;
        }
        let mesh = mesh_of(&input);
        let before = current.load();
        let in_force = InForce {
            version: self.in_force.version,
            mesh: self.mesh.as_ref(),
            snapshot: &before,
        };
        let (snapshot, next) = compile::compile(input, &self.terms, Some(in_force));
        let mut broken = self.in_force.broken_by(&next);
        if !self.terms.ignore_authorization_policies {
            broken.extend(next.unenforced());
        }
        if !broken.is_empty() {
            let reasons: BTreeSet<String> = broken.iter().map(ToString::to_string).collect();
            return self.reject(reasons.into_iter().collect());
        }
        log_loaded(&next, Some(&self.in_force));
        self.in_force = Arc::new(next);
        self.mesh = mesh.or_else(|| self.mesh.take());
        // Whoever waits for the new snapshot finds the status that belongs to it.
        self.status.accept(Arc::clone(&self.in_force));
        current.publish(snapshot);
    }

    /// Files were written, and say what they said before.
    pub fn unchanged(&self) {
        self.status.unchanged();
    }

    /// Keeps what is in force, because the input with this fingerprint cannot be used, for `reasons`.
    pub fn refuse(&mut self, fingerprint: u64, reasons: Vec<String>) {
        self.offered = Ok(fingerprint);
        self.reject(reasons);
    }

    /// Keeps what is in force, because there is no input: it cannot be read, for `reason`.
    pub fn unreadable(&mut self, reason: String) {
        if self.offered.as_ref() != Err(&reason) {
            self.reject(vec![reason.clone()]);
            self.offered = Err(reason);
        }
    }

    fn reject(&self, reasons: Vec<String>) {
        error!(
            in_force_since = %self.in_force.at, problems = reasons.len(),
            "the changed configuration is rejected, the last good one stays in force"
        );
        log_some(&reasons, |reason| error!("{reason}"));
        self.status.reject(Timestamp::now(), reasons);
    }
}

fn mesh_of(input: &Input) -> Option<Document> {
    let mut documents = input.documents.list.iter();
    documents.find(|document| mesh::is_mesh(document)).cloned()
}

/// Writes to the log what came into force, and those of its problems that it did not have before.
fn log_loaded(loaded: &Loaded, before: Option<&Loaded>) {
    let message_of = |problem: &Problem| problem.to_string();
    let reported: BTreeSet<String> = before
        .iter()
        .flat_map(|before| &before.problems)
        .map(message_of)
        .collect();
    let of = |severity: Severity| -> Vec<String> {
        let these = loaded
            .problems
            .iter()
            .filter(|problem| problem.severity == severity);
        these
            .map(message_of)
            .filter(|message| !reported.contains(message))
            .collect()
    };
    log_some(&of(Severity::Error), |message| error!("{message}"));
    log_some(&of(Severity::Warning), |message| warn!("{message}"));
    info!(
        version = loaded.version, files = loaded.files.len(), objects = loaded.objects.len(),
        problems = loaded.problems.len(), took = ?loaded.took,
        "configuration in force"
    );
}

fn log_some(lines: &[String], write: impl Fn(&str)) {
    for line in lines.iter().take(PROBLEMS_LOGGED_MAX) {
        write(line);
    }
    if lines.len() > PROBLEMS_LOGGED_MAX {
        write(&format!(
            "and {} more like these: see /config_dump",
            lines.len() - PROBLEMS_LOGGED_MAX
        ));
    }
}

fn more(others: usize) -> String {
    match others {
        0 => String::new(),
        others => format!(" (and {others} more such policies)"),
    }
}
