//! Decisions, data-driven: YAML as users write it, calls, and what must become of them.
//!
//! A call is a line `PROTOCOL TO HOST[/PATH] [METHOD] [header: value;…] => OUTCOME`, see [`World::check`].

mod cases;
mod samples;
mod reference;
mod scenarios;
mod tls_defaults;
mod listeners;
mod hosts;
mod rules;
mod operations;
mod gateways;
mod gateway_tls;
mod clusters;
mod scope;
mod delegates;
mod reasons;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::address::{ClientAddress, OriginalDestination};
use crate::decide::call::{
    Arrival, ClientHello, Connection, HttpVersion, Layer, Request, Terminated,
};
use crate::decide::verdict::{Answer, Refusal, RequestDecision, RequestVerdict, Verdict};
use crate::labels::Labels;
use crate::load::{Text, load};
use crate::problem::Problem;
use crate::snapshot::Snapshot;
use crate::snapshot::workload::{Mode, Workload};

/// A snapshot of a configuration for one workload.
pub(crate) struct World {
    pub(crate) snapshot: Snapshot,
    pub(crate) problems: Vec<Problem>,
}

/// The outbound policy, as MeshConfig has it.
pub(crate) const REGISTRY_ONLY: &str = "outboundTrafficPolicy: {mode: REGISTRY_ONLY}";
pub(crate) const ALLOW_ANY: &str = "outboundTrafficPolicy: {mode: ALLOW_ANY}";

/// A sidecar in `default` without labels, at 10.34.0.140.
pub(crate) fn sidecar(mesh: &str, yaml: &str) -> World {
    sidecar_in("default", "", mesh, yaml)
}

/// A sidecar in a namespace, with labels.
pub(crate) fn sidecar_in(namespace: &str, labels: &str, mesh: &str, yaml: &str) -> World {
    let workload = Workload {
        mode: Mode::Sidecar,
        namespace: namespace.into(),
        labels: Labels::parse(labels).unwrap(),
        addresses: vec!["10.34.0.140".parse().unwrap()],
        own_ports: vec![15000, 15021],
        redirect_ports: vec![15001, 15006],
        dns_capture: false,
    };
    world(workload, mesh, yaml)
}

/// A gateway in `istio-system` with the labels `istio: NAME`, at 10.34.0.141.
pub(crate) fn gateway(name: &str, yaml: &str) -> World {
    gateway_in_mesh(name, ALLOW_ANY, yaml)
}

/// The same with a MeshConfig.
pub(crate) fn gateway_in_mesh(name: &str, mesh: &str, yaml: &str) -> World {
    let workload = Workload {
        mode: Mode::Gateway,
        namespace: "istio-system".into(),
        labels: [("istio", name)].into_iter().collect(),
        addresses: vec!["10.34.0.141".parse().unwrap()],
        own_ports: vec![15000, 15021],
        redirect_ports: Vec::new(),
        dns_capture: false,
    };
    world(workload, mesh, yaml)
}

fn world(workload: Workload, mesh: &str, yaml: &str) -> World {
    let text = |file: &str, content: &str| Text {
        file: file.into(),
        bytes: content.as_bytes().to_vec(),
    };
    let (objects, problems) = load(&[text("a.yaml", yaml)], Some(&text("mesh.yaml", mesh)));
    assert_eq!(
        problems
            .iter()
            .filter(|problem| problem.severity == crate::problem::Severity::Error)
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        Vec::<String>::new(),
        "the YAML of a test is sound"
    );
    let (snapshot, problems) = Snapshot::build(&objects, workload);
    World { snapshot, problems }
}

/// A call, as a line of a test describes it.
struct Call {
    protocol: String,
    to: SocketAddr,
    host: String,
    path: String,
    method: String,
    headers: http::HeaderMap,
}

