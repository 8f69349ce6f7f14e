//! What every object has: its name, its age, its location, and the namespaces that it is exported to.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::name::{Kind, ObjectName};
use crate::problem::Location;
use crate::value::moment::Moment;

/// Identity, age and location of an object.
#[derive(Clone, Debug)]
pub struct Meta {
    /// The kind.
    pub kind: Kind,
    /// Namespace and name.
    pub name: ObjectName,
    /// `metadata.creationTimestamp`; objects without one count as created at the beginning of time.
    pub created: Option<Moment>,
    /// Where the document comes from.
    pub location: Location,
}

impl Meta {
    /// Istio's order of objects: oldest first, then by name, then by namespace. Objects without a timestamp count as
    /// created at the beginning of time, all at once.
    pub fn by_age(&self, other: &Self) -> Ordering {
        self.created
            .cmp(&other.created)
            .then_with(|| self.name.cmp(&other.name))
    }

    /// `Kind namespace/name`, as problems and trails name an object.
    pub fn title(&self) -> String {
        format!("{} {}", self.kind, self.name)
    }

    /// The title, or the kind alone of an object without a name: a bare MeshConfig.
    pub fn title_or_kind(&self) -> String {
        match &*self.name.name {
            "" => self.kind.to_string(),
            _ => self.title(),
        }
    }
}

/// `exportTo`: the namespaces whose workloads see an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExportTo {
    /// `*`: everyone.
    All,
    /// `~`: to no namespace.
    Nobody,
    /// Listed namespaces; `.` has become the object's own.
    Namespaces(Vec<Arc<str>>),
}

impl ExportTo {
    /// Whether workloads of `namespace` see the object.
    pub fn includes(&self, namespace: &str) -> bool {
        match self {
            Self::All => true,
            Self::Nobody => false,
            Self::Namespaces(list) => list.iter().any(|one| **one == *namespace),
        }
    }
}
