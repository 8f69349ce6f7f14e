//! Istio's metrics: the labels of a series as text, and all series as families.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use egret_config::labels::CANONICAL_REVISION_DEFAULT;
use egret_config::model::telemetry::Metric;

use crate::report::metrics::definition::{Definition, Kind};
use crate::report::metrics::escape;
use crate::report::metrics::family::{Family, Value};
use crate::report::metrics::identity::{Identity, UNKNOWN};
use crate::report::metrics::label_set::{Column, Label, Source, own_labels};
use crate::report::metrics::series::{
    CallSeries, Destination, Key, RequestProtocol, StreamSeries, Texts,
};

/// The families, in the order of [`Metric::ALL`].
pub static FAMILIES: [Definition; Metric::ALL.len()] = [
    definition(Metric::RequestCount, Kind::Counter),
    definition(Metric::RequestDuration, Kind::Histogram),
    definition(Metric::RequestSize, Kind::Histogram),
    definition(Metric::ResponseSize, Kind::Histogram),
    definition(Metric::TcpOpenedConnections, Kind::Counter),
    definition(Metric::TcpClosedConnections, Kind::Counter),
    definition(Metric::TcpSentBytes, Kind::Counter),
    definition(Metric::TcpReceivedBytes, Kind::Counter),
    definition(Metric::GrpcRequestMessages, Kind::Counter),
    definition(Metric::GrpcResponseMessages, Kind::Counter),
];

/// `istio_build`
pub static BUILD: Definition = Definition {
    name: "istio_build",
    kind: Kind::Gauge,
    help: "",
    labels: &["component", "tag"],
    stat: "",
};

const fn definition(metric: Metric, kind: Kind) -> Definition {
    Definition {
        name: metric.family(),
        kind,
        help: "",
        labels: own_labels(metric),
        stat: "",
    }
}

/// Istio's families while series are added to them.
#[derive(Debug)]
pub struct IstioFamilies<'i> {
    identity: &'i Identity,
    families: Vec<Family>,
}

impl<'i> IstioFamilies<'i> {
    /// No series yet.
    pub fn new(identity: &'i Identity) -> Self {
        Self {
            identity,
            families: FAMILIES.iter().map(Family::new).collect(),
        }
    }

    /// Adds the requests of a series.
    pub fn call(&mut self, series: &CallSeries) {
        let integer = |count: &AtomicU64| Value::Integer(count.load(Ordering::Relaxed));
        let texts = self.texts(&series.key, &series.texts);
        let grpc = series.key.protocol == RequestProtocol::Grpc;
        let messages = |count: &AtomicU64| grpc.then(|| integer(count));
        for (metric, value) in [
            (Metric::RequestCount, Some(integer(&series.requests))),
            (
                Metric::RequestDuration,
                Some(Value::Histogram(series.duration.value())),
            ),
            (
                Metric::RequestSize,
                Some(Value::Histogram(series.request_bytes.value())),
            ),
            (
                Metric::ResponseSize,
                Some(Value::Histogram(series.response_bytes.value())),
            ),
            (
                Metric::GrpcRequestMessages,
                messages(&series.request_messages),
            ),
            (
                Metric::GrpcResponseMessages,
                messages(&series.response_messages),
            ),
        ] {
            self.add(metric, texts, value);
        }
    }

    /// Adds the byte streams of a series.
    pub fn stream(&mut self, series: &StreamSeries) {
        let integer = |count: &AtomicU64| Some(Value::Integer(count.load(Ordering::Relaxed)));
        let texts = self.texts(&series.key, &series.texts);
        for (metric, value) in [
            (Metric::TcpOpenedConnections, integer(&series.opened)),
            (Metric::TcpClosedConnections, integer(&series.closed)),
            (Metric::TcpSentBytes, integer(&series.sent)),
            (Metric::TcpReceivedBytes, integer(&series.received)),
        ] {
            self.add(metric, texts, value);
        }
    }

    /// The families, with `istio_build`.
    pub fn finish(self) -> Vec<Family> {
        let mut build = Family::new(&BUILD);
        let mut labels = String::new();
        escape::label(&mut labels, "component", "proxy");
        escape::label(&mut labels, "tag", env!("CARGO_PKG_VERSION"));
        build.add(&labels.into(), Value::Integer(1));
        let mut families = self.families;
        families.push(build);
        families
    }

