//! What every document has around its body: apiVersion, kind, metadata; and which shape the body has.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;

use super::destination_rule::DestinationRule;
use super::gateway::Gateway;
use super::istio_kinds;
use super::istio_kinds::NoBody;
use super::kubernetes::{ConfigMap, EndpointSlice, Pod, Secret, Service};
use super::mesh_config::MeshConfig;
use super::object::{Fields, SeenFields, read_field};
use super::reading::{AnyMap, AnyValue, Expected, Reading, ShapeError, Target, Visit, is_field};
use super::security::AuthorizationPolicy;
use super::service_entry::{ServiceEntry, WorkloadEntry};
use super::sidecar::Sidecar;
use super::telemetry::Telemetry;
use super::virtual_service::VirtualService;

object! {
    /// `ObjectMeta`; what only Kubernetes itself uses is read over.
    pub struct Metadata {
        pub name: String,
        pub namespace: String,
        pub labels: BTreeMap<String, String>,
        pub annotations: BTreeMap<String, String>,
        pub creation_timestamp: Option<String>,
        pub owner_references: Vec<OwnerReference>,
    }
    silent [
        "uid",
        "resourceVersion",
        "generation",
        "generateName",
        "managedFields",
        "finalizers",
        "selfLink",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "clusterName",
    ]
}

object! {
    /// `OwnerReference`: what made a Pod.
    pub struct OwnerReference {
        pub kind: String,
        pub name: String,
        pub controller: Option<bool>,
    }
    silent ["apiVersion", "uid", "blockOwnerDeletion"]
}

/// The body of a document, by kind.
#[derive(Debug, PartialEq)]
pub enum Body {
    /// `spec` of a ServiceEntry.
    ServiceEntry(Box<ServiceEntry>),
    /// `spec` of a WorkloadEntry.
    WorkloadEntry(Box<WorkloadEntry>),
    /// `spec` of a VirtualService.
    VirtualService(Box<VirtualService>),
    /// `spec` of a DestinationRule.
    DestinationRule(Box<DestinationRule>),
    /// `spec` of a Gateway.
    Gateway(Box<Gateway>),
    /// `spec` of a Sidecar.
    Sidecar(Box<Sidecar>),
    /// `spec` of an AuthorizationPolicy.
    AuthorizationPolicy(Box<AuthorizationPolicy>),
    /// `spec` of a Telemetry.
    Telemetry(Box<Telemetry>),
    /// `spec` of a Kubernetes Service.
    Service(Box<Service>),
    /// A Kubernetes EndpointSlice.
    EndpointSlice(Box<EndpointSlice>),
    /// A Kubernetes Pod.
    Pod(Box<Pod>),
    /// A Kubernetes Secret.
    Secret(Box<Secret>),
    /// A Kubernetes ConfigMap.
    ConfigMap(Box<ConfigMap>),
    /// A mesh configuration without an envelope.
    MeshConfig(Box<MeshConfig>),
}

/// The versions of networking.istio.io, newest first. They have one schema.
const ISTIO_VERSIONS: [&str; 3] = ["v1", "v1beta1", "v1alpha3"];

/// The versions of security.istio.io.
const SECURITY_VERSIONS: [&str; 2] = ["v1", "v1beta1"];

/// The versions of telemetry.istio.io.
const TELEMETRY_VERSIONS: [&str; 2] = ["v1", "v1alpha1"];

