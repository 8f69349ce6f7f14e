//! Failover between the addresses of a name, for when the picked one does not answer.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

/// Other addresses that are tried when the picked one does not answer.
const MAX: usize = 5;

/// How long an address that did not answer is not tried first.
const PASSED_OVER: Duration = Duration::from_secs(10);

/// The picked address and then the others, the other family first (RFC 8305).
pub fn in_turns(
    picked: SocketAddr,
    all: impl Iterator<Item = SocketAddr> + Clone,
) -> Vec<SocketAddr> {
    let others = |same_family: bool| {
        all.clone().filter(move |address| {
            *address != picked && (address.is_ipv4() == picked.is_ipv4()) == same_family
        })
    };
    let mut addresses = vec![picked];
    let (mut near, mut far) = (others(true), others(false));
    while addresses.len() <= MAX {
        let before = addresses.len();
        addresses.extend(far.next());
        addresses.extend(near.next());
        if addresses.len() == before {
            break;
        }
    }
    addresses
}

/// An address that did not answer, and the one that did instead.
#[derive(Clone, Copy, Debug)]
pub struct Failover {
    /// The picked address.
    pub failed: SocketAddr,
    /// The one that answered.
    pub answered: SocketAddr,
}

/// Addresses that failed lately, with the address that answered instead. Only the first call waits for an address that does
/// not answer. Later calls use the other address at once.
#[derive(Debug, Default)]
pub struct FailedAddressCache(RefCell<HashMap<SocketAddr, (SocketAddr, Instant)>>);

impl FailedAddressCache {
    /// Records an address that failed and the one that answered instead.
    pub fn note(&self, Failover { failed, answered }: Failover) {
        let now = Instant::now();
        let mut all = self.0.borrow_mut();
        all.retain(|_, (_, until)| *until > now);
        all.insert(failed, (answered, now + PASSED_OVER));
        // It answered, so an earlier failure no longer counts.
        all.remove(&answered);
    }

    /// The address to try instead of `picked`, or `picked` itself.
    pub fn instead_of(&self, picked: SocketAddr) -> SocketAddr {
        let all = self.0.borrow();
        if all.is_empty() {
            return picked;
        }
        match all.get(&picked) {
            Some((instead, until)) if *until > Instant::now() => *instead,
            _ => picked,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, number], 80))
    }

    #[test]
    fn families_take_turns() {
        let v6 = |number: u16| SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, number], 80));
        let all = [1, 2, 3, 4, 5].map(address);
        let both: Vec<_> = all.into_iter().chain([v6(1), v6(2)]).collect();
        assert_eq!(
            in_turns(address(1), both.iter().copied()),
            [address(1), v6(1), address(2), v6(2), address(3), address(4)]
        );
        assert_eq!(
            in_turns(v6(2), both.into_iter()),
            [v6(2), address(1), v6(1), address(2), address(3), address(4)]
        );
        assert_eq!(in_turns(address(9), [].into_iter()), [address(9)]);
    }

    #[tokio::test(start_paused = true)]
    async fn another_stands_in_for_a_while() {
        let failed_addresses = FailedAddressCache::default();
        assert_eq!(failed_addresses.instead_of(address(1)), address(1));
        let note = |failed: u8, answered: u8| {
            failed_addresses.note(Failover {
                failed: address(failed),
                answered: address(answered),
            });
        };
        note(1, 2);
        assert_eq!(failed_addresses.instead_of(address(1)), address(2));
        assert_eq!(failed_addresses.instead_of(address(2)), address(2));
        note(2, 1);
        assert_eq!(failed_addresses.instead_of(address(1)), address(1));
        assert_eq!(failed_addresses.instead_of(address(2)), address(1));
        tokio::time::advance(PASSED_OVER).await;
        assert_eq!(failed_addresses.instead_of(address(2)), address(2));
    }
}
