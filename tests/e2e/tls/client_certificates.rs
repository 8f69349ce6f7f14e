//! `x-forwarded-client-cert`: upstreams of a gateway learn which certificate the client showed, and believe nobody else.

use std::path::Path;

use egret_tests::certs::{Authority, NOW};
use egret_tests::client::APPLICATION_UID;
use egret_tests::objects::MeshConfig;
use egret_tests::process::Process;

use crate::helpers::stage::until;
use crate::helpers::tls_stage::{Stage, behind, of_gateway};

const NAME: &str = "spiffe://cluster.local/ns/default/sa/sleep";

const HEADER: &str = "x-forwarded-client-cert";

/// The mesh, with what stands in `defaultConfig`.
fn mesh(config: &str) -> String {
    let mesh = MeshConfig::logged();
    mesh.set(&format!("defaultConfig: {{{config}}}"))
        .to_string()
}

#[test]
fn the_upstream_learns_who_the_client_is() -> anyhow::Result<()> {
    let stage = Stage::new("tls-client-cert")?;
    let [chain, key] = stage.issued(&["shop.example"])?;
    let clients = Authority::new("authority of clients")?;
    let roots = stage.file("clients.pem", clients.pem())?;
    let pair = clients.pair(&["client.example", NAME], NOW)?;
    let [certificate, client_key] = stage.files("client", &pair)?;
    let tls = format!(
        "{{mode: OPTIONAL_MUTUAL, serverCertificate: {chain}, privateKey: {key}, caCertificates: {roots}}}"
    );
    stage
        .config
        .write("gateway.yaml", &of_gateway("HTTPS", "[shop.example]", &tls))?;
    let _gateway = stage.start()?;
    let forged = format!("{HEADER}: Hash=forged");
    let seen = |arguments: &[&str]| -> anyhow::Result<Vec<String>> {
        let before = stage.origin.requests.len();
        let mut all = vec!["-H", forged.as_str()];
        all.extend(arguments);
        assert_eq!(stage.get("shop.example", &all)?.status, 200);
        let seen = &stage.origin.requests.all()[before];
        let lines = seen.headers.get_all(HEADER).iter();
        Ok(lines
            .map(|line| line.to_str().unwrap_or_default().to_owned())
            .collect())
    };
    let with = ["--cert", certificate.as_str(), "--key", client_key.as_str()];
    let arguments = [
        "x509",
        "-in",
        &certificate,
        "-noout",
        "-fingerprint",
        "-sha256",
    ];
    let openssl = Path::new("openssl");
    let command = stage.client.command(APPLICATION_UID, openssl, &arguments);
    let said = Process::run(&stage.client, command)?.output;
    let hash = said.trim().rsplit('=').next().unwrap_or_default();
    let hash = hash.replace(':', "").to_lowercase();
    let pem = [
        ("\n", "%0A"),
        (" ", "%20"),
        ("+", "%2B"),
        ("/", "%2F"),
        ("=", "%3D"),
    ]
    .iter()
    .fold(
        pair.certificate.replace("\r\n", "\n"),
        |text, (from, to)| text.replace(from, to),
    );
    let element = format!(
        "Hash={hash};Cert=\"{pem}\";Subject=\"CN=client.example\";URI={NAME};DNS=client.example"
    );
    assert_eq!(seen(&with)?, std::slice::from_ref(&element));
    assert_eq!(seen(&[])?, [""; 0]);

    for (mode, shown, silent) in [
        (
            "APPEND_FORWARD",
            vec![format!("Hash=forged,{element}")],
            vec![],
        ),
        ("FORWARD_ONLY", vec!["Hash=forged".to_owned()], vec![]),
        ("SANITIZE", vec![], vec![]),
        (
            "ALWAYS_FORWARD_ONLY",
            vec!["Hash=forged".to_owned()],
            vec!["Hash=forged".to_owned()],
        ),
    ] {
        let topology = format!("gatewayTopology: {{forwardClientCertDetails: {mode}}}");
        stage.config.write("mesh.yaml", &mesh(&topology))?;
        until(|| Ok(seen(&with)? == shown))?;
        assert_eq!(seen(&[])?, silent, "{mode}");
    }
    Ok(())
}

#[test]
fn proxies_in_front_and_the_port_are_told() -> anyhow::Result<()> {
    let stage = Stage::new("tls-topology")?;
    let [chain, key] = stage.issued(&["shop.example"])?;
    let tls = format!("{{mode: SIMPLE, serverCertificate: {chain}, privateKey: {key}}}");
    stage
        .config
        .write("gateway.yaml", &of_gateway("HTTPS", "[shop.example]", &tls))?;
    stage.config.write(
        "behind.yaml",
        &behind(80, "HTTP", |all| {
            all.http("{rewrite: {authority: inner.example}, route: [{destination: {host: origin.example}}]}")
        }),
    )?;
    let _gateway = stage.start()?;
    let seen = || -> anyhow::Result<[String; 3]> {
        let before = stage.origin.requests.len();
        let said = [
            "-H",
            "x-forwarded-for: 203.0.113.7",
            "-H",
            "x-forwarded-port: 1",
        ];
        assert_eq!(stage.get("shop.example", &said)?.status, 200);
        let seen = &stage.origin.requests.all()[before];
        assert_eq!(seen.host, "inner.example");
        Ok([
            "x-envoy-external-address",
            "x-forwarded-port",
            "x-forwarded-host",
        ]
        .map(|name| {
            let value = seen.headers.get(name).map(|value| value.to_str());
            value.and_then(Result::ok).unwrap_or_default().to_owned()
        }))
    };
    assert_eq!(seen()?, ["10.34.0.140", "1", ""]);
    let both = "proxyHeaders: {xForwardedHost: {enabled: true}, xForwardedPort: {enabled: true}}";
    stage.config.write("mesh.yaml", &mesh(both))?;
    until(|| Ok(seen()? == ["10.34.0.140", "443", "shop.example"]))?;
    let trusted = format!("{both}, gatewayTopology: {{numTrustedProxies: 1}}");
    stage.config.write("mesh.yaml", &mesh(&trusted))?;
    until(|| Ok(seen()? == ["203.0.113.7", "1", "shop.example"]))
}
