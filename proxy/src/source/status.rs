//! What was loaded, and what was refused and why; for the log and the admin pages.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use egret_config::name::Kind;
use egret_config::problem::{Location, Problem, Severity};
use jiff::Timestamp;

use crate::lock::lock;
use crate::source::registered::Registered;

/// The configuration in force and the last edit that was not taken. Clones share one state, on all threads.
#[derive(Clone, Debug, Default)]
pub struct Status {
    state: Arc<Mutex<State>>,
}

/// What a [`Status`] says at one moment.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// What is in force; `None` before the first load.
    pub loaded: Option<Arc<Loaded>>,
    /// The edit that is not in force; `None` when the newest one is.
    pub rejected: Option<Arc<Rejected>>,
    /// What became of changes since the start.
    pub reloads: Reloads,
}

/// What became of changes of the configuration since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reloads {
    /// They came into force.
    pub applied: u64,
    /// They said what is in force.
    pub unchanged: u64,
    /// They did not come into force.
    pub rejected: u64,
}

/// A configuration that came into force.
#[derive(Debug)]
pub struct Loaded {
    /// Counts configurations in force since the start, from 1.
    pub version: u64,
    /// When it came into force.
    pub at: Timestamp,
    /// How long parsing and building took.
    pub took: Duration,
    /// Hash of names and contents of its files.
    pub fingerprint: u64,
    /// Its files, with their sizes in bytes.
    pub files: Vec<(Arc<str>, usize)>,
    /// How many objects of each kind were understood.
    pub counts: BTreeMap<Kind, usize>,
    /// Those objects, as `Kind namespace/name`, with their places.
    pub objects: Vec<(String, Location)>,
    /// The services among them.
    pub services: Vec<Registered>,
    /// Whether some object gave MeshConfig.
    pub mesh: bool,
    /// Whether that object is one of before, because the input has none.
    pub mesh_kept: bool,
    /// Errors and warnings about its documents and about how its objects fit together.
    pub problems: Vec<Problem>,
}

/// An edit that did not come into force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Since when what is in the files is not what is in force.
    pub since: Timestamp,
    /// Why.
    pub reasons: Vec<String>,
}

impl Status {
    /// Its current state.
    pub fn state(&self) -> State {
        self.with(|state| state.clone())
    }

    /// A configuration came into force.
    pub fn accept(&self, loaded: Arc<Loaded>) {
        self.with(|state| {
            state.reloads.applied += u64::from(state.loaded.is_some());
            state.loaded = Some(loaded);
            state.rejected = None;
        });
    }

    /// An edit was not taken. `since` stays that of the first one in a row.
    pub fn reject(&self, now: Timestamp, reasons: Vec<String>) {
        self.with(|state| {
            let since = state.rejected.as_ref().map_or(now, |before| before.since);
            state.rejected = Some(Arc::new(Rejected { since, reasons }));
            state.reloads.rejected += 1;
        });
    }

    /// The edit that was not taken has been undone.
    pub fn restore(&self) {
        self.with(|state| {
            state.rejected = None;
            state.reloads.unchanged += 1;
        });
    }

    /// Files were written, and say what they said before.
    pub fn unchanged(&self) {
        self.with(|state| state.reloads.unchanged += 1);
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut lock(&self.state))
    }
}

impl Loaded {
    /// The errors of `next` that break what is in force, which is why `next` must not replace it. An error breaks it when
    /// it is new and
    /// - the object it names is in force, or
    /// - it names no object, as malformed YAML, and stands in a file that objects in force come from, or
    /// - it stands in a file that loses an object, whose name may be what is broken, or
    /// - it is in a Secret, of which there are fewer now, or
    /// - it is in MeshConfig, or MeshConfig is lost with it: what is broken may be MeshConfig.
    ///
    /// Errors in documents that were never in force break nothing; the others of their configuration count.
    pub fn broken_by<'n>(&self, next: &'n Self) -> Vec<&'n Problem> {
        let known: BTreeSet<String> = self.errors().map(identity).collect();
        let new: Vec<&Problem> = next
            .errors()
            .filter(|error| !known.contains(&identity(error)))
            .collect();
        if new.is_empty() {
            return new;
        }
        let objects: BTreeSet<&str> = self.objects.iter().map(|(title, _)| &**title).collect();
        let files: BTreeSet<&str> = self
            .objects
            .iter()
            .filter_map(|(_, location)| file(location))
            .collect();
        let kept: BTreeSet<&str> = next.objects.iter().map(|(title, _)| &**title).collect();
        let losing: BTreeSet<&str> = self
            .objects
            .iter()
            .filter(|(title, _)| !kept.contains(&**title))
            .filter_map(|(_, location)| file(location))
            .collect();
        let mesh_broken = |error: &Problem| {
            // There is only one, whatever it is called.
            let lost = !next.mesh || (next.mesh_kept && !self.mesh_kept);
            self.mesh && (lost || error.object.starts_with("MeshConfig"))
        };
        let secrets = |of: &Self| of.counts.get(&Kind::Secret).copied().unwrap_or_default();
        let secrets_lost = secrets(next) < secrets(self);
        new.into_iter()
            .filter(|error| {
                let within = |files: &BTreeSet<&str>| {
                    file(&error.location).is_some_and(|file| files.contains(file))
                };
                objects.contains(&*error.object)
                    || (error.object.is_empty() && within(&files))
                    || within(&losing)
                    || (secrets_lost && error.object.starts_with("Secret "))
                    || mesh_broken(error)
            })
            .collect()
    }

    /// Errors about AuthorizationPolicies: those that apply to the workload and are not enforced, and those that cannot
    /// be read, which may apply.
    pub fn unenforced(&self) -> Vec<&Problem> {
        let kind = Kind::AuthorizationPolicy.to_string();
        self.errors()
            .filter(|error| error.object.starts_with(&kind))
            .collect()
    }

    /// Whether objects in force are written in a file.
    pub fn has_objects_of(&self, name: &str) -> bool {
        let mut locations = self.objects.iter().map(|(_, location)| location);
        locations.any(|location| file(location) == Some(name))
    }

    fn errors(&self) -> impl Iterator<Item = &Problem> {
        self.problems
            .iter()
            .filter(|problem| problem.severity == Severity::Error)
    }
}

/// A problem without its line, which moves when something above it is edited.
fn identity(problem: &Problem) -> String {
    Problem {
        location: problem.location.at_line(0),
        ..problem.clone()
    }
    .to_string()
}

fn file(location: &Location) -> Option<&str> {
    location.file_name().map(|file| &**file)
}

#[cfg(test)]
mod tests;