impl World {
    /// Checks calls, one a line: `PROTOCOL TO [HOST[/PATH]] [METHOD] [{name: value; …}] => OUTCOME`.
    ///
    /// `http` and `h2` are requests, `tls` an opaque ClientHello for HOST, `https` a request inside of a TLS that the
    /// gateway ends (SNI and Host are HOST), `tcp` opaque bytes, `silent` nothing. Outcomes: `CLUSTER` or
    /// `CLUSTER route=NAME path=… host=…` for what is forwarded, `pass`, `502`, `404`, `NC CLUSTER`, `redirect …`,
    /// `respond …`, `blackhole`, `loop`, `no chain`.
    #[track_caller]
    pub(crate) fn check(&self, calls: &str) {
        let mut wrong = String::new();
        for line in calls.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (call, expected) = line.split_once("=>").expect("a call has an outcome");
            let outcome = self.outcome(&parse(call.trim()), &mut |_| 0);
            if outcome != expected.trim() {
                let _ = writeln!(
                    wrong,
                    "{} => {outcome}, not {}",
                    call.trim(),
                    expected.trim()
                );
            }
        }
        assert!(
            wrong.is_empty(),
            "\n{wrong}problems: {:#?}",
            self.messages()
        );
    }

    /// Checks that exactly these problems were found: each a part of the text of one, in order.
    #[track_caller]
    pub(crate) fn assert_problems(&self, parts: &[&str]) {
        let messages = self.messages();
        let fits = messages.len() == parts.len()
            && messages
                .iter()
                .zip(parts)
                .all(|(message, part)| message.contains(part));
        assert!(fits, "{messages:#?}\nis not\n{parts:#?}");
    }

    fn messages(&self) -> Vec<String> {
        self.problems.iter().map(ToString::to_string).collect()
    }

    /// What becomes of a call.
    pub(crate) fn outcome_of(&self, call: &str, dice: &mut dyn FnMut(u64) -> u64) -> String {
        self.outcome(&parse(call), dice)
    }

    fn outcome(&self, call: &Call, dice: &mut dyn FnMut(u64) -> u64) -> String {
        let arrival = arrival(call.to);
        let sni = Some(call.host.as_str()).filter(|host| !host.is_empty());
        let hello = |alpn: &[&str]| {
            Layer::Tls(ClientHello {
                sni: sni.map(|sni| sni.to_ascii_lowercase().into()),
                alpn: alpn.iter().map(|one| one.as_bytes().into()).collect(),
            })
        };
        let layer = match &*call.protocol {
            "http" => Layer::Http(HttpVersion::Http1),
            "h2" => Layer::Http(HttpVersion::Http2),
            "tls" => hello(&[]),
            "istio" => hello(&["istio"]),
            "https" => hello(&["http/1.1"]),
            "tcp" => Layer::Opaque,
            "silent" => Layer::Silent,
            other => panic!("unknown protocol {other}"),
        };
        let connection = Connection {
            arrival,
            layer: &layer,
            terminated: None,
        };
        let decision = super::connection(&self.snapshot, &connection, dice);
        match decision.verdict {
            Verdict::Http => self.request(call, None, "http", dice),
            Verdict::Terminate { terminated, .. } => {
                let inside = Layer::Http(HttpVersion::Http1);
                let connection = Connection {
                    arrival,
                    layer: &inside,
                    terminated: Some(&terminated),
                };
                let decision = super::connection(&self.snapshot, &connection, dice);
                match decision.verdict {
                    Verdict::Http => self.request(call, Some(&terminated), "https", dice),
                    verdict => format!("terminated {}", stream(&verdict)),
                }
            }
            verdict => stream(&verdict),
        }
    }

    fn request(
        &self,
        call: &Call,
        terminated: Option<&Terminated>,
        scheme: &str,
        dice: &mut dyn FnMut(u64) -> u64,
    ) -> String {
        let request = Request {
            arrival: arrival(call.to),
            terminated,
            method: &call.method,
            scheme,
            authority: &call.host,
            path: &call.path,
            headers: &call.headers,
        };
        describe(&super::request(&self.snapshot, &request, dice))
    }
}

pub(crate) fn arrival(to: SocketAddr) -> Arrival {
    let client = ClientAddress("10.34.0.140:41000".parse().unwrap());
    Arrival::new(client, OriginalDestination(to))
}

fn stream(verdict: &Verdict<'_>) -> String {
    match verdict {
        Verdict::Http => "http".to_owned(),
        Verdict::Passthrough => "pass".to_owned(),
        Verdict::Forward(cluster) => cluster.name.to_string(),
        Verdict::Terminate { terminated, .. } => format!("terminate {:?}", terminated.inside),
        Verdict::Refuse(refusal) => refused(refusal, false),
    }
}

fn refused(refusal: &Refusal, http: bool) -> String {
    match refusal {
        Refusal::Blackhole if http => "502".to_owned(),
        Refusal::Blackhole => "blackhole".to_owned(),
        Refusal::OwnListener => "loop".to_owned(),
        Refusal::NoRoute => "404".to_owned(),
        Refusal::NoCluster(name) => format!("NC {name}"),
        Refusal::NoChain => "no chain".to_owned(),
    }
}

