//! TLS that a sidecar originates: who is shown, who is trusted, and that nothing ever goes out in the clear instead.

use std::fs;

use egret_tests::certs::{Authority, NOW, Pair};
use egret_tests::client::{Answer, curl};
use egret_tests::egret::Proxy;
use egret_tests::folder::Folder;
use egret_tests::netns::Host;
use egret_tests::objects::ServiceEntry;
use egret_tests::origin::{Origin, at_once, text};
use egret_tests::places::{CNN, Family, Located, SLEEP};
use egret_tests::topology::World;
use hyper::StatusCode;

use crate::helpers::stage;
use crate::helpers::stage::{field, until};
use crate::helpers::tls_stage::secret;

const NAME: &str = "shop.example";

/// The origin, called on port 80 and dialled on 443.
fn entry() -> String {
    let entry = ServiceEntry::new("shop.example");
    entry.port_to(80, "HTTP", 443).at([CNN.v4()]).to_string()
}

/// A world with an application, its sidecar's settings, and an HTTPS origin.
struct Stage {
    world: World,
    pod: Host,
    origin: Origin,
    plain: Origin,
    config: Folder,
}

impl Stage {
    /// The origin shows `pair`, and verifies its clients with `clients` if given.
    fn new(
        name: &str,
        pair: impl FnOnce(&Authority) -> anyhow::Result<Pair>,
        clients: Option<&str>,
    ) -> anyhow::Result<Self> {
        let world = World::new(name, Family::V4)?;
        let answer = at_once(|_| text(StatusCode::OK, "secure\n"));
        let origin = world.https(CNN, pair(&world.authority)?.server(clients)?, &answer)?;
        let plain = world.http(CNN, 80, &answer)?;
        world.resolve(NAME, &[CNN.v4()]);
        let config = stage::registered("entry.yaml", &entry())?;
        Ok(Self {
            pod: world.pod(SLEEP, "default")?,
            world,
            origin,
            plain,
            config,
        })
    }

    /// Writes the DestinationRule's `tls`.
    fn policy(&self, tls: &str) -> anyhow::Result<()> {
        let rule = format!(
            "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: shop, namespace: default}}\nspec:\n  \
             host: {NAME}\n  trafficPolicy:\n    tls: {tls}\n"
        );
        self.config.write("rule.yaml", &rule)
    }

    /// Writes a file that the sidecar may read; gives its path.
    fn file(&self, name: &str, text: &str) -> anyhow::Result<String> {
        let path = self.world.folder().join(name);
        fs::write(&path, text)?;
        Ok(path.display().to_string())
    }

    fn start(&self) -> anyhow::Result<Proxy<'_>> {
        stage::sidecar(&self.world, &self.pod, "default", &self.config)
    }

    fn call(&self) -> anyhow::Result<Answer> {
        let answer = curl(&self.pod, &[&format!("http://{NAME}/")])?;
        assert!(
            self.plain.connections.is_empty(),
            "nothing goes out in the clear"
        );
        Ok(answer)
    }

    fn is_served(&self) -> anyhow::Result<bool> {
        Ok(self.call()?.status == 200)
    }

    /// Calls, and insists that the call fails for a reason with these words.
    fn fails(&self, sidecar: &Proxy<'_>, words: &[&str]) -> anyhow::Result<()> {
        until(|| {
            let known = sidecar.output.len();
            let answer = self.call()?;
            let line = sidecar.await_access_from(known, |_| true)?;
            let why = field(&line, "upstream_transport_failure_reason");
            Ok(answer.status == 503 && words.iter().all(|word| why.contains(word)))
        })
    }
}

#[test]
fn the_name_that_is_sent_or_listed_is_the_name_that_is_verified() -> anyhow::Result<()> {
    let pair =
        |authority: &Authority| authority.pair(&["inner.example", "spiffe://td/ns/a/sa/b"], NOW);
    let stage = Stage::new("tls-names", pair, None)?;
    stage.policy("{mode: SIMPLE}")?;
    let sidecar = stage.start()?;
    stage.fails(
        &sidecar,
        &["is for `inner.example`", "expected `shop.example`"],
    )?;
    stage.policy("{mode: SIMPLE, sni: outer.example}")?;
    stage.fails(&sidecar, &["expected `outer.example`"])?;
    for tls in [
        "{mode: SIMPLE, sni: inner.example}",
        "{mode: SIMPLE, sni: outer.example, subjectAltNames: [inner.example]}",
        "{mode: SIMPLE, subjectAltNames: ['spiffe://td/ns/a/sa/b']}",
        "{mode: SIMPLE, insecureSkipVerify: true}",
    ] {
        stage.policy(tls)?;
        until(|| stage.is_served())?;
        stage.policy("{mode: SIMPLE, sni: outer.example}")?;
        until(|| Ok(!stage.is_served()?))?;
    }
    let sent: Vec<_> = stage
        .origin
        .requests
        .all()
        .into_iter()
        .map(|seen| seen.sni)
        .collect();
    for name in ["inner.example", "outer.example", "shop.example"] {
        assert!(
            sent.iter().flatten().any(|sent| sent == name),
            "{name} in {sent:?}"
        );
    }
    Ok(())
}

#[test]
fn an_expired_certificate_is_refused_and_told() -> anyhow::Result<()> {
    let pair = |authority: &Authority| authority.pair(&[NAME], 2000..2001);
    let stage = Stage::new("tls-expired", pair, None)?;
    stage.policy("{mode: SIMPLE}")?;
    let sidecar = stage.start()?;
    stage.fails(
        &sidecar,
        &["`CN=shop.example` expired at 2001-01-01T00:00:00Z"],
    )?;
    assert!(stage.origin.requests.is_empty());
    Ok(())
}

