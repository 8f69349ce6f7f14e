//! TLS that a gateway ends, or lets pass by name, seen with curl and OpenSSL.

use std::fs;

use egret_tests::certs::Authority;
use egret_tests::certs::NOW;
use egret_tests::certs::Pair;
use egret_tests::client::curl;
use egret_tests::origin::at_once;
use egret_tests::origin::text;
use egret_tests::places::HTTPBIN_ORG;
use egret_tests::places::INGRESS_GATEWAY;
use egret_tests::places::Located;
use hyper::StatusCode;

use crate::stage::field;
use crate::tls_stage::BEHIND;
use crate::tls_stage::Stage;
use crate::tls_stage::authority_secret;
use crate::tls_stage::of_gateway;
use crate::tls_stage::refused;
use crate::tls_stage::secret;
use crate::tls_stage::until;

#[test]
fn the_certificate_and_the_route_table_are_those_of_the_name() -> anyhow::Result<()> {
    let stage = Stage::new("gateway-tls-names")?;
    let [shop, shop_key] = stage.issued(&["shop.example"])?;
    let [wild, wild_key] = stage.issued(&["*.wild.example"])?;
    let servers = of_gateway(
        "HTTPS",
        "[shop.example]",
        &format!("{{mode: SIMPLE, serverCertificate: {shop}, privateKey: {shop_key}}}"),
    ) + &format!(
        "  - port: {{number: 443, name: wild, protocol: HTTPS}}\n    hosts: ['*.wild.example']\n    \
         tls: {{mode: SIMPLE, serverCertificate: {wild}, privateKey: {wild_key}}}\n"
    );
    stage.config.write("gateway.yaml", &servers)?;
    let gateway = stage.start()?;
    for name in ["shop.example", "a.wild.example"] {
        let answer = stage.get(name, &["--http1.1"])?;
        assert_eq!(answer.status_line, "HTTP/1.1 200 OK", "{answer:?}");
        // By ALPN.
        let answer = stage.get(name, &["--http2"])?;
        assert_eq!(answer.status_line.trim(), "HTTP/2 200", "{answer:?}");
    }
    let seen = stage.origin.requests.all();
    let proto = seen[0].headers.get("x-forwarded-proto");
    assert_eq!(proto.map(|value| value.as_bytes()), Some(&b"https"[..]));
    assert_eq!(seen.len(), 4);
    let line = gateway.await_access(|line| field(line, "authority") == "a.wild.example")?;
    assert_eq!(field(&line, "requested_server_name"), "a.wild.example");

    // The name in the hello and the one in the request are looked at apart.
    let other = stage.get("shop.example", &["-H", "host: other.example"])?;
    assert_eq!(other.status, 404, "{other:?}");

    let unknown = stage.get("unknown.example", &[])?;
    assert_eq!((unknown.status, unknown.exit), (0, 35), "{unknown:?}");
    let line =
        gateway.await_access(|line| field(line, "requested_server_name") == "unknown.example")?;
    assert_eq!(field(&line, "response_flags"), "NR", "{line:#}");
    Ok(())
}

#[test]
fn one_server_has_several_certificates() -> anyhow::Result<()> {
    let stage = Stage::new("gateway-tls-several")?;
    let [one, one_key] = stage.issued(&["one.example"])?;
    let [two, two_key] = stage.issued(&["two.example"])?;
    let tls = format!(
        "{{mode: SIMPLE, tlsCertificates: [{{serverCertificate: {one}, privateKey: {one_key}}}, {{serverCertificate: {two}, \
         privateKey: {two_key}}}]}}"
    );
    stage
        .config
        .write("gateway.yaml", &of_gateway("HTTPS", "['*']", &tls))?;
    let _gateway = stage.start()?;
    for name in ["one.example", "two.example"] {
        assert_eq!(stage.get(name, &[])?.status, 200, "{name}");
    }
    let other = stage.s_client("three.example", &[])?;
    assert!(other.output.contains("CN = one.example"), "{other:?}");
    Ok(())
}

