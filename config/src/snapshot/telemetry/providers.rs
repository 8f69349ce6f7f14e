//! Providers by name, and problems of names that mean none.

use std::sync::Arc;

use crate::model::mesh::{AccessLogFile, FormatSource, Mesh, ProviderKind, Tracer};
use crate::model::meta::Meta;
use crate::problem::{Location, Problem, Severity};
use crate::snapshot::problems::ProblemSet;

/// The provider of access logs that needs no declaration.
pub(super) const ENVOY: &str = "envoy";

/// The provider of metrics that needs no declaration.
const PROMETHEUS: &str = "prometheus";

/// The file of [`ENVOY`].
const STDOUT: &str = "/dev/stdout";

/// What a name means.
pub(super) enum Provider<'m> {
    /// A file of access logs.
    File(AccessLogFile),
    /// A collector of spans.
    Tracer(&'m Tracer),
    /// Metrics that are scraped.
    Prometheus,
    /// A kind that is not supported; its name in MeshConfig, empty where it has none.
    Unsupported(&'static str),
    /// Nobody has this name.
    Unknown,
}

/// The purpose of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    AccessLogs,
    Metrics,
    Tracing,
}

impl Purpose {
    /// MeshConfig's names of providers for it.
    fn kinds(self) -> &'static str {
        match self {
            Self::AccessLogs => "envoyFileAccessLog",
            Self::Metrics => "prometheus",
            Self::Tracing => "opentelemetry or zipkin",
        }
    }
}

/// The providers of a mesh.
pub(super) struct Providers<'m, 'f> {
    pub(super) mesh: &'m Mesh,
    problems: &'f mut ProblemSet,
}

impl<'m, 'f> Providers<'m, 'f> {
    pub(super) fn new(mesh: &'m Mesh, problems: &'f mut ProblemSet) -> Self {
        Self { mesh, problems }
    }

    /// The provider of a name, whatever the case of its letters.
    pub(super) fn find(&self, name: &str) -> Provider<'m> {
        let mut declared = self.mesh.extension_providers.iter();
        let Some(provider) = declared.find(|one| one.name.eq_ignore_ascii_case(name)) else {
            return match name {
                _ if name.eq_ignore_ascii_case(ENVOY) => Provider::File(AccessLogFile {
                    path: STDOUT.into(),
                    format: Some(self.mesh.log_format.clone()),
                    omit_empty: false,
                }),
                _ if name.eq_ignore_ascii_case(PROMETHEUS) => Provider::Prometheus,
                // Istio declares it by default, too.
                "stackdriver" => Provider::Unsupported("stackdriver"),
                _ => Provider::Unknown,
            };
        };
        match &provider.kind {
            ProviderKind::AccessLogFile(file) => {
                // Where nothing is written about the format, the provider `envoy` has MeshConfig's.
                let default = match provider.name.eq_ignore_ascii_case(ENVOY) {
                    true => self.mesh.log_format.clone(),
                    false => FormatSource::DefaultText,
                };
                Provider::File(AccessLogFile {
                    format: Some(file.format.clone().unwrap_or(default)),
                    ..file.clone()
                })
            }
            ProviderKind::Tracer(tracer) => Provider::Tracer(tracer),
            ProviderKind::Prometheus => Provider::Prometheus,
            ProviderKind::Unsupported(kind) => Provider::Unsupported(kind),
        }
    }

    /// Reports a name that means no provider for a purpose. `effect` is what happens instead.
    pub(super) fn report_unusable(&mut self, named: &Named<'_>, purpose: Purpose, effect: &str) {
        let reason = match self.find(&named.name) {
            Provider::Unknown => format!("no such provider: {effect}"),
            Provider::Unsupported("") => format!("a provider without a kind: {effect}"),
            Provider::Unsupported(kind) => {
                format!("a provider of a kind that is not supported, {kind}: {effect}")
            }
            Provider::File(_) | Provider::Tracer(_) | Provider::Prometheus => {
                format!("a provider of another kind: {effect}")
            }
        };
        let hint = format!("name an extensionProvider {}", purpose.kinds());
        self.add(named, reason, hint);
    }

    /// Reports an element of `accessLogging` without a provider, where none is in force.
    pub(super) fn report_nothing_in_force(&mut self, meta: &Meta, index: usize) {
        self.problems.add(Problem {
            field: format!("spec.accessLogging[{index}]"),
            reason: "no provider is in force: nothing is logged, and accessLogFile does not count"
                .to_owned(),
            hint: "name a provider, such as `envoy`".to_owned(),
            ..ProblemSet::warning(meta)
        });
    }

    /// Reports a problem of a name, or of what it means.
    pub(super) fn add(&mut self, named: &Named<'_>, reason: String, hint: String) {
        let problem = match named.object {
            Some(meta) => ProblemSet::warning(meta),
            None => of_mesh(self.mesh),
        };
        let problem = problem.at(named.field.clone(), &named.name);
        self.problems.add(Problem {
            field: match (named.object, &self.mesh.meta) {
                // A mesh configuration with a name is in a ConfigMap.
                (None, Some(meta)) if !meta.name.name.is_empty() => {
                    format!("data.mesh.{}", problem.field)
                }
                _ => problem.field.clone(),
            },
            reason,
            hint,
            ..problem
        });
    }
}

/// A warning about the mesh configuration, to be completed.
fn of_mesh(mesh: &Mesh) -> Problem {
    match &mesh.meta {
        Some(meta) if !meta.name.name.is_empty() => ProblemSet::warning(meta),
        meta => {
            let location = meta
                .as_ref()
                .map_or_else(Location::default, |meta| meta.location.clone());
            Problem::new(Severity::Warning, location, "").of("MeshConfig")
        }
    }
}

/// A name of a provider, and where it stands.
pub(super) struct Named<'o> {
    pub(super) name: Arc<str>,
    /// The Telemetry; `None` is MeshConfig.
    object: Option<&'o Meta>,
    field: String,
}

impl<'o> Named<'o> {
    /// The names of one element of a Telemetry's list.
    pub(super) fn all(meta: &'o Meta, part: &str, index: usize, names: &[Arc<str>]) -> Vec<Self> {
        let names = names.iter().enumerate();
        names
            .map(|(at, name)| Self {
                name: Arc::clone(name),
                object: Some(meta),
                field: format!("spec.{part}[{index}].providers[{at}].name"),
            })
            .filter(|named| !named.name.is_empty())
            .collect()
    }

    /// The names of a list of `defaultProviders`.
    pub(super) fn defaults(part: &str, names: &[Arc<str>]) -> Vec<Self> {
        let names = names.iter().enumerate();
        names
            .map(|(at, name)| Self {
                name: Arc::clone(name),
                object: None,
                field: format!("defaultProviders.{part}[{at}]"),
            })
            .collect()
    }

    /// A part of MeshConfig that names a collector.
    pub(super) fn of_mesh(field: &str, name: Arc<str>) -> Self {
        Self {
            name,
            object: None,
            field: field.to_owned(),
        }
    }
}