#[test]
fn a_self_signed_certificate_is_trusted_where_it_is_listed() -> anyhow::Result<()> {
    let own = Pair::self_signed(&[NAME])?;
    let shown = own.clone();
    let stage = Stage::new("tls-self-signed", |_| Ok(shown), None)?;
    stage.policy("{mode: SIMPLE}")?;
    let sidecar = stage.start()?;
    stage.fails(&sidecar, &["authority", "the system's"])?;
    let listed = stage.file("own.pem", &own.certificate)?;
    stage.policy(&format!("{{mode: SIMPLE, caCertificates: {listed}}}"))?;
    until(|| stage.is_served())?;
    Ok(())
}

#[test]
fn a_client_certificate_comes_from_files_and_is_renewed() -> anyhow::Result<()> {
    let clients = Authority::new("authority of clients")?;
    let pair = |authority: &Authority| authority.pair(&[NAME], NOW);
    let stage = Stage::new("tls-mutual", pair, Some(clients.pem()))?;
    let old = Authority::new("somebody else")?.pair(&["client.example"], NOW)?;
    let chain = stage.file("client.crt", &old.certificate)?;
    let key = stage.file("client.key", &old.key)?;
    stage.policy(&format!(
        "{{mode: MUTUAL, clientCertificate: {chain}, privateKey: {key}}}"
    ))?;
    let _sidecar = stage.start()?;
    assert_eq!(stage.call()?.status, 503);
    stage.origin.refusals.await_one(|_| true)?;
    let new = clients.pair(&["client.example"], NOW)?;
    stage.file("client.key", &new.key)?;
    stage.file("client.crt", &new.certificate)?;
    until(|| stage.is_served())?;
    Ok(())
}

#[test]
fn a_credential_is_awaited_and_renewed_and_calls_fail_without_it() -> anyhow::Result<()> {
    let (servers, clients) = (
        Authority::new("authority of servers")?,
        Authority::new("authority of clients")?,
    );
    let stage = Stage::new(
        "tls-credential",
        |_| servers.pair(&[NAME], NOW),
        Some(clients.pem()),
    )?;
    stage.policy("{mode: MUTUAL, credentialName: client}")?;
    let sidecar = stage.start()?;
    stage.fails(&sidecar, &["no Secret called \"client\" was loaded"])?;
    assert!(stage.origin.requests.is_empty());

    let write = |pair: &Pair, authority: &Authority| {
        let indented: String = authority
            .pem()
            .lines()
            .map(|line| format!("    {line}\n"))
            .collect();
        let text = format!(
            "{}  ca.crt: |\n{indented}",
            secret("client", pair).trim_end().to_owned() + "\n"
        );
        stage.config.write("secret.yaml", &text)
    };
    let stranger = Authority::new("somebody else")?;
    write(&clients.pair(&["client.example"], NOW)?, &stranger)?;
    stage.fails(
        &sidecar,
        &[
            "not signed by a trusted authority (the secret's authorities) but by",
            "authority of servers",
        ],
    )?;
    write(&stranger.pair(&["client.example"], NOW)?, &servers)?;
    assert_eq!(stage.call()?.status, 503);
    write(&clients.pair(&["client.example"], NOW)?, &servers)?;
    until(|| stage.is_served())?;
    Ok(())
}

#[test]
fn a_server_whose_certificate_was_taken_back_is_refused() -> anyhow::Result<()> {
    let servers = Authority::new("authority of servers")?;
    let (lost, other) = (
        servers.pair(&[NAME], NOW)?,
        servers.pair(&["other.example"], NOW)?,
    );
    let shown = lost.clone();
    let stage = Stage::new("tls-server-revoked", |_| Ok(shown), None)?;
    let roots = stage.file("servers.pem", servers.pem())?;
    let list = stage.file("list.pem", &servers.revoked(&[&other], NOW)?)?;
    // Each call has a connection of its own, which may take up the session of one before.
    let policy = |list: &str| {
        stage.policy(&format!(
            "{{mode: SIMPLE, caCertificates: {roots}, caCrl: {list}}}\n    \
             connectionPool: {{http: {{maxRequestsPerConnection: 1}}}}"
        ))
    };
    policy(&list)?;
    let sidecar = stage.start()?;
    for _ in 0..3 {
        assert!(stage.is_served()?);
    }
    stage.file("list.pem", &servers.revoked(&[&other, &lost], NOW)?)?;
    stage.fails(&sidecar, &["taken back by its authority", "list.pem"])?;
    let served = stage.origin.requests.len();
    policy("/nobody/wrote/this")?;
    stage.fails(&sidecar, &["cannot read `/nobody/wrote/this`"])?;
    assert_eq!(stage.origin.requests.len(), served);
    Ok(())
}

#[test]
fn authorities_in_a_file_are_renewed() -> anyhow::Result<()> {
    let (old, new) = (
        Authority::new("old authority")?,
        Authority::new("new authority")?,
    );
    let stage = Stage::new("tls-authorities", |_| new.pair(&[NAME], NOW), None)?;
    let roots = stage.file("roots.pem", old.pem())?;
    // Each call has a connection of its own, which may take up the session of one before.
    stage.policy(&format!(
        "{{mode: SIMPLE, caCertificates: {roots}}}\n    \
         connectionPool: {{http: {{maxRequestsPerConnection: 1}}}}"
    ))?;
    let sidecar = stage.start()?;
    stage.fails(
        &sidecar,
        &["not signed by a trusted authority", "new authority"],
    )?;
    stage.file("roots.pem", new.pem())?;
    until(|| stage.is_served())?;
    stage.file("roots.pem", old.pem())?;
    stage.fails(
        &sidecar,
        &["not signed by a trusted authority", "roots.pem"],
    )
}