#[test]
fn versions_and_suites_are_those_of_the_server() -> anyhow::Result<()> {
    let stage = Stage::new("gateway-tls-versions")?;
    let [chain, key] = stage.issued(&["shop.example"])?;
    let files = format!("mode: SIMPLE, serverCertificate: {chain}, privateKey: {key}");
    let suites = "cipherSuites: [ECDHE-ECDSA-AES256-GCM-SHA384, AES128-SHA]";
    stage.config.write(
        "gateway.yaml",
        &of_gateway("HTTPS", "[shop.example]", &format!("{{{files}, {suites}}}")),
    )?;
    let gateway = stage.start()?;
    gateway.await_log(&["AES128-SHA", "passed over"])?;
    let old = stage.s_client(
        "shop.example",
        &["-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"],
    )?;
    assert!(old.errors.contains("alert"), "{old:?}");
    let chosen = stage.s_client("shop.example", &["-tls1_2"])?;
    assert!(
        chosen
            .output
            .contains("Cipher is ECDHE-ECDSA-AES256-GCM-SHA384"),
        "{chosen:?}"
    );
    let other = ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"];
    let refused = stage.s_client("shop.example", &other)?;
    assert!(refused.errors.contains("handshake failure"), "{refused:?}");
    // Configurable is TLS 1.2 alone.
    let newest = stage.s_client("shop.example", &["-tls1_3"])?;
    assert!(newest.output.contains("New, TLSv1.3"), "{newest:?}");

    let only = |versions: &str| {
        let tls = format!("{{{files}, {versions}}}");
        stage
            .config
            .write("gateway.yaml", &of_gateway("HTTPS", "[shop.example]", &tls))
    };
    only("minProtocolVersion: TLSV1_3")?;
    until(|| {
        let refused = stage.s_client("shop.example", &["-tls1_2"])?;
        Ok(refused.errors.contains("alert"))
    })?;
    assert_eq!(stage.get("shop.example", &[])?.status, 200);
    only("maxProtocolVersion: TLSV1_2")?;
    until(|| {
        let refused = stage.s_client("shop.example", &["-tls1_3"])?;
        Ok(refused.errors.contains("alert"))
    })?;
    assert_eq!(stage.get("shop.example", &[])?.status, 200);
    Ok(())
}

#[test]
fn what_a_server_leaves_unsaid_the_mesh_says() -> anyhow::Result<()> {
    let stage = Stage::new("gateway-tls-defaults")?;
    let [chain, key] = stage.issued(&["shop.example"])?;
    let files = format!("mode: SIMPLE, serverCertificate: {chain}, privateKey: {key}");
    let server = |more: &str| {
        let tls = format!("{{{files}{more}}}");
        stage
            .config
            .write("gateway.yaml", &of_gateway("HTTPS", "[shop.example]", &tls))
    };
    server("")?;
    stage.config.write(
        "mesh-allow-any.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata:\n  mesh: |-\n    \
         tlsDefaults: {minProtocolVersion: TLSV1_3, ecdhCurves: [P-384]}\n",
    )?;
    let _gateway = stage.start()?;
    let old = stage.s_client("shop.example", &["-tls1_2"])?;
    assert!(old.errors.contains("alert"), "{old:?}");
    let other = stage.s_client("shop.example", &["-groups", "P-256:X25519"])?;
    assert!(other.errors.contains("alert"), "{other:?}");
    let chosen = stage.s_client("shop.example", &["-groups", "P-256:P-384"])?;
    assert!(chosen.output.contains("384 bits"), "{chosen:?}");
    server(", minProtocolVersion: TLSV1_2")?;
    until(|| {
        let old = stage.s_client("shop.example", &["-tls1_2"])?;
        Ok(old.output.contains("Cipher is ECDHE"))
    })?;
    Ok(())
}

