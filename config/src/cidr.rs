//! [`CidrSet`]: address ranges of both families as Istio's flags and annotations list them.

use std::fmt;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use thiserror::Error;

/// Every address, or the addresses inside a list of ranges; IPv4 and IPv6 ranges mix freely.
///
/// The same type serves as what to include and as what to exclude.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CidrSet {
    /// `None` stands for every address. The ranges are kept as written, host bits included.
    ranges: Option<Vec<IpNet>>,
}

/// A list element that is no address range.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CidrError {
    /// An address without a prefix length.
    #[error("`{0}` has no prefix length: write `{one}`", one = IpNet::from(*.0))]
    BareAddress(IpAddr),
    /// `*` beside other elements; it has a meaning only alone.
    #[error("`*` stands for every address only when it is the whole value")]
    StarInList,
    /// Neither an IPv4 nor an IPv6 range.
    #[error("`{0}` is no address range such as `10.0.0.0/8` or `fd00::/8`")]
    Malformed(String),
}

impl CidrSet {
    /// The set of every address of both families, `*`.
    pub fn every() -> Self {
        Self { ranges: None }
    }

    /// The set without any address.
    pub fn none() -> Self {
        Self {
            ranges: Some(Vec::new()),
        }
    }

    /// Reads `*` or a comma-separated list such as `10.0.0.0/8,fd00::/8`.
    ///
    /// The rules are those of istio-iptables: empty elements are skipped, blanks are not trimmed, bare addresses are
    /// refused, host bits are allowed. All faulty elements are reported, not only the first.
    pub fn parse(list: &str) -> Result<Self, Vec<CidrError>> {
        if list == "*" {
            return Ok(Self::every());
        }
        let mut ranges = Vec::new();
        let mut errors = Vec::new();
        for element in list.split(',').filter(|element| !element.is_empty()) {
            match parse_range(element) {
                Ok(range) => ranges.push(range),
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() {
            Ok(Self {
                ranges: Some(ranges),
            })
        } else {
            Err(errors)
        }
    }

    /// Whether this is every address, written `*`.
    pub fn is_every(&self) -> bool {
        self.ranges.is_none()
    }

    /// Whether no address is inside.
    pub fn is_empty(&self) -> bool {
        self.ranges.as_ref().is_some_and(Vec::is_empty)
    }

    /// Whether `address` is inside.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.ranges
            .as_ref()
            .is_none_or(|ranges| ranges.iter().any(|range| range.contains(&address)))
    }

    /// Whether a range was written with a loopback address, such as `127.0.0.0/8` or `::1/128`.
    ///
    /// The address as written decides, as it does in istio-iptables: `120.0.0.0/5` covers the loopback addresses and
    /// yet does not count.
    pub fn names_loopback(&self) -> bool {
        self.ranges
            .iter()
            .flatten()
            .any(|range| range.addr().is_loopback())
    }

    /// The IPv4 ranges in ascending order, host bits cleared, none overlapping another. Empty for `*`.
    pub fn ipv4(&self) -> Vec<Ipv4Net> {
        let listed = self.ranges.iter().flatten();
        let ipv4 = listed
            .filter_map(|range| {
                if let IpNet::V4(range) = range {
                    Some(*range)
                } else {
                    None
                }
            })
            .collect();
        Ipv4Net::aggregate(&ipv4)
    }

    /// The IPv6 ranges in ascending order, host bits cleared, none overlapping another. Empty for `*`.
    pub fn ipv6(&self) -> Vec<Ipv6Net> {
        let listed = self.ranges.iter().flatten();
        let ipv6 = listed
            .filter_map(|range| {
                if let IpNet::V6(range) = range {
                    Some(*range)
                } else {
                    None
                }
            })
            .collect();
        Ipv6Net::aggregate(&ipv6)
    }
}

/// Writes the set in the form [`CidrSet::parse`] reads.
impl fmt::Display for CidrSet {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(ranges) = &self.ranges else {
            return out.write_str("*");
        };
        for (index, range) in ranges.iter().enumerate() {
            if index > 0 {
                out.write_str(",")?;
            }
            write!(out, "{range}")?;
        }
        Ok(())
    }
}

fn parse_range(element: &str) -> Result<IpNet, CidrError> {
    if element == "*" {
        return Err(CidrError::StarInList);
    }
    element.parse().map_err(|_| match element.parse() {
        Ok(address) => CidrError::BareAddress(address),
        Err(_) => CidrError::Malformed(element.to_owned()),
    })
}

#[cfg(test)]
mod tests;
