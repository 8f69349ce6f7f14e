//! Real connections through the redirect: an application's, the proxy's to its own pod, and the proxy's to elsewhere.
//!
//! The kernel identifies owners by the file system uid and gid of the thread that makes a socket. Those can be changed
//! for one thread and back, so no process is started and root can make connections of any owner. Without the right to, only
//! connections of the own uid are made.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Instant;

use crate::explain::{Origin, Packet, Verdict, explain};
use crate::intent::{Dns, Groups, Intent, Ipv6};
use crate::plan::{DNS_LISTENER, PASS_THROUGH};
use crate::rules::{Protocol, RuleSet};

use self::listener::{DnsListener, Listener};
use self::owner::Owner;
use self::socket::Connecting;
use self::trouble::Trouble;

mod listener;
mod owner;
mod socket;
mod trouble;

/// One connection, and whether it ended where it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The connection's owner and where it should have gone.
    pub subject: String,
    /// How it went.
    pub outcome: Outcome,
}

/// How a connection went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// As the rules require.
    Passed,
    /// It could not be made here; why.
    Skipped(String),
    /// Otherwise; how.
    Failed(String),
}

/// Makes the connections. At least one is listed, be it as skipped.
pub fn probe(intent: &Intent, rules: &RuleSet, addresses: &[IpAddr]) -> Vec<Check> {
    let end = Instant::now() + intent.settings.probe_timeout;
    let mut checks = Vec::new();
    for family in [Family::Ipv4, Family::Ipv6] {
        let has_address = addresses
            .iter()
            .any(|address| address.is_ipv4() == family.is_ipv4());
        let is_captured = family.is_ipv4() || intent.ipv6 == Ipv6::On;
        if has_address && is_captured {
            let probe = Probe {
                intent,
                rules,
                family,
                end,
            };
            probe.run(&mut checks);
        }
    }
    if checks.is_empty() {
        checks.push(Check {
            subject: "connections through the redirect".to_owned(),
            outcome: Outcome::Skipped(
                "these flags capture none that could be made here".to_owned(),
            ),
        });
    }
    checks
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Ipv4,
    Ipv6,
}

impl Family {
    fn is_ipv4(self) -> bool {
        self == Self::Ipv4
    }

    fn localhost(self) -> IpAddr {
        match self {
            Self::Ipv4 => Ipv4Addr::LOCALHOST.into(),
            Self::Ipv6 => Ipv6Addr::LOCALHOST.into(),
        }
    }

    /// An address that is local and is neither localhost nor one of the pod's.
    fn itself(self) -> IpAddr {
        let (ipv4, ipv6) = PASS_THROUGH;
        match self {
            Self::Ipv4 => ipv4.into(),
            Self::Ipv6 => ipv6.into(),
        }
    }

    /// An address reserved for documentation, which no host has.
    fn nowhere(self) -> IpAddr {
        match self {
            Self::Ipv4 => Ipv4Addr::new(192, 0, 2, 2).into(),
            Self::Ipv6 => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2).into(),
        }
    }
}

struct Probe<'a> {
    intent: &'a Intent,
    rules: &'a RuleSet,
    family: Family,
    end: Instant,
}