    fn add(&mut self, metric: Metric, texts: &[Option<Arc<str>>], value: Option<Value>) {
        if let (Some(labels), Some(value)) = (&texts[metric as usize], value) {
            self.families[metric as usize].add(labels, value);
        }
    }

    fn texts<'t>(&self, key: &Key, texts: &'t Texts) -> &'t [Option<Arc<str>>] {
        texts.get_or_init(|| {
            let mut made: Vec<Arc<str>> = Vec::new();
            Metric::ALL.map(|metric| {
                let text = text(key.labels.columns(metric)?, key, self.identity);
                let known = made.iter().find(|known| ***known == *text).cloned();
                let text = known.unwrap_or_else(|| text.into());
                made.push(Arc::clone(&text));
                Some(text)
            })
        })
    }
}

/// The labels of one metric of a series.
fn text(columns: &[Column], key: &Key, identity: &Identity) -> String {
    let mut text = String::with_capacity(1024);
    for column in columns {
        let value = match column.source {
            Source::Own(label) => own_value(label, key, identity),
            Source::Expression(place) => Cow::Borrowed(match key.values.get(place) {
                Some(value) => &*value.0,
                None => UNKNOWN,
            }),
        };
        escape::label(&mut text, &column.name, &value);
    }
    text
}

/// What Istio says in a label.
fn own_value<'k>(label: Label, key: &'k Key, identity: &'k Identity) -> Cow<'k, str> {
    let workload = key.workload.as_ref();
    let value = match label {
        Label::Reporter => Some("source"),
        Label::SourceWorkload => Some(&*identity.workload),
        Label::SourceCanonicalService => Some(&*identity.canonical_service),
        Label::SourceCanonicalRevision => Some(&*identity.canonical_revision),
        Label::SourceWorkloadNamespace => Some(&*identity.namespace),
        Label::SourceApp => Some(&*identity.app),
        Label::SourceVersion => Some(&*identity.version),
        Label::SourceCluster => Some(&*identity.cluster),
        Label::SourcePrincipal | Label::DestinationPrincipal | Label::ConnectionSecurityPolicy => {
            None
        }
        Label::DestinationWorkload => workload.map(|workload| &*workload.name),
        Label::DestinationWorkloadNamespace => workload.map(|workload| &*workload.namespace),
        Label::DestinationApp => workload.and_then(|workload| workload.app.as_deref()),
        Label::DestinationVersion => workload.and_then(|workload| workload.version.as_deref()),
        Label::DestinationCanonicalService => workload.map(|workload| &*workload.canonical_service),
        Label::DestinationCanonicalRevision => {
            Some(workload.map_or(CANONICAL_REVISION_DEFAULT, |workload| {
                &workload.canonical_revision
            }))
        }
        Label::DestinationCluster => workload.map(|_| &*identity.cluster),
        Label::DestinationService => service(&key.destination),
        Label::DestinationServiceName => service_name(&key.destination),
        Label::DestinationServiceNamespace => match &key.destination {
            Destination::Service(service) => Some(&*service.namespace),
            Destination::Unrouted(..) => None,
        },
        Label::RequestProtocol => Some(match key.protocol {
            RequestProtocol::Http => "http",
            RequestProtocol::Grpc => "grpc",
            RequestProtocol::Tcp => "tcp",
        }),
        Label::GrpcResponseStatus => Some(key.grpc_status.map_or("", |status| status.text())),
        Label::ResponseCode => return Cow::Owned(key.code.to_string()),
        Label::ResponseFlags => return Cow::Owned(key.flags.to_string()),
    };
    Cow::Borrowed(value.unwrap_or(UNKNOWN))
}

fn service(destination: &Destination) -> Option<&str> {
    match destination {
        Destination::Service(service) => Some(&service.host),
        Destination::Unrouted(_, host) => host.as_ref().map(|host| &*host.0),
    }
}

fn service_name(destination: &Destination) -> Option<&str> {
    match destination {
        Destination::Service(service) => Some(&service.name),
        Destination::Unrouted(kind, host) => {
            kind.service_name().or(host.as_ref().map(|host| &*host.0))
        }
    }
}
