//! What tells one destination from another.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use egret_config::decide::outcome::OutcomeKind;
use egret_config::host::split_authority;

use crate::report::facts::{AuthorityFact, CallProtocol, Facts};

/// The longest name that is kept, in bytes; the rest of a longer one is cut off.
const NAME_MAX: usize = 255;

/// Where the name of a destination comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedBy {
    /// The authority of an HTTP request.
    Host,
    /// The server name of a TLS ClientHello.
    Sni,
    /// The service whose address, as DNS has it, the client connected to.
    Dns,
    /// It has no name.
    Nothing,
}

/// What tells one destination from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DestinationKey {
    /// The place of the destination among those of the process, in the order in which they were called first.
    pub place: usize,
    /// Its name.
    pub name: Option<Arc<str>>,
    /// Where the name comes from.
    pub named_by: NamedBy,
    /// The address that was called first, where there is one.
    pub address: Option<IpAddr>,
    /// The port that was called.
    pub port: u16,
    /// What the calls carry.
    pub protocol: CallProtocol,
    /// What was decided about them.
    pub verdict: OutcomeKind,
}

/// The parts of a key, borrowed from a call.
#[derive(Clone, Debug)]
pub(super) struct KeyParts<'f> {
    name: Option<Cow<'f, str>>,
    named_by: NamedBy,
    address: Option<IpAddr>,
    port: u16,
    protocol: CallProtocol,
    verdict: OutcomeKind,
}

impl NamedBy {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Sni => "sni",
            Self::Dns => "dns",
            Self::Nothing => "none",
        }
    }
}

impl<'f> KeyParts<'f> {
    /// The destination of a call about which this was decided. `names` are those that captured DNS queries are answered
    /// for, by the one address that only they have.
    pub(super) fn of(
        facts: &'f Facts,
        verdict: OutcomeKind,
        names: &'f HashMap<IpAddr, Arc<str>>,
    ) -> Self {
        let local = facts.downstream.local_address;
        let (mut name, mut named_by) = name(facts);
        if let (None, Some(local), false) = (&name, local, names.is_empty()) {
            name = names.get(&local.ip()).map(|name| Cow::Borrowed(&**name));
            named_by = NamedBy::Dns;
        }
        Self {
            named_by: match name {
                Some(_) => named_by,
                None => NamedBy::Nothing,
            },
            name,
            address: local.map(|local| local.ip()),
            port: local.map_or(0, |local| local.port()),
            protocol: facts.protocol,
            verdict,
        }
    }

    /// Writes what tells the destination from others: with a name, the address does not count.
    pub(super) fn encode(&self, into: &mut Vec<u8>) {
        into.clear();
        into.extend([self.verdict as u8, self.protocol as u8, self.named_by as u8]);
        into.extend(self.port.to_be_bytes());
        match (&self.name, self.address) {
            (Some(name), _) => into.extend(name.as_bytes()),
            (None, Some(IpAddr::V4(ip))) => into.extend(ip.octets()),
            (None, Some(IpAddr::V6(ip))) => into.extend(ip.octets()),
            (None, None) => {}
        }
    }

    /// The key, at its place in the process.
    pub(super) fn to_key(&self, place: usize) -> DestinationKey {
        DestinationKey {
            place,
            name: self.name.as_deref().map(Arc::from),
            named_by: self.named_by,
            address: self.address,
            port: self.port,
            protocol: self.protocol,
            verdict: self.verdict,
        }
    }
}

/// The name that a call has for its destination, in lower case and without a port.
fn name(facts: &Facts) -> (Option<Cow<'_, str>>, NamedBy) {
    if facts.protocol == CallProtocol::Http {
        let authority = facts
            .request
            .authority
            .as_ref()
            .map(AuthorityFact::as_bytes);
        let host = authority.map(|authority| host(String::from_utf8_lossy(authority)));
        return (host.filter(|host| !host.is_empty()), NamedBy::Host);
    }
    if let Some(name) = facts.downstream.requested_server_name.as_deref() {
        return (Some(lower(cut(Cow::Borrowed(name)))), NamedBy::Sni);
    }
    (None, NamedBy::Nothing)
}

fn host(authority: Cow<'_, str>) -> Cow<'_, str> {
    let length = match split_authority(&authority) {
        (_, Some(_)) => authority.rfind(':').unwrap_or(authority.len()),
        (_, None) => authority.len(),
    };
    lower(cut(shortened(authority, length)))
}

fn cut(name: Cow<'_, str>) -> Cow<'_, str> {
    let mut end = name.len().min(NAME_MAX);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    shortened(name, end)
}

fn shortened(name: Cow<'_, str>, length: usize) -> Cow<'_, str> {
    match name {
        Cow::Borrowed(name) => Cow::Borrowed(&name[..length]),
        Cow::Owned(mut name) => {
            name.truncate(length);
            Cow::Owned(name)
        }
    }
}

fn lower(name: Cow<'_, str>) -> Cow<'_, str> {
    match name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => Cow::Owned(name.to_ascii_lowercase()),
        false => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_lower_case_without_port_and_cut() {
        let long = "é".repeat(200);
        for (authority, expected) in [
            ("A.Example:80", "a.example"),
            ("a.example", "a.example"),
            ("[2001:DB8::1]:443", "[2001:db8::1]"),
            ("[2001:db8::1]", "[2001:db8::1]"),
            ("a.example:", "a.example:"),
            (&*long, &long[..254]),
        ] {
            assert_eq!(host(Cow::Borrowed(authority)), expected);
            assert_eq!(host(Cow::Owned(authority.to_owned())), expected);
        }
    }
}