#[test]
fn sessions_are_resumed() -> anyhow::Result<()> {
    let stage = Stage::new("gateway-tls-sessions")?;
    let [chain, key] = stage.issued(&["shop.example"])?;
    let tls = format!("{{mode: SIMPLE, serverCertificate: {chain}, privateKey: {key}}}");
    stage
        .config
        .write("gateway.yaml", &of_gateway("HTTPS", "[shop.example]", &tls))?;
    let _gateway = stage.start()?;
    let again = stage.s_client("shop.example", &["-tls1_2", "-reconnect"])?;
    assert_eq!(
        again.output.matches("Reused, TLSv1.2").count(),
        5,
        "{again:?}"
    );
    Ok(())
}

#[test]
fn clients_are_verified() -> anyhow::Result<()> {
    let stage = Stage::new("gateway-tls-mutual")?;
    let [chain, key] = stage.issued(&["shop.example"])?;
    let clients = Authority::new("authority of clients")?;
    let roots = stage.file("clients.pem", clients.pem())?;
    let name = "spiffe://cluster.local/ns/default/sa/sleep";
    let [good, good_key] = stage.files("good", &clients.pair(&[name], NOW)?)?;
    let [other, other_key] =
        stage.files("other", &clients.pair(&["spiffe://td/ns/a/sa/b"], NOW)?)?;
    let [old, old_key] = stage.files("old", &clients.pair(&[name], 2000..2001)?)?;
    let stranger = Authority::new("somebody else")?.pair(&[name], NOW)?;
    let [strange, strange_key] = stage.files("strange", &stranger)?;
    let server = |mode: &str, more: &str| {
        let tls = format!(
            "{{mode: {mode}, serverCertificate: {chain}, privateKey: {key}, caCertificates: {roots}{more}}}"
        );
        stage
            .config
            .write("gateway.yaml", &of_gateway("HTTPS", "[shop.example]", &tls))
    };
    server("MUTUAL", "")?;
    let gateway = stage.start()?;
    let with = |certificate: &str, key: &str| -> anyhow::Result<u16> {
        Ok(stage
            .get("shop.example", &["--cert", certificate, "--key", key])?
            .status)
    };
    assert_eq!(with(&good, &good_key)?, 200);
    assert_eq!(with(&other, &other_key)?, 200);
    assert_eq!(with(&strange, &strange_key)?, 0);
    refused(
        &gateway,
        &[
            "not signed by a trusted authority",
            "clients.pem",
            "somebody else",
        ],
    )?;
    assert_eq!(with(&old, &old_key)?, 0);
    refused(&gateway, &["expired at 2001-01-01T00:00:00Z"])?;
    let none = stage.get("shop.example", &[])?;
    assert_eq!(none.status, 0, "{none:?}");

    server("MUTUAL", &format!(", subjectAltNames: ['{name}']"))?;
    until(|| Ok(with(&other, &other_key)? == 0))?;
    refused(
        &gateway,
        &["the certificate is for", "spiffe://td/ns/a/sa/b", name],
    )?;
    assert_eq!(with(&good, &good_key)?, 200);

    server("OPTIONAL_MUTUAL", "")?;
    until(|| Ok(stage.get("shop.example", &[])?.status == 200))?;
    assert_eq!(with(&good, &good_key)?, 200);
    assert_eq!(
        with(&strange, &strange_key)?,
        0,
        "a certificate that is shown is verified"
    );
    Ok(())
}

