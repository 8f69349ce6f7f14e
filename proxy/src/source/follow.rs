//! Loads the configuration at the start, then follows its files: looks, waits until they are quiet, compiles, and puts
//! in force what does not break what is in force.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use egret_config::problem::Problem;
use egret_config::problem::Severity;
use egret_config::snapshot::Snapshot;
use egret_config::snapshot::workload::Workload;
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::task;
use tokio::time;
use tracing::error;
use tracing::info;
use tracing::warn;

use crate::current::Current;
use crate::source::compile;
use crate::source::files;
use crate::source::files::Found;
use crate::source::files::Options;
use crate::source::files::ReadError;
use crate::source::status::Loaded;
use crate::source::status::Status;
use crate::source::watch::Watch;

/// How often to look whether files changed, notice or not.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Every so many looks contents are compared too, for a change that left size and times as they were.
const LOOKS_BEFORE_READ: u32 = 10;

/// How long files must be quiet before they are read: an edit is often several writes.
const QUIET: Duration = Duration::from_millis(100);

/// Waiting for quiet ends after this long, so that a file that never rests is read all the same.
const QUIET_WAIT_MAX: Duration = Duration::from_millis(800);

/// Problems beyond this many are counted in the log, not written; the admin pages have all of them.
const PROBLEMS_LOGGED_MAX: usize = 100;

/// The configuration's files, and what was last seen in them.
#[derive(Debug)]
pub struct Source {
    options: Options,
    workload: Workload,
    status: Status,
    in_force: Arc<Loaded>,
    found: Vec<Found>,
    /// What was last read, in force or not; or the error that kept it from being read.
    seen: Result<u64, String>,
}

impl Source {
    /// Reads and compiles the configuration for the first time. Errors in documents do not stop the other documents.
    ///
    /// # Errors
    /// A path that cannot be read.
    pub fn load(
        options: Options,
        workload: Workload,
        status: Status,
    ) -> Result<(Self, Snapshot), ReadError> {
        let found = files::find(&options)?;
        let texts = files::read(&found)?;
        let (snapshot, loaded) = compile::compile(&texts, &workload, 1);
        let in_force = Arc::new(loaded);
        status.accept(Arc::clone(&in_force));
        let seen = Ok(in_force.fingerprint);
        Ok((
            Self {
                options,
                workload,
                status,
                in_force,
                found,
                seen,
            },
            snapshot,
        ))
    }

    /// Tells the log what was loaded at the start.
    pub fn announce(&self) {
        if self.options.paths.is_empty() && self.options.mesh_config.is_none() {
            warn!(
                "no configuration (--config, --mesh-config): calls to anywhere are allowed, and nothing is registered"
            );
        }
        tell(&self.in_force, None);
    }

    /// Follows the files for as long as it is polled. `asked` is notified to look at once, as by a signal.
    pub async fn follow(mut self, current: Arc<Current>, asked: Arc<Notify>) {
        let mut watch = Watch::new(Arc::clone(&asked));
        watch.set(files::folders(&self.options, &self.found));
        // What changed before the watch began has made no notice.
        asked.notify_one();
        let mut looks = 0;
        loop {
            let noticed = time::timeout(LOOK_INTERVAL, watch.changed()).await.is_ok();
            if noticed {
                quiet(&watch).await;
            }
            looks += 1;
            let thorough = noticed || looks >= LOOKS_BEFORE_READ;
            if thorough {
                looks = 0;
            }
            // The blocking work gets the source and gives it back.
            let door = Arc::clone(&current);
            let looked = task::spawn_blocking(move || {
                let moved = self.look(thorough, &door);
                (self, moved)
            })
            .await;
            let Ok((source, moved)) = looked else {
                error!(
                    "looking at the configuration failed; what is in force stays until a restart"
                );
                return;
            };
            self = source;
            if moved {
                watch.set(files::folders(&self.options, &self.found));
            }
        }
    }

    /// Looks at the files once and acts on what it sees. Says whether files were added, removed or written.
    fn look(&mut self, thorough: bool, current: &Current) -> bool {
        let found = match files::find(&self.options) {
            Ok(found) => found,
            Err(error) => {
                self.unreadable(&error);
                return false;
            }
        };
        let moved = found != self.found;
        // An error before means that nothing is known of the contents now.
        if !(moved || thorough || self.seen.is_err()) {
            return false;
        }
        self.found = found;
        let texts = match files::read(&self.found) {
            Ok(texts) => texts,
            Err(error) => {
                self.unreadable(&error);
                return moved;
            }
        };
        let fingerprint = texts.fingerprint;
        if self.seen == Ok(fingerprint) {
            return moved;
        }
        self.seen = Ok(fingerprint);
        if fingerprint == self.in_force.fingerprint {
            info!("the configuration is again what is in force");
            self.status.restore();
            return moved;
        }
        let (snapshot, next) = compile::compile(&texts, &self.workload, self.in_force.version + 1);
        drop(texts);
        let broken = self.in_force.broken_by(&next);
        if broken.is_empty() {
            tell(&next, Some(&self.in_force));
            self.in_force = Arc::new(next);
            // Whoever is told of the new snapshot finds the status that belongs to it.
            self.status.accept(Arc::clone(&self.in_force));
            current.publish(snapshot);
        } else {
            self.reject(broken.iter().map(ToString::to_string).collect());
        }
        moved
    }

    fn unreadable(&mut self, error: &ReadError) {
        let words = error.to_string();
        if self.seen.as_ref() != Err(&words) {
            self.reject(vec![words.clone()]);
            self.seen = Err(words);
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

/// Waits until nothing was noticed for a moment.
async fn quiet(watch: &Watch) {
    let rest = async { while time::timeout(QUIET, watch.changed()).await.is_ok() {} };
    // Never at rest: look at what is there.
    let _ = time::timeout(QUIET_WAIT_MAX, rest).await;
}

/// Writes to the log what came into force, and those of its problems that it did not have before.
fn tell(loaded: &Loaded, before: Option<&Loaded>) {
    let words = |problem: &Problem| problem.to_string();
    let told: BTreeSet<String> = before
        .iter()
        .flat_map(|before| &before.problems)
        .map(words)
        .collect();
    let of = |severity: Severity| -> Vec<String> {
        let these = loaded
            .problems
            .iter()
            .filter(|problem| problem.severity == severity);
        these
            .map(words)
            .filter(|words| !told.contains(words))
            .collect()
    };
    log_some(&of(Severity::Error), |words| error!("{words}"));
    log_some(&of(Severity::Warning), |words| warn!("{words}"));
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

#[cfg(test)]
mod tests;
