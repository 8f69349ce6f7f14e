//! The flags of `egret-proxy explain`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::ValueEnum;
use egret_config::labels::Labels;
use egret_config::name::DEFAULT_NAMESPACE;
use egret_config::port::well_known;
use egret_config::snapshot::workload::Workload;

use crate::args::check::TypedOutput;
use crate::args::mode::TypedMode;
use crate::commands::explain::call::{Call, Protocol, To};
use crate::commands::explain::{Calls, Options, Output, call};
use crate::source::files;

/// The flags as they were typed.
#[derive(clap::Args)]
#[command(
    after_help = "On a sidecar --to is the application's destination; on a gateway it is the gateway pod's address and the port that \
                  the call arrives on.\n\n\
                  JSON: verdict, status, response_flags, response_code_details, cluster, clusters, virtual_host, route, \
                  location, rewritten_path, rewritten_authority, tls, lb, timeout, retries, mirrors, fault, trail; what is absent has no key. verdict is \
                  route, passthrough, blackhole, direct_response, redirect, not_found, no_listener, no_chain or bad_request.\n\n\
                  Exit codes: 0 when every call has an answer, 2 otherwise."
)]
pub(super) struct Explain {
    /// Files or folders with Istio and Kubernetes objects (.yaml, .yml, .json); may be repeated. Documents with errors are
    /// left out, as a running proxy leaves them out, and reported on standard error.
    #[arg(long = "config", value_name = "PATH", num_args = 1.., required_unless_present = "mesh_config")]
    config: Vec<PathBuf>,
    /// A file with MeshConfig; it replaces a MeshConfig under --config.
    #[arg(long, value_name = "FILE")]
    mesh_config: Option<PathBuf>,
    /// Where the call is decided: the sidecar of an application, or a gateway.
    #[arg(long, value_enum, default_value_t = TypedMode::Sidecar)]
    mode: TypedMode,
    /// The pod's namespace.
    #[arg(long, value_name = "NAME", default_value = DEFAULT_NAMESPACE)]
    namespace: String,
    /// The pod's labels, as key=value,key=value.
    #[arg(long, value_name = "LABELS", default_value = "", hide_default_value = true, value_parser = Labels::parse)]
    labels: Labels,
    /// An address of the pod; may be repeated. Without it a gateway has the address of --to.
    #[arg(long = "pod-ip", value_name = "IP", value_delimiter = ',')]
    pod_ips: Vec<IpAddr>,
    /// The pod's DNS queries are captured: ServiceEntries without addresses have one of 240.240.0.0/16 and 2001:2::/48.
    #[arg(long)]
    dns_capture: bool,
    /// Original destination of the call. A name is replaced by its address in the configuration, or by one that no service has.
    #[arg(long, value_name = "IP:PORT", value_parser = To::parse, required_unless_present = "calls")]
    to: Option<To>,
    /// Protocol of the call: http and http2 are plaintext, https is HTTP inside the client's TLS, tls is TLS with anything
    /// inside, tcp is anything else.
    #[arg(long, value_enum, required_unless_present = "calls")]
    protocol: Option<TypedProtocol>,
    /// The Host header; a name given in --to when left out.
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// The server name in the ClientHello of https and tls [default: --host without port, unless it is an address]. Empty is
    /// none.
    #[arg(long, value_name = "NAME")]
    sni: Option<String>,
    /// The application protocols in the ClientHello.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    alpn: Vec<String>,
    /// The method.
    #[arg(long, value_name = "METHOD", default_value = "GET")]
    method: String,
    /// Path and query.
    #[arg(long, value_name = "PATH", default_value = "/")]
    path: String,
    /// A further header, as 'name: value'; may be repeated.
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = call::header)]
    headers: Vec<(String, String)>,
    /// Many calls, one JSON object a line: to, protocol, host, sni, alpn, method, path, headers, dns_capture; `-` is standard
    /// input. Answers come in the same order, with --output json one a line.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["to", "protocol", "host", "sni", "alpn", "method", "path", "headers"])]
    calls: Option<PathBuf>,
    /// Form of the answers.
    #[arg(long, value_enum, default_value_t = TypedOutput::Text)]
    output: TypedOutput,
}

#[derive(Clone, Copy, ValueEnum)]
enum TypedProtocol {
    Http,
    Http2,
    Https,
    Tls,
    Tcp,
}

impl Explain {
    pub(super) fn validate(self) -> Result<Options, String> {
        if self.namespace.is_empty() {
            return Err("--namespace is empty: leave it out or name one\n".to_owned());
        }
        let redirect_ports = match self.mode {
            TypedMode::Sidecar => well_known::REDIRECT.to_vec(),
            TypedMode::Gateway => Vec::new(),
        };
        let calls = match (self.calls, self.to, self.protocol) {
            (Some(file), ..) => Calls::File(file),
            (None, Some(to), Some(protocol)) => Calls::One(Box::new(Call {
                host: self.host,
                sni: self.sni,
                alpn: self.alpn,
                method: self.method,
                path: self.path,
                headers: self.headers,
                ..Call::new(to, protocol.into())
            })),
            (None, ..) => return Err("--to and --protocol, or --calls, are required\n".to_owned()),
        };
        Ok(Options {
            source: files::Options {
                paths: self.config,
                mesh_config: self.mesh_config,
            },
            workload: Workload {
                mode: self.mode.into(),
                namespace: Arc::from(self.namespace),
                labels: self.labels,
                addresses: self.pod_ips,
                own_ports: well_known::OWN.to_vec(),
                redirect_ports,
                dns_capture: false,
            },
            dns_capture: self.dns_capture,
            calls,
            output: match self.output {
                TypedOutput::Text => Output::Text,
                TypedOutput::Json => Output::Json,
            },
        })
    }
}

impl From<TypedProtocol> for Protocol {
    fn from(typed: TypedProtocol) -> Self {
        match typed {
            TypedProtocol::Http => Self::Http,
            TypedProtocol::Http2 => Self::Http2,
            TypedProtocol::Https => Self::Https,
            TypedProtocol::Tls => Self::Tls,
            TypedProtocol::Tcp => Self::Tcp,
        }
    }
}