#[test]
fn a_secret_is_used_and_a_new_one_replaces_it() -> anyhow::Result<()> {
    let stage = Stage::new("gateway-tls-secret")?;
    let clients = Authority::new("authority of clients")?;
    let [good, good_key] = stage.files("good", &clients.pair(&["client.example"], NOW)?)?;
    stage.config.write(
        "gateway.yaml",
        &of_gateway(
            "HTTPS",
            "[shop.example]",
            "{mode: MUTUAL, credentialName: shop}",
        ),
    )?;
    let gateway = stage.start()?;
    let no_handshake = 35;
    assert_eq!(stage.get("shop.example", &[])?.exit, no_handshake);
    gateway.await_log(&["shop", "every handshake is refused until it is there"])?;

    let authority = &stage.world.authority;
    let first = authority.pair(&["shop.example"], NOW)?;
    stage.config.write("secret.yaml", &secret("shop", &first))?;
    stage.config.write(
        "authority.yaml",
        &authority_secret("shop-cacert", "cacert", clients.pem()),
    )?;
    let with = ["--cert", good.as_str(), "--key", good_key.as_str()];
    until(|| Ok(stage.get("shop.example", &with)?.status == 200))?;
    assert_eq!(stage.get("shop.example", &[])?.status, 0);
    let shown = |pair: &Pair| -> anyhow::Result<bool> {
        let middle = pair
            .certificate
            .lines()
            .nth(2)
            .unwrap_or_default()
            .to_owned();
        Ok(stage
            .s_client("shop.example", &[])?
            .output
            .contains(&middle))
    };
    assert!(shown(&first)?);
    let second = authority.pair(&["shop.example"], NOW)?;
    stage
        .config
        .write("secret.yaml", &secret("shop", &second))?;
    until(|| shown(&second))?;
    assert_eq!(stage.get("shop.example", &with)?.status, 200);
    Ok(())
}

#[test]
fn several_secrets_are_chosen_from_by_name() -> anyhow::Result<()> {
    let stage = Stage::new("gateway-tls-secrets")?;
    let authority = &stage.world.authority;
    for name in ["one", "two"] {
        let pair = authority.pair(&[&format!("{name}.example")], NOW)?;
        let file = format!("{name}.yaml");
        stage.config.write(&file, &secret(name, &pair))?;
    }
    let tls = "{mode: SIMPLE, credentialNames: [one, two]}";
    stage
        .config
        .write("gateway.yaml", &of_gateway("HTTPS", "['*']", tls))?;
    let _gateway = stage.start()?;
    for name in ["one.example", "two.example"] {
        assert_eq!(stage.get(name, &[])?.status, 200, "{name}");
    }
    let other = stage.get("three.example", &[])?;
    assert_eq!((other.status, other.exit), (0, 60), "{other:?}");
    Ok(())
}

/// Renewed files are taken without a restart, and half of a pair is not.
#[test]
fn renewed_files_are_taken() -> anyhow::Result<()> {
    let stage = Stage::new("gateway-tls-renewed")?;
    let [chain, key] = stage.issued(&["shop.example"])?;
    let tls = format!("{{mode: SIMPLE, serverCertificate: {chain}, privateKey: {key}}}");
    stage
        .config
        .write("gateway.yaml", &of_gateway("HTTPS", "[shop.example]", &tls))?;
    let gateway = stage.start()?;
    assert_eq!(stage.get("shop.example", &[])?.status, 200);
    let other = Authority::new("new authority")?;
    let roots = stage.file("new.pem", other.pem())?;
    let new = other.pair(&["shop.example"], NOW)?;
    fs::write(&chain, &new.certificate)?;
    until(|| {
        assert_eq!(stage.get("shop.example", &[])?.status, 200);
        Ok(gateway
            .errors
            .all()
            .iter()
            .any(|line| line.contains("stay in use")))
    })?;
    fs::write(&key, &new.key)?;
    until(|| Ok(stage.get("shop.example", &["--cacert", &roots])?.status == 200))?;
    assert_eq!(stage.get("shop.example", &[])?.exit, 60);
    Ok(())
}