impl Probe<'_> {
    fn run(&self, checks: &mut Vec<Check>) {
        let proxy = self.proxy();
        let itself = SocketAddr::new(self.family.itself(), self.intent.settings.probe_port);
        if let Verdict::Proxy(port) = self.verdict(&proxy, itself, Protocol::Tcp) {
            let subject =
                format!("the proxy ({proxy}) to its own pod, {itself}, goes to port {port}");
            let from = Some(self.family.localhost());
            let outcome = Listener::bind(self.family.localhost(), port)
                .and_then(|listener| self.captured(&listener, &proxy, from, itself))
                .into();
            checks.push(Check { subject, outcome });
        }
        for (application, destination) in self.applications() {
            let port = self.intent.outbound_port;
            let subject =
                format!("an application ({application}) to {destination} goes to port {port}");
            let listener = match Listener::bind(self.family.localhost(), port) {
                Ok(listener) => listener,
                Err(trouble) => {
                    let outcome = Err(trouble).into();
                    checks.push(Check { subject, outcome });
                    continue;
                }
            };
            // The proxy goes first, so that its connection is there by the time the other one is.
            let direct = self.elsewhere(&listener, &proxy, destination);
            let outcome = self
                .captured(&listener, &application, None, destination)
                .into();
            checks.push(Check { subject, outcome });
            if let Some(direct) = direct {
                let subject = format!("the proxy ({proxy}) to {destination} is not captured");
                let outcome = direct.and_then(|socket| match listener.has_taken(&socket) {
                    true => Err(Trouble::Failed(
                        "it came back: the redirection loops".to_owned(),
                    )),
                    false => Ok(()),
                });
                checks.push(Check {
                    subject,
                    outcome: outcome.into(),
                });
            }
        }
        self.dns(checks);
    }

    /// The first of the proxy's owners, or ourselves when we are one of the others.
    fn proxy(&self) -> Owner {
        let own = Owner::current();
        let is_proxy = self
            .intent
            .proxy_users
            .iter()
            .any(|users| users.contains(&own.uid));
        if is_proxy {
            return own;
        }
        let first = |owners: &[crate::rules::Owner]| owners.first().map(|owners| *owners.start());
        Owner {
            uid: first(&self.intent.proxy_users).unwrap_or(own.uid),
            gid: first(&self.intent.proxy_groups).unwrap_or(own.gid),
        }
    }

    /// Whose connections are captured on the way to where; one for each kind of destination.
    fn applications(&self) -> Vec<(Owner, SocketAddr)> {
        let destinations = self.destinations().into_iter().filter_map(|destination| {
            let captured = Verdict::Proxy(self.intent.outbound_port);
            let mut owners = self.ordinary().into_iter();
            let owner =
                owners.find(|owner| self.verdict(owner, destination, Protocol::Tcp) == captured)?;
            Some((owner, destination))
        });
        destinations.take(DESTINATIONS_MAX).collect()
    }

    /// Owners that may be those of an application, ourselves first.
    fn ordinary(&self) -> Vec<Owner> {
        let own = Owner::current();
        let mut groups = vec![own.gid, ORDINARY];
        if let Groups::Only(only) = &self.intent.outbound.groups {
            groups.extend(only.iter().map(|groups| *groups.start()));
        }
        let uids = [own.uid, ORDINARY];
        let pairs = uids.iter().flat_map(|uid| {
            groups.iter().map(|gid| Owner {
                uid: *uid,
                gid: *gid,
            })
        });
        pairs.collect()
    }

    /// An address that no host has, and one in each of the captured ranges.
    fn destinations(&self) -> Vec<SocketAddr> {
        let include = &self.intent.outbound.include;
        let port = self.intent.settings.probe_port;
        let mut addresses = vec![self.family.nowhere()];
        match self.family {
            Family::Ipv4 => addresses.extend(
                include
                    .ipv4()
                    .iter()
                    .filter_map(|range| range.hosts().next())
                    .map(IpAddr::V4),
            ),
            Family::Ipv6 => addresses.extend(
                include
                    .ipv6()
                    .iter()
                    .filter_map(|range| range.hosts().next())
                    .map(IpAddr::V6),
            ),
        }
        let included = self.intent.outbound.include_ports.first();
        let included = included.map(|ports| SocketAddr::new(self.family.nowhere(), *ports.start()));
        let elsewhere = addresses
            .into_iter()
            .map(|address| SocketAddr::new(address, port));
        elsewhere.chain(included).collect()
    }

    fn verdict(&self, owner: &Owner, destination: SocketAddr, protocol: Protocol) -> Verdict {
        let address = destination.ip();
        let is_local = address.is_loopback() || address == self.family.itself();
        let packet = Packet {
            origin: Origin::Process {
                owner: Some((owner.uid, owner.gid)),
                through: if is_local { "lo" } else { "" }.to_owned(),
            },
            protocol: Some(protocol),
            source: self.family.localhost(),
            destination: address,
            port: destination.port(),
            is_for_this_host: is_local,
        };
        explain(self.rules, &packet).verdict
    }

    /// Whether a connection comes out at a listener.
    fn captured(
        &self,
        listener: &Listener,
        owner: &Owner,
        from: Option<IpAddr>,
        destination: SocketAddr,
    ) -> Result<(), Trouble> {
        let socket = owner.tcp(from, destination)?;
        listener.receives(&socket, destination, self.end)
    }

    /// Begins a connection of the proxy that must not come back. Where a proxy is running, this cannot be checked.
    fn elsewhere(
        &self,
        listener: &Listener,
        proxy: &Owner,
        destination: SocketAddr,
    ) -> Option<Result<Connecting, Trouble>> {
        let is_direct = self.verdict(proxy, destination, Protocol::Tcp) == Verdict::Untouched;
        (is_direct && listener.is_own()).then(|| proxy.tcp(None, destination))
    }

    fn dns(&self, checks: &mut Vec<Check>) {
        let server = match (&self.intent.dns, self.family) {
            (Dns::Off | Dns::NoServers, _) => return,
            (Dns::Every, family) => Some(family.nowhere()),
            (Dns::Servers { ipv4, .. }, Family::Ipv4) => {
                ipv4.first().map(|server| server.addr().into())
            }
            (Dns::Servers { ipv6, .. }, Family::Ipv6) => {
                ipv6.first().map(|server| server.addr().into())
            }
        };
        let Some(server) = server.map(|server| SocketAddr::new(server, 53)) else {
            return;
        };
        let captured = Verdict::Proxy(DNS_LISTENER);
        let owners = self.ordinary();
        let mut owners = owners.iter();
        let Some(owner) =
            owners.find(|owner| self.verdict(owner, server, Protocol::Udp) == captured)
        else {
            return;
        };
        let subject = format!(
            "a DNS question of an application ({owner}) to {server} goes to port {DNS_LISTENER}"
        );
        let answer = DnsListener::bind(self.family.localhost()).and_then(|listener| {
            let socket = owner.udp(server)?;
            listener.receives(&socket, self.end)
        });
        checks.push(Check {
            subject,
            outcome: answer.into(),
        });
    }
}

/// How many destinations are tried; a user may list thousands of ranges.
const DESTINATIONS_MAX: usize = 4;

/// A uid and gid that are neither root's nor, as a rule, a proxy's.
const ORDINARY: u32 = 12345;

impl From<Result<(), Trouble>> for Outcome {
    fn from(result: Result<(), Trouble>) -> Self {
        match result {
            Ok(()) => Self::Passed,
            Err(Trouble::Skipped(reason)) => Self::Skipped(reason),
            Err(Trouble::Failed(reason)) => Self::Failed(reason),
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            Outcome::Passed => write!(out, "passed: {}", self.subject),
            Outcome::Skipped(reason) => write!(out, "skipped: {}: {reason}", self.subject),
            Outcome::Failed(reason) => write!(out, "failed: {}: {reason}", self.subject),
        }
    }
}