impl Body {
    /// An empty body of the kind that `api_version` and `kind` name.
    pub(crate) fn of(api_version: &str, kind: &str) -> Result<Self, NoBody> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let body = match (group, kind) {
            ("networking.istio.io", "ServiceEntry") => Self::ServiceEntry(Box::default()),
            ("networking.istio.io", "WorkloadEntry") => Self::WorkloadEntry(Box::default()),
            ("networking.istio.io", "VirtualService") => Self::VirtualService(Box::default()),
            ("networking.istio.io", "DestinationRule") => Self::DestinationRule(Box::default()),
            ("networking.istio.io", "Gateway") => Self::Gateway(Box::default()),
            ("networking.istio.io", "Sidecar") => Self::Sidecar(Box::default()),
            ("security.istio.io", "AuthorizationPolicy") => {
                Self::AuthorizationPolicy(Box::default())
            }
            ("telemetry.istio.io", "Telemetry") => Self::Telemetry(Box::default()),
            ("", "Service") => Self::Service(Box::default()),
            ("", "Pod") => Self::Pod(Box::default()),
            ("", "Secret") => Self::Secret(Box::default()),
            ("", "ConfigMap") => Self::ConfigMap(Box::default()),
            ("discovery.k8s.io", "EndpointSlice") => Self::EndpointSlice(Box::default()),
            _ => return Err(istio_kinds::unread(api_version, kind)),
        };
        match group {
            "networking.istio.io" if !ISTIO_VERSIONS.contains(&version) => {
                Err(NoBody::UnknownVersion("networking.istio.io/v1"))
            }
            "security.istio.io" if !SECURITY_VERSIONS.contains(&version) => {
                Err(NoBody::UnknownVersion("security.istio.io/v1"))
            }
            "telemetry.istio.io" if !TELEMETRY_VERSIONS.contains(&version) => {
                Err(NoBody::UnknownVersion("telemetry.istio.io/v1"))
            }
            "discovery.k8s.io" if version != "v1" => {
                Err(NoBody::UnknownVersion("discovery.k8s.io/v1"))
            }
            "" if version != "v1" => Err(NoBody::UnknownVersion("v1")),
            _ => Ok(body),
        }
    }

    /// Reads the value of the top-level `key`; `false` when a body of this kind has no such key.
    fn field<'de>(
        &mut self,
        key: &str,
        seen_fields: &mut SeenFields,
        map: &mut dyn AnyMap<'de>,
        reading: &Reading,
    ) -> Result<bool, ShapeError> {
        match self {
            Self::EndpointSlice(slice) => read_field(&mut **slice, seen_fields, key, map, reading),
            Self::Pod(pod) => read_field(&mut **pod, seen_fields, key, map, reading),
            Self::Secret(secret) => read_field(&mut **secret, seen_fields, key, map, reading),
            Self::ConfigMap(map_) => read_field(&mut **map_, seen_fields, key, map, reading),
            Self::MeshConfig(mesh) => read_field(&mut **mesh, seen_fields, key, map, reading),
            _ if key != "spec" => Ok(false),
            Self::ServiceEntry(spec) => reading.spec(map, spec),
            Self::WorkloadEntry(spec) => reading.spec(map, spec),
            Self::VirtualService(spec) => reading.spec(map, spec),
            Self::DestinationRule(spec) => reading.spec(map, spec),
            Self::Gateway(spec) => reading.spec(map, spec),
            Self::Sidecar(spec) => reading.spec(map, spec),
            Self::AuthorizationPolicy(spec) => reading.spec(map, spec),
            Self::Telemetry(spec) => reading.spec(map, spec),
            Self::Service(spec) => reading.spec(map, spec),
        }
    }

    /// The top-level keys of a body of this kind.
    fn names(&self) -> &'static [&'static str] {
        match self {
            Self::EndpointSlice(_) => EndpointSlice::NAMES,
            Self::Pod(_) => Pod::NAMES,
            Self::Secret(_) => Secret::NAMES,
            Self::ConfigMap(_) => ConfigMap::NAMES,
            Self::MeshConfig(_) => MeshConfig::NAMES,
            _ => &["spec"],
        }
    }
}

/// The names of the keys that any document may have.
const ENVELOPE: &[&str] = &["apiVersion", "kind", "metadata", "status"];

/// A document while it is read. What was read stays, when a later value cannot be.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) metadata: Metadata,
    /// `None` until the body's kind is known, or when egret does not read the kind.
    pub(crate) body: Option<Body>,
    pub(crate) no_body: Option<NoBody>,
}

/// Why reading a document was given up without an error in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Halt {
    /// Its body stands before its kind: read a [`Header`] first.
    BodyBeforeKind,
    /// It is a list of documents.
    List,
}

/// Reads one document into a draft.
pub(crate) struct DraftSeed<'a> {
    pub(crate) draft: &'a mut Draft,
    pub(crate) reading: &'a Reading,
    pub(crate) halt: &'a Cell<Option<Halt>>,
}

impl<'de> Target<'de> for DraftSeed<'_> {
    fn read(&mut self, from: &mut dyn AnyValue<'de>) -> Result<(), ShapeError> {
        from.read(Expected::Mapping, self)
    }
}

