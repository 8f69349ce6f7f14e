//! Rules to text, for people and for other tools.

pub mod iptables;
pub mod nftables;
