//! The certificates of a gateway and of its clients: from files and Secrets, renewed while it runs.

use std::fs;

use egret_tests::certs::{Authority, NOW, Pair};

use crate::helpers::stage::until;
use crate::helpers::tls_stage::{Stage, authority_secret, indented, of_gateway, refused, secret};

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
fn a_generic_secret_has_keys_of_its_own() -> anyhow::Result<()> {
    let stage = Stage::new("gateway-tls-generic")?;
    let clients = Authority::new("authority of clients")?;
    let [good, good_key] = stage.files("good", &clients.pair(&["client.example"], NOW)?)?;
    let pair = stage.world.authority.pair(&["shop.example"], NOW)?;
    let generic = secret("shop", &pair)
        .replace("type: kubernetes.io/tls\n", "type: Opaque\n")
        .replace("tls.crt:", "cert:")
        .replace("tls.key:", "key:");
    let with_authority = format!("{generic}  cacert: |\n{}\n", indented(clients.pem()));
    stage.config.write("secret.yaml", &with_authority)?;
    let tls = "{mode: MUTUAL, credentialName: shop}";
    stage
        .config
        .write("gateway.yaml", &of_gateway("HTTPS", "[shop.example]", tls))?;
    let gateway = stage.start()?;
    let known = stage.get("shop.example", &["--cert", &good, "--key", &good_key])?;
    assert_eq!(known.status, 200, "{known:?}\n{}", gateway.everything());
    assert_eq!(stage.get("shop.example", &[])?.status, 0);
    Ok(())
}
