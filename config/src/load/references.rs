//! Documents that refer to others: they are understood again whenever any document changes.

use std::sync::Arc;

use crate::load::document::root;
use crate::load::wire_document::WireDocument;
use crate::model;
use crate::model::meta::Meta;
use crate::model::objects::Objects;
use crate::model::secret::Secrets;
use crate::problem::{Diagnostics, Problem};
use crate::wire::envelope::Body;

/// Adds what a document means among these Secrets and instances; `false` when it is left out.
pub(super) fn add(
    wire: &WireDocument,
    meta: &Meta,
    secrets: &Secrets,
    objects: &mut Objects,
    problems: &mut Vec<Problem>,
) -> bool {
    // An identity of its own: the same document may mean something else than it did before.
    let meta = &Arc::new(meta.clone());
    let metadata = &wire.metadata;
    let title = meta.title_or_kind();
    let mut diagnostics = Diagnostics::new(&meta.location, &title, root(wire), problems);
    let diagnostics = &mut diagnostics;
    match &wire.body {
        Body::EndpointSlice(slice) => {
            let instances = &objects.instances;
            let group = model::kubernetes::slice(slice, metadata, meta, instances, diagnostics);
            group.is_some() && keep(diagnostics, &mut objects.endpoints, group)
        }
        Body::DestinationRule(spec) => {
            let rule = model::policy::destination_rule::parse(spec, meta, secrets, diagnostics);
            keep(
                diagnostics,
                &mut objects.destination_rules,
                [Arc::new(rule)],
            )
        }
        Body::Gateway(spec) => {
            let gateway = model::gateway::parse(spec, metadata, meta, secrets, diagnostics);
            keep(diagnostics, &mut objects.gateways, [Arc::new(gateway)])
        }
        _ => false,
    }
}

fn keep<T>(
    diagnostics: &Diagnostics<'_>,
    list: &mut Vec<T>,
    read: impl IntoIterator<Item = T>,
) -> bool {
    if diagnostics.passed() {
        list.extend(read);
    }
    diagnostics.passed()
}
