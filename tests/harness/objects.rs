//! Istio's objects with the few fields that stories repeat. What a story is about stays YAML in the story.
//!
//! Rules, policies and TLS settings are given as YAML in flow style, `{route: [...]}`. An object displays as its document,
//! and [`documents`] joins several, or text that is a document itself.

use std::fmt;
use std::fmt::Display;

/// Documents in one file.
#[must_use]
pub fn documents(objects: &[&dyn Display]) -> String {
    let texts: Vec<String> = objects.iter().map(ToString::to_string).collect();
    texts.join("---\n")
}

/// Name and namespace of an object, which its first host names by default.
#[derive(Clone, Debug)]
struct Meta {
    kind: &'static str,
    name: String,
    namespace: Option<String>,
}

impl Meta {
    fn of(kind: &'static str, host: &str) -> Self {
        Self {
            kind,
            name: host.trim_start_matches("*.").replace('.', "-"),
            namespace: None,
        }
    }
}

impl Display for Meta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, name, .. } = self;
        let namespace = self.namespace.as_deref().unwrap_or("default");
        write!(
            f,
            "apiVersion: networking.istio.io/v1\nkind: {kind}\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec:\n"
        )
    }
}

/// The methods that all objects with a name have.
macro_rules! named {
    ($object:ident) => {
        impl $object {
            /// Gives it a name.
            #[must_use]
            pub fn named(mut self, name: &str) -> Self {
                self.meta.name = name.to_owned();
                self
            }

            /// Puts it into a namespace; it is in `default` otherwise.
            #[must_use]
            pub fn namespace(mut self, namespace: &str) -> Self {
                self.meta.namespace = Some(namespace.to_owned());
                self
            }
        }
    };
}

/// A ServiceEntry, with resolution DNS unless something else is set.
#[derive(Clone, Debug)]
pub struct ServiceEntry {
    meta: Meta,
    hosts: Vec<String>,
    ports: Vec<String>,
    location: &'static str,
    resolution: &'static str,
    endpoints: Option<Vec<String>>,
}

named!(ServiceEntry);

impl ServiceEntry {
    /// Registers a host.
    #[must_use]
    pub fn new(host: &str) -> Self {
        Self {
            meta: Meta::of("ServiceEntry", host),
            hosts: vec![host.to_owned()],
            ports: Vec::new(),
            location: "MESH_EXTERNAL",
            resolution: "DNS",
            endpoints: None,
        }
    }

    /// One more host.
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        self.hosts.push(host.to_owned());
        self
    }

    /// One more port, named `protocol-number`.
    #[must_use]
    pub fn port(mut self, number: u16, protocol: &str) -> Self {
        self.ports.push(port(number, protocol, ""));
        self
    }

    /// One more port, which is another one at the endpoints.
    #[must_use]
    pub fn port_to(mut self, number: u16, protocol: &str, target: u16) -> Self {
        let target = format!(", targetPort: {target}");
        self.ports.push(port(number, protocol, &target));
        self
    }

    /// Makes its hosts part of the mesh.
    #[must_use]
    pub fn internal(mut self) -> Self {
        self.location = "MESH_INTERNAL";
        self
    }

    /// Another resolution than DNS.
    #[must_use]
    pub fn resolution(mut self, resolution: &'static str) -> Self {
        self.resolution = resolution;
        self
    }

    /// Resolution STATIC, with endpoints at these addresses.
    #[must_use]
    pub fn at<A: Display>(mut self, addresses: impl IntoIterator<Item = A>) -> Self {
        let endpoints = addresses
            .into_iter()
            .map(|address| format!("{{address: '{address}'}}"));
        self.resolution = "STATIC";
        self.endpoints = Some(endpoints.collect());
        self
    }
}

fn port(number: u16, protocol: &str, more: &str) -> String {
    let name = protocol.to_lowercase();
    format!("{{number: {number}, name: {name}-{number}, protocol: {protocol}{more}}}")
}

impl Display for ServiceEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { meta, .. } = self;
        writeln!(f, "{meta}  hosts: {}", list(&self.hosts))?;
        writeln!(f, "  ports: [{}]", self.ports.join(", "))?;
        writeln!(f, "  location: {}", self.location)?;
        writeln!(f, "  resolution: {}", self.resolution)?;
        match &self.endpoints {
            Some(endpoints) => writeln!(f, "  endpoints: [{}]", endpoints.join(", ")),
            None => Ok(()),
        }
    }
}

/// A VirtualService.
#[derive(Clone, Debug)]
pub struct VirtualService {
    meta: Meta,
    host: String,
    gateways: Vec<String>,
    rules: Vec<(&'static str, Vec<String>)>,
}

named!(VirtualService);

impl VirtualService {
    /// Rules for a host.
    #[must_use]
    pub fn new(host: &str) -> Self {
        Self {
            meta: Meta::of("VirtualService", host),
            host: host.to_owned(),
            gateways: Vec::new(),
            rules: ["http", "tls", "tcp"].map(|kind| (kind, Vec::new())).into(),
        }
    }

    /// The gateways, or `mesh`, that it is for; sidecars alone otherwise.
    #[must_use]
    pub fn gateways(mut self, gateways: &[&str]) -> Self {
        self.gateways = gateways.iter().map(ToString::to_string).collect();
        self
    }

