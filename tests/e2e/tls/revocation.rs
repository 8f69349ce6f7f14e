//! Certificates that authorities took back, and those that are listed by their digests.

use std::path::Path;

use egret_tests::certs::{Authority, NOW, Pair};
use egret_tests::client::APPLICATION_UID;
use egret_tests::process::Process;

use crate::helpers::stage::until;
use crate::helpers::tls_stage::{Stage, indented, of_gateway, refused, secret};

/// Calls the gateway with this certificate; gives the status, 0 for none.
fn with(stage: &Stage, files: &[String; 2]) -> anyhow::Result<u16> {
    let [certificate, key] = files;
    let answer = stage.get("shop.example", &["--cert", certificate, "--key", key])?;
    Ok(answer.status)
}

#[test]
fn clients_whose_certificates_were_taken_back_are_refused() -> anyhow::Result<()> {
    let stage = Stage::new("tls-revoked-clients")?;
    let [chain, key] = stage.issued(&["shop.example"])?;
    let clients = Authority::new("authority of clients")?;
    let roots = stage.file("clients.pem", clients.pem())?;
    let (lost, kept) = (
        clients.pair(&["lost.example"], NOW)?,
        clients.pair(&["kept.example"], NOW)?,
    );
    let [lost_files, kept_files] = [stage.files("lost", &lost)?, stage.files("kept", &kept)?];
    let list = stage.file("list.pem", &clients.revoked(&[&lost], NOW)?)?;
    let server = |mode: &str| {
        let tls = format!(
            "{{mode: {mode}, serverCertificate: {chain}, privateKey: {key}, caCertificates: {roots}, caCrl: {list}}}"
        );
        stage
            .config
            .write("gateway.yaml", &of_gateway("HTTPS", "[shop.example]", &tls))
    };
    server("MUTUAL")?;
    let gateway = stage.start()?;
    assert_eq!(with(&stage, &kept_files)?, 200);
    assert_eq!(with(&stage, &lost_files)?, 0);
    refused(&gateway, &["CN=lost.example", "taken back", "list.pem"])?;

    // A client that may stay nameless may still not show what was taken back.
    server("OPTIONAL_MUTUAL")?;
    until(|| Ok(stage.get("shop.example", &[])?.status == 200))?;
    assert_eq!(with(&stage, &kept_files)?, 200);
    assert_eq!(with(&stage, &lost_files)?, 0);

    // The list is renewed without a restart, and one that became too old vouches for nobody.
    stage.file("list.pem", &clients.revoked(&[&kept], NOW)?)?;
    until(|| Ok(with(&stage, &kept_files)? == 0))?;
    assert_eq!(with(&stage, &lost_files)?, 200);
    stage.file("list.pem", &clients.revoked(&[&kept], 2000..2001)?)?;
    until(|| Ok(with(&stage, &lost_files)? == 0))?;
    refused(&gateway, &["list.pem", "renew it by 2001-01-01T00:00:00Z"])?;
    let stranger = Authority::new("somebody else")?;
    stage.file("list.pem", &stranger.revoked(&[], NOW)?)?;
    until(|| {
        let known = gateway.output.len();
        assert_eq!(with(&stage, &lost_files)?, 0);
        let line = gateway.await_access_from(known, |_| true)?;
        Ok(line.to_string().contains("has no list of an authority"))
    })
}

#[test]
fn a_secret_brings_the_list() -> anyhow::Result<()> {
    let stage = Stage::new("tls-revoked-secret")?;
    let clients = Authority::new("authority of clients")?;
    let (lost, kept) = (
        clients.pair(&["lost.example"], NOW)?,
        clients.pair(&["kept.example"], NOW)?,
    );
    let own = stage.world.authority.pair(&["shop.example"], NOW)?;
    let list = clients.revoked(&[&lost], NOW)?;
    let text = format!(
        "{}  ca.crt: |\n{}\n  ca.crl: |\n{}",
        secret("shop", &own),
        indented(clients.pem()),
        indented(&list)
    );
    stage.config.write("secret.yaml", &text)?;
    let tls = "{mode: MUTUAL, credentialName: shop}";
    stage
        .config
        .write("gateway.yaml", &of_gateway("HTTPS", "[shop.example]", tls))?;
    let _gateway = stage.start()?;
    assert_eq!(with(&stage, &stage.files("kept", &kept)?)?, 200);
    assert_eq!(with(&stage, &stage.files("lost", &lost)?)?, 0);
    Ok(())
}

/// What OpenSSL says is the digest of a certificate, or of its key in base64.
fn digest(stage: &Stage, script: &str, certificate: &str) -> anyhow::Result<String> {
    let arguments = ["-c", script, "sh", certificate];
    let command = stage
        .client
        .command(APPLICATION_UID, Path::new("/bin/sh"), &arguments);
    let said = Process::run(&stage.client, command)?;
    anyhow::ensure!(said.code == 0, "{said:?}");
    Ok(said.output.trim().to_owned())
}

#[test]
fn clients_are_known_by_digests_as_openssl_prints_them() -> anyhow::Result<()> {
    let stage = Stage::new("tls-digests")?;
    let [chain, key] = stage.issued(&["shop.example"])?;
    let clients = Authority::new("authority of clients")?;
    let roots = stage.file("clients.pem", clients.pem())?;
    let files = |name: &str| -> anyhow::Result<[String; 2]> {
        let pair: Pair = clients.pair(&[name], NOW)?;
        stage.files(name, &pair)
    };
    let (one, other) = (files("one.example")?, files("other.example")?);
    let hash = digest(
        &stage,
        "openssl x509 -in $1 -noout -fingerprint -sha256 | cut -d= -f2",
        &one[0],
    )?;
    let spki = digest(
        &stage,
        "openssl x509 -in $1 -noout -pubkey | openssl pkey -pubin -outform DER | openssl dgst -sha256 -binary | base64",
        &one[0],
    )?;
    let server = |mode: &str, more: &str| {
        let tls = format!(
            "{{mode: {mode}, serverCertificate: {chain}, privateKey: {key}, caCertificates: {roots}, {more}}}"
        );
        stage
            .config
            .write("gateway.yaml", &of_gateway("HTTPS", "[shop.example]", &tls))
    };
    let by_hash = format!("verifyCertificateHash: ['{hash}']");
    server("MUTUAL", &by_hash)?;
    let gateway = stage.start()?;
    assert_eq!(with(&stage, &one)?, 200);
    assert_eq!(with(&stage, &other)?, 0);
    refused(&gateway, &["CN=other.example", "none of those listed"])?;

    let plain = hash.replace(':', "").to_lowercase();
    server(
        "OPTIONAL_MUTUAL",
        &format!("verifyCertificateHash: [{plain}]"),
    )?;
    until(|| Ok(stage.get("shop.example", &[])?.status == 200))?;
    assert_eq!(with(&stage, &one)?, 200);
    assert_eq!(with(&stage, &other)?, 0);

    server("MUTUAL", &format!("verifyCertificateSpki: ['{spki}']"))?;
    until(|| Ok(stage.get("shop.example", &[])?.status == 0))?;
    assert_eq!(with(&stage, &one)?, 200);
    assert_eq!(with(&stage, &other)?, 0);
    Ok(())
}
