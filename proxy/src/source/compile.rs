//! Documents to a snapshot, with what is to be known about the objects in it. Takes processor time, so not for a
//! worker's thread.

use std::sync::Arc;

use egret_config::lint::lint;
use egret_config::lint::listeners::no_listener;
use egret_config::load;
use egret_config::load::{Document, mesh};
use egret_config::model::meta::Meta;
use egret_config::model::objects::Objects;
use egret_config::problem::{Location, Problem, Severity};
use egret_config::snapshot::unenforced::unenforced;
use egret_config::snapshot::workload::Workload;
use egret_config::snapshot::{Snapshot, addresses};
use jiff::Timestamp;
use tokio::time::Instant;

use crate::source::input::Input;
use crate::source::registered::Registered;
use crate::source::status::Loaded;

/// What a configuration is built for and with.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The workload that the proxy serves.
    pub workload: Workload,
    /// Whether AuthorizationPolicies, which are not enforced, are accepted all the same.
    pub ignore_authorization_policies: bool,
}

/// The configuration that another one is to replace.
#[derive(Clone, Copy, Debug)]
pub struct InForce<'f> {
    /// Counts configurations in force since the start.
    pub version: u64,
    /// Its mesh configuration, which stays where the next one has none.
    pub mesh: Option<&'f Document>,
    /// What it was compiled to. What did not change is shared with it.
    pub snapshot: &'f Snapshot,
}

/// Builds the view that the workload has of `input`, which may replace what is `in_force`. Never fails: what could not be understood is among the problems.
pub fn compile(
    mut input: Input,
    terms: &Terms,
    in_force: Option<InForce<'_>>,
) -> (Snapshot, Loaded) {
    let started = Instant::now();
    let kept = in_force
        .and_then(|in_force| in_force.mesh)
        .filter(|_| !input.documents.list.iter().any(mesh::is_mesh));
    if let Some(mesh) = kept {
        input.documents.problems.push(mesh_kept(mesh));
        input.documents.list.push(mesh.clone());
    }
    let (mut objects, mut problems) = load::build(input.documents);
    if terms.workload.dns_capture {
        addresses::allocate(&mut objects);
    }
    let before = in_force.map(|in_force| in_force.snapshot);
    let (snapshot, unfitting) = Snapshot::rebuild(&objects, terms.workload.clone(), before);
    problems.extend(unfitting);
    problems.extend(no_listener(&objects, &snapshot));
    problems.extend(policies(&objects, terms));
    let linted = lint(&objects, &problems);
    problems.extend(linted);
    let loaded = Loaded {
        version: in_force.map_or(1, |in_force| in_force.version + 1),
        at: Timestamp::now(),
        took: started.elapsed(),
        fingerprint: input.fingerprint,
        files: input.files,
        counts: objects.counts.clone(),
        objects: titles(&objects),
        services: Registered::all(&objects.services),
        mesh: objects.mesh.meta.is_some(),
        mesh_kept: kept.is_some(),
        problems,
    };
    (snapshot, loaded)
}

/// AuthorizationPolicies that apply to the workload: errors, unless they are accepted.
fn policies(objects: &Objects, terms: &Terms) -> Vec<Problem> {
    let mut problems = unenforced(objects, &terms.workload);
    if terms.ignore_authorization_policies {
        for problem in &mut problems {
            problem.severity = Severity::Warning;
        }
    }
    problems
}

fn mesh_kept(mesh: &Document) -> Problem {
    let message = (
        "the mesh configuration is gone; what it set stays in force until there is another one",
        "give it again, or restart without it",
    );
    Problem::new(Severity::Warning, mesh.meta.location.clone(), message).of("MeshConfig")
}

fn titles(objects: &Objects) -> Vec<(String, Location)> {
    let metas = objects
        .mesh
        .meta
        .iter()
        .chain(objects.services.iter().map(|object| &object.meta))
        .chain(objects.endpoints.iter().map(|object| &object.meta))
        .chain(objects.virtual_services.iter().map(|object| &object.meta))
        .chain(objects.destination_rules.iter().map(|object| &object.meta))
        .chain(objects.gateways.iter().map(|object| &object.meta))
        .chain(objects.sidecars.iter().map(|object| &object.meta))
        .chain(
            objects
                .authorization_policies
                .iter()
                .map(|object| &object.meta),
        );
    let mut titles: Vec<(String, Location)> = metas
        .map(|meta: &Arc<Meta>| (meta.title_or_kind(), meta.location.clone()))
        .collect();
    // A ServiceEntry gives a service for each of its hosts, all with its name.
    titles.dedup_by(|one, other| one.0 == other.0);
    titles
}

#[cfg(test)]
mod tests;
