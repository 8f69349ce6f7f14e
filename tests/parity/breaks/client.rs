//! A client of either version that breaks off, or learns that the other side did.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, TcpStream};

use egret_tests::frames::{Wire, block, code, flag, frame, kind};
use egret_tests::ledger::Ledger;
use egret_tests::netns::Host;

use crate::breaks::Cues;
use crate::compare;
use crate::compare::{Facts, Names};
use crate::reset::reset_at_close;
use crate::through::PATIENCE;

/// A version of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    One,
    Two,
}

/// What a client sends after its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sends {
    Nothing,
    /// Half of the body that it announces.
    Half,
    /// Half of its body, then what is none.
    Flawed,
}

/// How a client ends the exchange, once it has heard half of the answer or, where there is none, the origin its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    Never,
    Close,
    Reset,
    /// Resets the stream, but not the connection.
    Cancel,
}

/// One exchange.
pub(super) struct Exchange {
    pub(super) name: &'static str,
    pub(super) from: Version,
    pub(super) target: String,
    pub(super) sends: Sends,
    pub(super) leave: Leave,
}

/// A way through one gateway.
pub(super) struct Through<'w> {
    pub(super) client: &'w Host,
    pub(super) names: Names,
    pub(super) to: IpAddr,
    pub(super) cues: &'w Cues,
    /// The proxy's access log.
    pub(super) log: &'w Ledger<String>,
}

impl Through<'_> {
    pub(super) fn make(&self, exchange: &Exchange) -> anyhow::Result<Facts> {
        let told = self.log.len();
        let mut facts = Facts::new();
        let mut note = |name: &str, value: String| {
            facts.insert(name.to_owned(), value);
        };
        match exchange.from {
            Version::One => self.one(exchange, &mut note)?,
            Version::Two => self.two(exchange, &mut note)?,
        }
        self.log.await_growth(told, PATIENCE);
        let lines = self.log.all().split_off(told);
        facts.insert(compare::ROWS.to_owned(), lines.len().to_string());
        compare::told(&lines, 1, &self.names, &mut facts);
        Ok(facts)
    }

    fn one(&self, exchange: &Exchange, note: &mut impl FnMut(&str, String)) -> anyhow::Result<()> {
        let seen = self.cues.seen.len();
        let to = self.to;
        let mut stream = self.client.run(move || TcpStream::connect((to, 80)))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let (method, rest) = match exchange.sends {
            Sends::Nothing => ("GET", "\r\n"),
            Sends::Half => ("POST", "content-length: 8\r\n\r\nhalf"),
            Sends::Flawed => ("POST", "transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n"),
        };
        let target = &exchange.target;
        let request = format!(
            "{method} {target} HTTP/1.1\r\nhost: app.example\r\nconnection: close\r\n{rest}"
        );
        stream.write_all(request.as_bytes())?;
        if exchange.sends == Sends::Flawed {
            self.cues.seen.await_growth(seen, PATIENCE);
            stream.write_all(b"no number\r\n")?;
        }
        let mut heard = Vec::new();
        let mut room = [0; 4096];
        let mut halved = false;
        let end = loop {
            if exchange.leave != Leave::Never && !exchange.target.contains("part") {
                self.cues.seen.await_growth(seen, PATIENCE);
                break "left";
            }
            match stream.read(&mut room) {
                Ok(0) => break "closed",
                Ok(read) => heard.extend(&room[..read]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => break "reset",
                Err(error) if error.kind() == ErrorKind::WouldBlock => break "nothing more",
                Err(error) => return Err(error.into()),
            }
            if !halved && heard.windows(4).any(|four| four == b"half") {
                halved = true;
                if exchange.leave != Leave::Never {
                    break "left";
                }
                self.cues.heard.push(());
            }
        };
        if exchange.leave == Leave::Reset {
            reset_at_close(&stream)?;
        }
        drop(stream);
        note("end", end.to_owned());
        let heard = String::from_utf8_lossy(&heard).into_owned();
        let (head, body) = heard.split_once("\r\n\r\n").unwrap_or((&heard, ""));
        let mut lines = head.lines();
        note("status", lines.next().unwrap_or_default().to_owned());
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            if !["date", "server", "x-envoy-upstream-service-time"].contains(&name) {
                note(&format!("header {name}"), value.to_owned());
            }
        }
        note("body", body.to_owned());
        Ok(())
    }

    fn two(&self, exchange: &Exchange, note: &mut impl FnMut(&str, String)) -> anyhow::Result<()> {
        let (seen, told) = (self.cues.seen.len(), self.log.len());
        let mut wire = Wire::open(self.client, self.to, 80)?;
        let method = match exchange.sends {
            Sends::Nothing => "GET",
            Sends::Half | Sends::Flawed => "POST",
        };
        let mut fields = vec![
            (":method", method),
            (":scheme", "http"),
            (":authority", "app.example"),
            (":path", &exchange.target),
        ];
        if exchange.sends != Sends::Nothing {
            fields.push(("content-length", "8"));
        }
        let flags = match exchange.sends {
            Sends::Nothing => flag::WHOLE,
            Sends::Half | Sends::Flawed => flag::END_HEADERS,
        };
        wire.send(&frame(kind::HEADERS, flags, 1, &block(&fields)))?;
        if exchange.sends != Sends::Nothing {
            wire.send(&frame(kind::DATA, 0, 1, b"half"))?;
        }
        if exchange.sends == Sends::Flawed {
            self.cues.seen.await_growth(seen, PATIENCE);
            wire.send(&frame(kind::DATA, 0, 1, b"more than it said"))?;
        }
        let mut status = None;
        let mut body = Vec::new();
        let end = loop {
            if exchange.leave != Leave::Never && !exchange.target.contains("part") {
                self.cues.seen.await_growth(seen, PATIENCE);
                break "left".to_owned();
            }
            let Some(next) = wire.read()? else {
                break "closed".to_owned();
            };
            match next.kind {
                kind::HEADERS => status = status.or(next.status()),
                kind::DATA => {
                    let halved = body.is_empty() && next.payload == b"half";
                    body.extend(&next.payload);
                    if halved && exchange.leave != Leave::Never {
                        break "left".to_owned();
                    }
                    if halved {
                        self.cues.heard.push(());
                    }
                }
                kind::RST_STREAM => break format!("reset with {:?}", next.number(0)),
                kind::GOAWAY => break format!("goodbye with {:?}", next.number(4)),
                _ => continue,
            }
            if [kind::HEADERS, kind::DATA].contains(&next.kind) && next.has(flag::END_STREAM) {
                break "ended".to_owned();
            }
        };
        match exchange.leave {
            Leave::Cancel => {
                wire.send(&frame(kind::RST_STREAM, 0, 1, &code::CANCEL.to_be_bytes()))?;
            }
            Leave::Reset => wire.reset()?,
            Leave::Never | Leave::Close => {}
        }
        if exchange.leave == Leave::Cancel {
            // The connection lasts until the line is there.
            self.log.await_growth(told, PATIENCE);
        }
        note("end", end);
        note("status", format!("{status:?}"));
        note("body", String::from_utf8_lossy(&body).into_owned());
        Ok(())
    }
}
