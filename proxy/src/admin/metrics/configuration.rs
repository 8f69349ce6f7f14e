//! The configuration as metrics: what is in force, and what became of changes.

use egret_config::name::Kind as ObjectKind;
use egret_config::problem::Severity;

use crate::admin::state::Admin;
use crate::report::metrics::definition::{Definition, Kind};
use crate::report::metrics::family::{Family, Value, labels};

static RELOADS: Definition = Definition {
    name: "egret_reloads_total",
    kind: Kind::Counter,
    help: "Changes of the configuration by what became of them.",
    labels: &["result"],
    stat: "",
};

static LAST_APPLIED: Definition = Definition {
    name: "egret_config_last_applied_timestamp_seconds",
    kind: Kind::Gauge,
    help: "When the configuration in force came into force, in seconds since 1970.",
    labels: &[],
    stat: "",
};

static PROBLEMS: Definition = Definition {
    name: "egret_config_problems",
    kind: Kind::Gauge,
    help: "Problems of the configuration in force.",
    labels: &["severity"],
    stat: "",
};

static OBJECTS: Definition = Definition {
    name: "egret_config_objects",
    kind: Kind::Gauge,
    help: "Objects of the configuration in force.",
    labels: &["kind"],
    stat: "",
};

/// Families of Envoy's managers, which are our reloads.
macro_rules! updates {
    ($($static:ident $name:literal $stat:literal,)*) => {
        $(
            static $static: Definition = Definition {
                name: $name,
                kind: Kind::Counter,
                help: "",
                labels: &[],
                stat: $stat,
            };
        )*
    };
}

updates! {
    CDS_SUCCESS "envoy_cluster_manager_cds_update_success" "cluster_manager.cds.update_success",
    CDS_REJECTED "envoy_cluster_manager_cds_update_rejected" "cluster_manager.cds.update_rejected",
    LDS_SUCCESS "envoy_listener_manager_lds_update_success" "listener_manager.lds.update_success",
    LDS_REJECTED "envoy_listener_manager_lds_update_rejected" "listener_manager.lds.update_rejected",
}

/// The families.
pub static DEFINITIONS: &[&Definition] = &[
    &CDS_SUCCESS,
    &CDS_REJECTED,
    &LDS_SUCCESS,
    &LDS_REJECTED,
    &RELOADS,
    &LAST_APPLIED,
    &PROBLEMS,
    &OBJECTS,
];

/// The families.
pub(super) fn families(admin: &Admin) -> Vec<Family> {
    let state = admin.status.state();
    let reloads = state.reloads;
    // What the process started with is an update, too.
    let accepted = reloads.applied + u64::from(state.loaded.is_some());
    let updates = [
        (&CDS_SUCCESS, accepted),
        (&CDS_REJECTED, reloads.rejected),
        (&LDS_SUCCESS, accepted),
        (&LDS_REJECTED, reloads.rejected),
    ];
    let mut families = Vec::from(
        updates.map(|(definition, count)| Family::single(definition, Value::Integer(count))),
    );
    families.push(by_label(
        &RELOADS,
        [
            ("applied", reloads.applied),
            ("unchanged", reloads.unchanged),
            ("rejected", reloads.rejected),
        ],
    ));
    let loaded = state.loaded.as_deref();
    let at = loaded.map_or(0.0, |loaded| loaded.at.as_duration().as_secs_f64());
    families.push(Family::single(&LAST_APPLIED, Value::Float(at)));
    let problems = |severity| {
        let all = loaded.iter().flat_map(|loaded| &loaded.problems);
        all.filter(|problem| problem.severity == severity).count() as u64
    };
    families.push(by_label(
        &PROBLEMS,
        [
            ("error", problems(Severity::Error)),
            ("warning", problems(Severity::Warning)),
        ],
    ));
    let mut objects = Family::new(&OBJECTS);
    for kind in ObjectKind::ALL {
        let count = loaded.and_then(|loaded| loaded.counts.get(&kind)).copied();
        let labels = labels(&OBJECTS, &[&kind.to_string()]);
        objects.add(&labels, Value::Integer(count.unwrap_or_default() as u64));
    }
    families.push(objects);
    families
}

/// A family with one label, and a number for each of its values.
pub(super) fn by_label<const N: usize>(
    definition: &'static Definition,
    values: [(&str, u64); N],
) -> Family {
    let mut family = Family::new(definition);
    for (value, count) in values {
        family.add(&labels(definition, &[value]), Value::Integer(count));
    }
    family
}
