//! Our own small netlink: rules become the messages of one nf_tables transaction, and addresses those of rtnetlink.
//!
//! The kernel takes the transaction whole or not at all. Numbers are those of the kernel's `uapi/linux/netfilter`
//! headers, which never change.

pub mod address;
pub mod comparison;
pub mod foreign;
pub mod message;
pub mod nftables;
pub mod refusal;
pub mod routing;
pub mod socket;

mod answers;
mod expression;
