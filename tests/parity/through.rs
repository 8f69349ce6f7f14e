//! A way through one proxy: what a client sends, and all that can be known of what the proxy made of it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use egret_tests::client::curl;
use egret_tests::ledger::Ledger;
use egret_tests::netns::Host;
use serde_json::Value;

use crate::compare::{Facts, Names, facts};
use crate::requests::{Call, Exchange};
use crate::wire::{Heard, Message};
use crate::{compare, requests, wire};

/// How long a line of a log is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(4);

/// A way through one proxy.
pub(crate) struct Through<'w> {
    pub(crate) client: &'w Host,
    pub(crate) names: Names,
    pub(crate) to: SocketAddr,
    pub(crate) origin: &'w Ledger<Message>,
    /// The proxy's access log.
    pub(crate) log: &'w Ledger<String>,
}

impl Through<'_> {
    pub(crate) fn send(&self, exchange: &Exchange) -> anyhow::Result<Facts> {
        let before = self.now();
        let Some((first, rest)) = exchange.beside else {
            let heard = wire::call(self.client, self.to, &exchange.bytes, exchange.responses)?;
            return Ok(self.facts(&heard, before));
        };
        let to = self.to;
        let mut beside = self.client.run(move || TcpStream::connect(to))?;
        beside.set_read_timeout(Some(PATIENCE))?;
        beside.write_all(first.as_bytes())?;
        self.origin.await_growth(before.0, PATIENCE);
        let heard = wire::call(self.client, self.to, &exchange.bytes, exchange.responses)?;
        let facts = self.facts(&heard, before);
        beside.write_all(rest.as_bytes())?;
        beside.read_exact(&mut [0])?;
        self.log
            .await_growth(before.1 + exchange.responses, PATIENCE);
        Ok(facts)
    }

    pub(crate) fn curl(&self, call: &Call) -> anyhow::Result<Facts> {
        let before = self.now();
        let resolve = format!("app.example:80:{}", self.to.ip());
        let url = format!("http://app.example{}", call.target);
        let mut arguments = vec!["--http2-prior-knowledge", "--resolve", &resolve, &url];
        arguments.extend(call.arguments);
        let answer = curl(self.client, &arguments)?;
        let heard = Heard {
            responses: vec![Message {
                line: answer.status_line,
                headers: answer.headers,
                body: answer.body,
                ..Message::default()
            }],
            closed: false,
        };
        Ok(self.facts(&heard, before))
    }

    /// What the origin saw, and the log told, so far.
    fn now(&self) -> (usize, usize) {
        (self.origin.len(), self.log.len())
    }

    /// With what the origin saw, and the log told, since they had as many entries as `before` says.
    fn facts(&self, heard: &Heard, (seen, told): (usize, usize)) -> Facts {
        let mut seen = self.origin.all().split_off(seen);
        seen.retain(|request| !request.line.contains(requests::BROKEN));
        let mut facts = facts(heard, &seen, &self.names);
        let answers = heard
            .responses
            .iter()
            .filter(|response| response.status() == 101 || response.status() >= 200)
            .count();
        // Each answer is told; what is none, not by all.
        let lines = self.lines_of_answers(told, answers);
        compare::told(&lines, answers, &self.names, &mut facts);
        facts
    }

    /// So many lines about answers, which come behind that many lines. A request that broke off is told when it is
    /// noticed, which may be among the lines of the next exchange.
    fn lines_of_answers(&self, mut told: usize, answers: usize) -> Vec<String> {
        let mut lines = Vec::new();
        while lines.len() < answers {
            self.log.await_growth(told, PATIENCE);
            let Some(line) = self.log.all().into_iter().nth(told) else {
                break;
            };
            told += 1;
            let fields: Value = serde_json::from_str(&line).unwrap_or_default();
            if fields["response_code"] != 0 {
                lines.push(line);
            }
        }
        lines
    }
}