#[test]
fn tls_passes_by_name_and_keeps_the_origins_certificate() -> anyhow::Result<()> {
    let stage = Stage::new("gateway-tls-pass")?;
    let page = at_once(|_| text(StatusCode::OK, "origin's own\n"));
    let pair = stage.world.authority.pair(&["pass.example"], NOW)?;
    let secure = stage.world.https(HTTPBIN_ORG, pair.server(None)?, &page)?;
    stage.config.write(
        "pass.yaml",
        &(of_gateway("TLS", "[pass.example]", "{mode: PASSTHROUGH}")
            + "---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: secure, namespace: istio-system}
spec:
  hosts: [pass.example]
  ports: [{number: 443, name: tls, protocol: TLS}]
  resolution: STATIC
  endpoints: [{address: 198.51.100.12}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: pass, namespace: istio-system}
spec:
  hosts: [pass.example]
  gateways: [tls]
  tls:
  - match: [{sniHosts: [pass.example]}]
    route: [{destination: {host: pass.example}}]
"),
    )?;
    let gateway = stage.start()?;
    let answer = stage.get("pass.example", &[])?;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (200, "origin's own\n"),
        "{answer:?}"
    );
    let seen = secure.only_request()?;
    assert_eq!(
        (seen.sni.as_deref(), seen.peer.ip()),
        (Some("pass.example"), INGRESS_GATEWAY.v4())
    );
    assert_eq!(
        seen.headers.get("x-forwarded-for"),
        None,
        "its bytes are its own"
    );
    let line =
        gateway.await_access(|line| field(line, "requested_server_name") == "pass.example")?;
    assert_eq!(
        field(&line, "upstream_cluster"),
        "outbound|443||pass.example",
        "{line:#}"
    );
    assert_eq!(stage.get("other.example", &[])?.exit, 35);
    assert_eq!(secure.connections.len(), 1);
    Ok(())
}

#[test]
fn what_is_inside_of_ended_tls_may_be_bytes() -> anyhow::Result<()> {
    let stage = Stage::new("gateway-tls-bytes")?;
    let [chain, key] = stage.issued(&["shop.example"])?;
    let tls = format!("{{mode: SIMPLE, serverCertificate: {chain}, privateKey: {key}}}");
    stage.config.write(
        "behind.yaml",
        &BEHIND.replace("http: [{route", "tcp: [{route"),
    )?;
    stage
        .config
        .write("gateway.yaml", &of_gateway("TLS", "[shop.example]", &tls))?;
    let gateway = stage.start()?;
    let answer = stage.get("shop.example", &[])?;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("x-envoy-upstream-service-time"), None);
    let seen = stage.origin.only_request()?;
    assert_eq!(seen.headers.get("x-request-id"), None, "nobody read it");
    let line =
        gateway.await_access(|line| field(line, "requested_server_name") == "shop.example")?;
    assert_eq!(
        field(&line, "upstream_cluster"),
        "outbound|80||origin.example",
        "{line:#}"
    );
    Ok(())
}

#[test]
fn plain_http_is_sent_to_https() -> anyhow::Result<()> {
    let stage = Stage::new("gateway-tls-redirect")?;
    let [chain, key] = stage.issued(&["shop.example"])?;
    let tls = format!("{{mode: SIMPLE, serverCertificate: {chain}, privateKey: {key}}}");
    let servers = of_gateway("HTTPS", "[shop.example]", &tls)
        + "  - port: {number: 80, name: http, protocol: HTTP}\n    hosts: [shop.example]\n    tls: {httpsRedirect: true}\n";
    stage.config.write("gateway.yaml", &servers)?;
    let _gateway = stage.start()?;
    let address = INGRESS_GATEWAY.v4();
    let (plain, secure) = (
        format!("shop.example:80:{address}"),
        format!("shop.example:443:{address}"),
    );
    let url = "http://shop.example/get?a=1";
    let first = curl(&stage.client, &["--resolve", &plain, url])?;
    assert_eq!(
        (first.status, first.header("location")),
        (301, Some("https://shop.example/get?a=1")),
        "{first:?}"
    );
    let followed = curl(
        &stage.client,
        &[
            "-L",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}\n",
            "--resolve",
            &plain,
            "--resolve",
            &secure,
            "http://shop.example/get",
        ],
    )?;
    assert_eq!(followed.status_line, "200", "{followed:?}");
    Ok(())
}