    /// One more rule for requests: those that fit `when`, as `{port: 80}`, go to a port of a host.
    #[must_use]
    pub fn route(self, when: &str, host: &str, port: u16) -> Self {
        let to = format!("{{destination: {{host: '{host}', port: {{number: {port}}}}}}}");
        self.rule("http", &format!("{{match: [{when}], route: [{to}]}}"))
    }

    /// One more rule for requests.
    #[must_use]
    pub fn http(self, rule: &str) -> Self {
        self.rule("http", rule)
    }

    /// One more rule for TLS by SNI.
    #[must_use]
    pub fn tls(self, rule: &str) -> Self {
        self.rule("tls", rule)
    }

    /// One more rule for bytes.
    #[must_use]
    pub fn tcp(self, rule: &str) -> Self {
        self.rule("tcp", rule)
    }

    fn rule(mut self, kind: &str, rule: &str) -> Self {
        for (_, rules) in self.rules.iter_mut().filter(|(one, _)| *one == kind) {
            rules.push(rule.to_owned());
        }
        self
    }
}

impl Display for VirtualService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}  hosts: ['{}']", self.meta, self.host)?;
        if !self.gateways.is_empty() {
            writeln!(f, "  gateways: {}", list(&self.gateways))?;
        }
        for (kind, rules) in self.rules.iter().filter(|(_, rules)| !rules.is_empty()) {
            writeln!(f, "  {kind}:")?;
            for rule in rules {
                writeln!(f, "  - {rule}")?;
            }
        }
        Ok(())
    }
}

/// A Gateway.
#[derive(Clone, Debug)]
pub struct Gateway {
    meta: Meta,
    selector: &'static str,
    servers: Vec<String>,
}

named!(Gateway);

impl Gateway {
    /// A Gateway for the egress gateway's pods.
    #[must_use]
    pub fn egress(name: &str) -> Self {
        Self::new(name, "egressgateway")
    }

    /// A Gateway for the ingress gateway's pods.
    #[must_use]
    pub fn ingress(name: &str) -> Self {
        Self::new(name, "ingressgateway")
    }

    fn new(name: &str, selector: &'static str) -> Self {
        Self {
            meta: Meta::of("Gateway", name),
            selector,
            servers: Vec::new(),
        }
    }

    /// One more server without TLS.
    #[must_use]
    pub fn server(mut self, number: u16, protocol: &str, hosts: &[&str]) -> Self {
        self.servers.push(server(number, protocol, hosts));
        self
    }

    /// One more server with TLS.
    #[must_use]
    pub fn tls(mut self, number: u16, protocol: &str, hosts: &[&str], tls: &str) -> Self {
        let server = server(number, protocol, hosts);
        self.servers.push(format!("{server}, tls: {tls}"));
        self
    }
}

fn server(number: u16, protocol: &str, hosts: &[&str]) -> String {
    let port = port(number, protocol, "");
    format!("port: {port}, hosts: {}", list(hosts))
}

impl Display for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { meta, selector, .. } = self;
        writeln!(f, "{meta}  selector: {{istio: {selector}}}\n  servers:")?;
        self.servers
            .iter()
            .try_for_each(|server| writeln!(f, "  - {{{server}}}"))
    }
}

/// A DestinationRule.
#[derive(Clone, Debug)]
pub struct DestinationRule {
    meta: Meta,
    host: String,
    policy: String,
}

named!(DestinationRule);

impl DestinationRule {
    /// A `trafficPolicy` for a host.
    #[must_use]
    pub fn new(host: &str, policy: &str) -> Self {
        Self {
            meta: Meta::of("DestinationRule", host),
            host: host.to_owned(),
            policy: policy.to_owned(),
        }
    }
}

impl Display for DestinationRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { meta, host, policy } = self;
        writeln!(f, "{meta}  host: '{host}'\n  trafficPolicy: {policy}")
    }
}

/// The mesh configuration, as Istio keeps it in a ConfigMap.
#[derive(Clone, Debug)]
pub struct MeshConfig {
    name: &'static str,
    fields: Vec<String>,
}

impl MeshConfig {
    /// One that sets nothing.
    #[must_use]
    pub fn new() -> Self {
        Self {
            name: "istio",
            fields: Vec::new(),
        }
    }

    /// One that writes the access log as JSON to the standard output.
    #[must_use]
    pub fn logged() -> Self {
        Self::new()
            .set("accessLogFile: /dev/stdout")
            .set("accessLogEncoding: JSON")
    }

    /// The ConfigMap of another revision.
    #[must_use]
    pub fn named(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    /// Sets one more field.
    #[must_use]
    pub fn set(mut self, field: &str) -> Self {
        self.fields.push(field.to_owned());
        self
    }
}

impl Default for MeshConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl Display for MeshConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, fields } = self;
        write!(
            f,
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: istio-system}}\ndata:\n  mesh: |\n"
        )?;
        fields
            .iter()
            .try_for_each(|field| writeln!(f, "    {field}"))
    }
}

fn list<T: Display>(words: &[T]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    format!("[{}]", words.join(", "))
}
