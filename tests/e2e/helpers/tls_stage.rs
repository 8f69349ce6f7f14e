//! What the stories of a gateway's TLS share: the gateway, who calls it and how, and certificates in files and Secrets.

use std::fs;
use std::path::Path;

use egret_tests::certs::{NOW, Pair};
use egret_tests::client::{APPLICATION_UID, Answer, curl};
use egret_tests::egret::Proxy;
use egret_tests::folder::Folder;
use egret_tests::netns::Host;
use egret_tests::objects::{ServiceEntry, VirtualService, documents};
use egret_tests::origin::{Origin, httpbin};
use egret_tests::places::{Family, HTTPBIN_ORG, INGRESS_GATEWAY, Located, SLEEP};
use egret_tests::process::{Finished, Process};
use egret_tests::topology::World;
use serde_json::Value;

use crate::helpers::stage;
use crate::helpers::stage::{ALLOW_ANY, field};

/// A rule that leads to the origin.
pub(crate) const TO_ORIGIN: &str = "{route: [{destination: {host: origin.example}}]}";

/// The origin behind the gateway, with one port, and the rules by which every name leads to it.
pub(crate) fn behind(
    port: u16,
    protocol: &str,
    rules: impl FnOnce(VirtualService) -> VirtualService,
) -> String {
    let entry = ServiceEntry::new("origin.example").namespace("istio-system");
    let all = VirtualService::new("*").named("all").gateways(&["tls"]);
    documents(&[
        &entry.port(port, protocol).at([HTTPBIN_ORG.v4()]),
        &rules(all.namespace("istio-system")),
    ])
}

/// A gateway with one server, whose `tls` is `mode`, for these hosts.
pub(crate) fn of_gateway(protocol: &str, hosts: &str, tls: &str) -> String {
    format!(
        "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: tls, namespace: istio-system}}
spec:
  selector: {{istio: ingressgateway}}
  servers:
  - port: {{number: 443, name: tls, protocol: {protocol}}}
    hosts: {hosts}
    tls: {tls}
"
    )
}

/// A world with a client, a gateway's pod and an origin.
pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) client: Host,
    pub(crate) gateway_pod: Host,
    pub(crate) origin: Origin,
    pub(crate) config: Folder,
}

impl Stage {
    pub(crate) fn new(name: &str) -> anyhow::Result<Self> {
        let world = World::new(name, Family::V4)?;
        let origin = world.http(HTTPBIN_ORG, 80, &httpbin())?;
        let config = Folder::with(&[ALLOW_ANY])?;
        config.write(
            "behind.yaml",
            &behind(80, "HTTP", |all| all.http(TO_ORIGIN)),
        )?;
        Ok(Self {
            client: world.pod(SLEEP, "default")?,
            gateway_pod: world.gateway_pod(INGRESS_GATEWAY)?,
            origin,
            config,
            world,
        })
    }

    /// Writes a file that the gateway and the client may read; gives its path.
    pub(crate) fn file(&self, name: &str, text: &str) -> anyhow::Result<String> {
        let path = self.world.folder().join(name);
        fs::write(&path, text)?;
        Ok(path.display().to_string())
    }

    /// Writes a pair of files; gives their paths.
    pub(crate) fn files(&self, name: &str, pair: &Pair) -> anyhow::Result<[String; 2]> {
        Ok([
            self.file(&format!("{name}.crt"), &pair.certificate)?,
            self.file(&format!("{name}.key"), &pair.key)?,
        ])
    }

    /// A certificate for `names`, in files.
    pub(crate) fn issued(&self, names: &[&str]) -> anyhow::Result<[String; 2]> {
        self.files(names[0], &self.world.authority.pair(names, NOW)?)
    }

    pub(crate) fn start(&self) -> anyhow::Result<Proxy<'_>> {
        stage::ingress_gateway(&self.world, &self.gateway_pod, &self.config)
    }

    /// `https://NAME/get` at the gateway, with further arguments.
    pub(crate) fn get(&self, name: &str, arguments: &[&str]) -> anyhow::Result<Answer> {
        let resolve = format!("{name}:443:{}", INGRESS_GATEWAY.v4());
        let url = format!("https://{name}/get");
        let mut all = vec!["--resolve", &resolve, &url];
        all.extend(arguments);
        curl(&self.client, &all)
    }

    /// `openssl s_client` to the gateway, which says nothing inside.
    pub(crate) fn s_client(&self, name: &str, arguments: &[&str]) -> anyhow::Result<Finished> {
        let to = format!("{}:443", INGRESS_GATEWAY.v4());
        let mut all = vec!["s_client", "-connect", &to, "-servername", name];
        all.extend(arguments);
        let program = Path::new("openssl");
        Process::run(
            &self.client,
            self.client.command(APPLICATION_UID, program, &all),
        )
    }
}

/// Awaits the line of a client that was refused, with these words in its reason.
pub(crate) fn refused(gateway: &Proxy<'_>, words: &[&str]) -> anyhow::Result<()> {
    let said = |line: &Value| {
        let why = field(line, "connection_termination_details");
        words.iter().all(|word| why.contains(word))
    };
    gateway.await_access(said).map(drop)
}

/// A `kubernetes.io/tls` Secret.
pub(crate) fn secret(name: &str, pair: &Pair) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: istio-system}}\ntype: kubernetes.io/tls\nstringData:\n  tls.crt: |\n{}\n  tls.key: |\n{}\n",
        indented(&pair.certificate),
        indented(&pair.key)
    )
}

/// A generic Secret with an authority under `key`.
pub(crate) fn authority_secret(name: &str, key: &str, pem: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: istio-system}}\nstringData:\n  {key}: |\n{}\n",
        indented(pem)
    )
}

pub(crate) fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}