fn describe(decision: &RequestDecision<'_>) -> String {
    match &decision.verdict {
        RequestVerdict::Passthrough => "pass".to_owned(),
        RequestVerdict::Refuse(refusal) => refused(refusal, true),
        RequestVerdict::Answer(Answer::Redirect {
            status, location, ..
        }) => format!("redirect {status} {location}"),
        RequestVerdict::Answer(Answer::Respond { response, .. }) => {
            let body = String::from_utf8_lossy(&response.body);
            format!("respond {} {body}", response.status)
                .trim_end()
                .to_owned()
        }
        RequestVerdict::Forward(forward) => {
            let mut describe = forward.cluster.name.to_string();
            if let Some(name) = decision.route.as_deref().filter(|name| *name != "default") {
                let _ = write!(describe, " route={name}");
            }
            if let Some(path) = &forward.path {
                let _ = write!(describe, " path={path}");
            }
            if let Some(authority) = forward.authority {
                let _ = write!(describe, " host={authority}");
            }
            describe
        }
    }
}

fn parse(line: &str) -> Call {
    let (line, headers) = match line.split_once('{') {
        Some((line, headers)) => (line, headers.trim_end_matches('}')),
        None => (line, ""),
    };
    let mut map = http::HeaderMap::new();
    for header in headers
        .split(';')
        .filter(|header| !header.trim().is_empty())
    {
        let (name, value) = header.split_once(':').expect("a header has a value");
        let name: http::HeaderName = name.trim().parse().unwrap();
        map.append(name, value.trim().parse().unwrap());
    }
    let mut fields = line.split_whitespace();
    let protocol = fields.next().expect("a call has a protocol").to_owned();
    let to = fields.next().expect("a call has a destination");
    let url = fields.next().unwrap_or_default();
    let method = fields.next().unwrap_or("GET").to_owned();
    let (host, path) = match url.find('/') {
        Some(at) => (&url[..at], &url[at..]),
        None => (url, "/"),
    };
    Call {
        protocol,
        to: to.parse().expect("a destination is an address and port"),
        host: if host == "-" { "" } else { host }.to_owned(),
        path: path.to_owned(),
        method,
        headers: map,
    }
}

/// Joins documents.
pub(crate) fn documents(list: &[&str]) -> String {
    list.join("\n---\n")
}

/// A ServiceEntry in `default`.
pub(crate) fn entry(name: &str, spec: &str) -> String {
    object("ServiceEntry", name, spec)
}

/// An object of Istio's: `name` may be `namespace/name`; the spec is one flow mapping or block lines.
pub(crate) fn object(kind: &str, name: &str, spec: &str) -> String {
    let (namespace, name) = name.split_once('/').unwrap_or(("default", name));
    format!(
        "apiVersion: networking.istio.io/v1\nkind: {kind}\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
         spec: {spec}\n---\n"
    )
}

/// A Kubernetes Service with one endpoint at 10.34.9.9, the ports as `name number`.
pub(crate) fn kubernetes(name: &str, address: &str, ports: &[(&str, u16)]) -> String {
    let (namespace, name) = name.split_once('/').unwrap_or(("default", name));
    let mut of_service = String::new();
    let mut of_slice = String::new();
    for (port, number) in ports {
        let _ = write!(of_service, "{{name: {port}, port: {number}}}, ");
        let _ = write!(of_slice, "{{name: {port}, port: {number}}}, ");
    }
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
         spec: {{clusterIP: \"{address}\", selector: {{app: {name}}}, ports: [{of_service}]}}\n---\n\
         apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  name: {name}-abc\n  \
         namespace: {namespace}\n  labels: {{kubernetes.io/service-name: {name}}}\n\
         addressType: IPv4\nendpoints: [{{addresses: [10.34.9.9]}}]\nports: [{of_slice}]\n---\n"
    )
}

/// A cluster by name.
impl World {
    #[track_caller]
    pub(crate) fn cluster(&self, name: &str) -> &Arc<crate::snapshot::cluster::Cluster> {
        self.snapshot
            .clusters
            .get(name)
            .unwrap_or_else(|| panic!("no {name} among {:?}", self.snapshot.clusters.keys()))
    }
}