impl<'de> Visit<'de> for DraftSeed<'_> {
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping with apiVersion, kind, metadata and spec")
    }

    fn mapping(&mut self, map: &mut dyn AnyMap<'de>) -> Result<(), ShapeError> {
        let Self {
            draft,
            reading,
            halt,
        } = self;
        let mut envelope = SeenFields::default();
        let mut seen_fields = SeenFields::default();
        let mut spec = false;
        while let Some(key) = map.key()? {
            let bare = matches!(draft.body, Some(Body::MeshConfig(_)));
            // The status of a Pod is the only one that egret reads.
            if key == "status" && draft.kind == "Pod" && draft.body.is_none() {
                draft.open();
            }
            let of_pod = key == "status" && matches!(draft.body, Some(Body::Pod(_)));
            if let Some(at) = ENVELOPE
                .iter()
                .position(|name| *name == key && !bare && !of_pod)
            {
                if !envelope.first(at) {
                    return Err(twice(&key));
                }
                match at {
                    0 => draft.api_version = reading.field(map, "apiVersion")?,
                    1 => draft.kind = reading.field(map, "kind")?,
                    2 => draft.metadata = reading.field(map, "metadata")?,
                    // Its author is Istio: nothing in it is reported.
                    _ if let Some(Body::ServiceEntry(entry)) = &mut draft.body => {
                        entry.status = Reading::default().field(map, "status")?;
                    }
                    _ => map.skip()?,
                }
                continue;
            }
            if key == "items" && (draft.kind.is_empty() || draft.kind.ends_with("List")) {
                halt.set(Some(Halt::List));
                return Err(ShapeError::Rule("a list of documents".to_owned()));
            }
            if draft.body.is_none() && draft.no_body.is_none() {
                if draft.kind.is_empty() || draft.api_version.is_empty() {
                    halt.set(Some(Halt::BodyBeforeKind));
                    return Err(ShapeError::Rule(
                        "the body stands before the kind".to_owned(),
                    ));
                }
                draft.open();
            }
            let Some(body) = &mut draft.body else {
                map.skip()?;
                continue;
            };
            if key == "spec" && std::mem::replace(&mut spec, true) {
                return Err(twice(&key));
            }
            if !body.field(&key, &mut seen_fields, map, reading)? {
                let envelope = if bare { &[] } else { ENVELOPE };
                reading.note_unknown(&key, &[envelope, body.names()]);
                map.skip()?;
            }
        }
        if draft.body.is_none() && draft.no_body.is_none() {
            draft.open();
        }
        Ok(())
    }
}

impl Draft {
    /// The draft as it was before anything of the document was read into it: with its kind, where that was known.
    pub(crate) fn unread(&self) -> Self {
        let mut draft = Self {
            api_version: self.api_version.clone(),
            kind: self.kind.clone(),
            ..Self::default()
        };
        match self.body {
            Some(Body::MeshConfig(_)) => draft.body = Some(Body::MeshConfig(Box::default())),
            Some(_) => draft.open(),
            None => {}
        }
        draft
    }

    /// Chooses the body's shape by apiVersion and kind.
    pub(crate) fn open(&mut self) {
        match Body::of(&self.api_version, &self.kind) {
            Ok(body) => self.body = Some(body),
            Err(why) => self.no_body = Some(why),
        }
    }
}

/// A document's header, without its body.
#[derive(Debug, Default)]
pub(crate) struct Header {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) metadata: Metadata,
    /// It has none of apiVersion and kind, and a key that only a MeshConfig has.
    pub(crate) looks_like_mesh_config: bool,
    /// It has none of apiVersion and kind, and the key `meshConfig`, as the values of Istio's Helm charts.
    pub(crate) looks_like_helm_values: bool,
}

/// Reads a [`Header`], leaving in it what could be read when the document breaks off.
pub(crate) struct HeaderSeed<'a>(pub(crate) &'a mut Header);

impl<'de> Target<'de> for HeaderSeed<'_> {
    fn read(&mut self, from: &mut dyn AnyValue<'de>) -> Result<(), ShapeError> {
        from.read(Expected::Mapping, self)
    }
}

impl<'de> Visit<'de> for HeaderSeed<'_> {
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping with apiVersion, kind, metadata and spec")
    }

    fn mapping(&mut self, map: &mut dyn AnyMap<'de>) -> Result<(), ShapeError> {
        let header = &mut *self.0;
        // Unknown and doubtful things are reported when the body is read.
        let reading = Reading::default();
        let mut mesh = false;
        let mut values = false;
        while let Some(key) = map.key()? {
            values |= is_field(&key, "mesh_config");
            mesh |= MeshConfig::NAMES
                .iter()
                .chain(MeshConfig::SILENT)
                .any(|name| is_field(&key, name));
            // Set before the value is read, which may be what is broken.
            let bare = header.kind.is_empty() && header.api_version.is_empty();
            header.looks_like_mesh_config = bare && mesh && !values;
            header.looks_like_helm_values = bare && values;
            match &*key {
                "apiVersion" => header.api_version = reading.field(map, "apiVersion")?,
                "kind" => header.kind = reading.field(map, "kind")?,
                "metadata" => header.metadata = reading.field(map, "metadata")?,
                _ => map.skip()?,
            }
        }
        let bare = header.kind.is_empty() && header.api_version.is_empty();
        header.looks_like_mesh_config &= bare;
        header.looks_like_helm_values &= bare;
        Ok(())
    }
}

fn twice(key: &str) -> ShapeError {
    ShapeError::Rule(format!("field `{key}` is set twice"))
}
