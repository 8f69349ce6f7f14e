//! Texts to a snapshot, with what is to be known about the objects in it. Takes processor time, so not for a worker's
//! thread.

use std::sync::Arc;
use std::time::Instant;

use egret_config::lint::lint;
use egret_config::load;
use egret_config::model::meta::Meta;
use egret_config::model::objects::Objects;
use egret_config::problem::Place;
use egret_config::snapshot::Snapshot;
use egret_config::snapshot::addresses;
use egret_config::snapshot::workload::Workload;
use jiff::Timestamp;

use crate::source::files::Texts;
use crate::source::status::Loaded;

/// Parses `texts` and builds the view of `workload`. Never fails: what could not be understood is among the problems.
pub fn compile(texts: &Texts, workload: &Workload, version: u64) -> (Snapshot, Loaded) {
    let started = Instant::now();
    let (mut objects, mut problems) = load::load(&texts.objects, texts.mesh_config.as_ref());
    if workload.dns_capture {
        addresses::allocate(&mut objects);
    }
    let (snapshot, unfitting) = Snapshot::build(&objects, workload.clone());
    problems.extend(unfitting);
    let linted = lint(&objects, &problems);
    problems.extend(linted);
    let loaded = Loaded {
        version,
        at: Timestamp::now(),
        took: started.elapsed(),
        fingerprint: texts.fingerprint,
        files: texts
            .objects
            .iter()
            .chain(&texts.mesh_config)
            .map(|text| (Arc::clone(&text.file), text.bytes.len()))
            .collect(),
        counts: objects.counts.clone(),
        objects: titles(&objects),
        mesh: objects.mesh.meta.is_some(),
        problems,
    };
    (snapshot, loaded)
}

fn titles(objects: &Objects) -> Vec<(String, Place)> {
    let metas = objects
        .mesh
        .meta
        .iter()
        .chain(objects.services.iter().map(|object| &object.meta))
        .chain(objects.endpoints.iter().map(|object| &object.meta))
        .chain(objects.virtual_services.iter().map(|object| &object.meta))
        .chain(objects.destination_rules.iter().map(|object| &object.meta))
        .chain(objects.gateways.iter().map(|object| &object.meta))
        .chain(objects.sidecars.iter().map(|object| &object.meta));
    let mut titles: Vec<(String, Place)> = metas
        .map(|meta: &Arc<Meta>| (title(meta), meta.place.clone()))
        .collect();
    // A ServiceEntry gives a service for each of its hosts, all with its name.
    titles.dedup_by(|one, other| one.0 == other.0);
    titles
}

/// `Kind namespace/name`, or the kind alone of a bare MeshConfig, which has no name.
pub fn title(meta: &Meta) -> String {
    match &*meta.name.name {
        "" => meta.kind.to_string(),
        _ => meta.title(),
    }
}

#[cfg(test)]
mod tests;
