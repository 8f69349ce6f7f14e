//! A way through one gateway, and all that can be known of what the gateway made of it.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, TcpStream};
use std::path::Path;

use egret_tests::DEADLINE;
use egret_tests::client::{APPLICATION_UID, curl};
use egret_tests::ledger::Ledger;
use egret_tests::netns::Host;
use egret_tests::origin::Origin;
use egret_tests::places::{Located, SLEEP};
use egret_tests::process::Process;

use crate::compare::{Facts, Names, facts};
use crate::streams::calls::Doing;
use crate::through::PATIENCE;
use crate::wire::{Heard, Message};

/// Who is behind the gateways.
pub(super) struct Origins {
    pub(super) plain: Ledger<Message>,
    pub(super) shadow: Ledger<Message>,
    pub(super) secure: Origin,
    pub(super) bytes: Origin,
}

/// A way through one gateway.
pub(super) struct Through<'w> {
    pub(super) client: &'w Host,
    pub(super) to: IpAddr,
    pub(super) files: &'w str,
    pub(super) origins: &'w Origins,
}

impl Through<'_> {
    pub(super) fn make(&self, doing: &Doing) -> anyhow::Result<Facts> {
        match doing {
            Doing::Curl(url, arguments) => self.curl(url, arguments),
            Doing::Shake(arguments) => self.shake(arguments),
            Doing::Bytes(port, bytes) => self.bytes(*port, bytes),
        }
    }

    fn curl(&self, url: &str, arguments: &[&str]) -> anyhow::Result<Facts> {
        let Origins {
            plain,
            shadow,
            secure,
            ..
        } = self.origins;
        let before = (plain.len(), shadow.len(), secure.requests.len());
        let led = format!("::{}:", self.to);
        let mut all = vec!["--connect-to".to_owned(), led, url.to_owned()];
        all.extend(arguments.iter().map(|one| one.replace("FILES", self.files)));
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let answer = curl(self.client, &all)?;
        let responses = match answer.status {
            0 => vec![],
            _ => vec![Message {
                line: answer.status_line,
                headers: answer.headers,
                body: answer.body,
                ..Message::default()
            }],
        };
        if url.contains("mirrored") {
            shadow.await_from(before.1, |_| true)?;
        }
        let mut seen = plain.all().split_off(before.0);
        seen.extend(shadow.all().split_off(before.1));
        let secured = secure.requests.all().split_off(before.2);
        seen.extend(secured.into_iter().map(|seen| {
            let sni = ("sni".to_owned(), seen.sni.unwrap_or_default());
            let text = |value: &hyper::header::HeaderValue| {
                String::from_utf8_lossy(value.as_bytes()).into_owned()
            };
            let headers = seen.headers.iter();
            let headers = headers.map(|(name, value)| (name.to_string(), text(value)));
            Message {
                line: format!("{} {}", seen.method, seen.target),
                headers: headers.chain([sni]).collect(),
                ..Message::default()
            }
        }));
        let heard = Heard {
            responses,
            closed: false,
        };
        let mut facts = facts(&heard, &seen, &Names::new(SLEEP.v4(), self.to));
        facts.insert("curl's exit".to_owned(), exit(answer.exit).to_owned());
        Ok(facts)
    }

    fn shake(&self, arguments: &[&str]) -> anyhow::Result<Facts> {
        let to = format!("{}:443", self.to);
        let ca = format!("{}/ca.pem", self.files);
        let mut all = vec!["s_client", "-connect", &to, "-CAfile", &ca];
        all.extend(arguments);
        let command = self
            .client
            .command(APPLICATION_UID, Path::new("openssl"), &all);
        let said = Process::run(self.client, command)?;
        let mut facts: Facts = BTreeMap::new();
        facts.insert("succeeds".to_owned(), (said.code == 0).to_string());
        for (fact, beginning) in [
            ("version", "New, "),
            ("protocol", "ALPN protocol: "),
            ("verified", "Verify return code: "),
            ("issuer", "issuer="),
        ] {
            let line = said
                .output
                .lines()
                .find(|line| line.trim().starts_with(beginning));
            let value = line.map(|line| line.trim().to_owned());
            facts.insert(fact.to_owned(), value.unwrap_or_default());
        }
        Ok(facts)
    }

    fn bytes(&self, port: u16, bytes: &'static [u8]) -> anyhow::Result<Facts> {
        let before = self.origins.bytes.connections.len();
        let to = self.to;
        let heard = self.client.run(move || -> std::io::Result<Vec<u8>> {
            let mut stream = TcpStream::connect_timeout(&(to, port).into(), PATIENCE)?;
            stream.set_read_timeout(Some(DEADLINE))?;
            // Who refuses may do so before all is sent.
            let _ = stream.write_all(bytes);
            let _ = stream.shutdown(Shutdown::Write);
            let mut heard = Vec::new();
            let ended = stream.read_to_end(&mut heard);
            ended.map(|_| heard)
        });
        let heard = match heard {
            Ok(heard) => String::from_utf8_lossy(&heard).into_owned(),
            Err(error) => format!("{:?}", error.kind()),
        };
        let connections = self.origins.bytes.connections.len() - before;
        Ok(BTreeMap::from([
            ("heard".to_owned(), heard),
            ("origin connections".to_owned(), connections.to_string()),
        ]))
    }
}

/// What curl's exit codes say, as far as it is the proxy's doing: a client's words for a failed handshake vary.
fn exit(code: i32) -> &'static str {
    match code {
        0 => "answered",
        7 | 52 | 55 | 56 => "closed",
        // 98: the alert says that a certificate is required.
        35 | 98 => "no handshake",
        60 => "not whom it wanted",
        _ => "another end",
    }
}
