use std::collections::BTreeMap;

use super::*;
use crate::wire::reading::Shape;
use crate::wire::reading::names::camel_case;
use crate::wire::unsupported;

/// How the shapes alone treat a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Read {
    /// It is a field of a struct.
    Field,
    /// `unsupported` names it.
    Warned,
    /// It is skipped.
    Silent,
}

/// Notes every field below `path`.
fn collect(schema: &Schema, path: &str, paths: &mut BTreeMap<String, Read>) {
    match schema {
        Schema::Scalar => {}
        Schema::List(of) => collect(of, &format!("{path}[]"), paths),
        Schema::Map(of) => collect(of, &format!("{path}.*"), paths),
        Schema::Object {
            shape,
            fields,
            silent,
        } => {
            let dot = if path.ends_with(' ') { "" } else { "." };
            for (name, of) in fields {
                let below = format!("{path}{dot}{}", camel_case(name));
                if unsupported::message(shape, name).is_some() {
                    paths.insert(below, Read::Warned);
                } else {
                    collect(of, &below, paths);
                    paths.insert(below, Read::Field);
                }
            }
            for name in *silent {
                paths.insert(format!("{path}{dot}{}", camel_case(name)), Read::Silent);
            }
        }
    }
}

/// Every field of the shapes of Istio's kinds.
fn known() -> BTreeMap<String, Read> {
    use crate::wire::destination_rule::DestinationRule;
    use crate::wire::gateway::Gateway;
    use crate::wire::mesh_config::MeshConfig;
    use crate::wire::service_entry::{ServiceEntry, WorkloadEntry};
    use crate::wire::sidecar::Sidecar;
    use crate::wire::telemetry::Telemetry;
    use crate::wire::virtual_service::VirtualService;

    let mut paths = BTreeMap::new();
    for (root, schema) in [
        ("DestinationRule spec", DestinationRule::schema()),
        ("Gateway spec", Gateway::schema()),
        ("MeshConfig ", MeshConfig::schema()),
        ("ServiceEntry spec", ServiceEntry::schema()),
        ("Sidecar spec", Sidecar::schema()),
        ("Telemetry spec", Telemetry::schema()),
        ("VirtualService spec", VirtualService::schema()),
        ("WorkloadEntry spec", WorkloadEntry::schema()),
    ] {
        collect(&schema, root, &mut paths);
    }
    // The envelope puts the document's own `status` into the spec of a ServiceEntry.
    paths.retain(|path, _| !path.starts_with("ServiceEntry spec.status"));
    paths
}

#[test]
fn the_list_of_fields_is_that_of_the_shapes() {
    let list = include_str!("../fields.txt");
    let mut known = known();
    let mut wrong = Vec::new();
    let mut last = "";
    for line in list.lines().filter(|line| !line.starts_with('#')) {
        assert!(last < line, "{line}: not in order, or twice");
        last = line;
        let (path, treatment) = line.rsplit_once(' ').expect("a path and a word");
        match (treatment, known.remove(path)) {
            ("honoured", Some(Read::Field))
            | ("warned", Some(Read::Warned))
            | ("ignored", Some(Read::Silent)) => {}
            ("ignored" | "refused" | "warned", Some(Read::Field)) => {}
            (_, read) => wrong.push(format!("{line}: the shapes say {read:?}")),
        }
    }
    wrong.extend(known.keys().map(|path| format!("{path}: not in the list")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
