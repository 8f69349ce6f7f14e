//! Why the kernel did nothing, and what its user can do about that.

use std::fmt;

use nix::errno::Errno;

use crate::netlink::message::Need;

/// Why messages had no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// There is no socket for this subsystem, or it cannot be used.
    Unusable(Errno),
    /// The kernel refused a message; with it, the whole transaction it was part of.
    Message {
        /// What the message was about.
        label: String,
        /// The kernel's reason.
        reason: Errno,
        /// What the message needs beside its protocol's own part of the kernel.
        needs: Vec<Need>,
    },
    /// The kernel did not answer for a message.
    Unanswered(String),
}

impl Refusal {
    /// Whether the process lacks the permission.
    pub fn is_denied(&self) -> bool {
        match self {
            Self::Message { reason, .. } | Self::Unusable(reason) => *reason == Errno::EPERM,
            Self::Unanswered(_) => false,
        }
    }

    /// Whether the kernel has no such feature, rather than an objection.
    pub fn is_lack(&self) -> bool {
        match self {
            Self::Message { reason, .. } | Self::Unusable(reason) => LACKING.contains(reason),
            Self::Unanswered(_) => false,
        }
    }
}

/// The kernel's errors for a feature that it does not have.
const LACKING: [Errno; 4] = [
    Errno::EOPNOTSUPP,
    Errno::ENOENT,
    Errno::EPROTONOSUPPORT,
    Errno::EAFNOSUPPORT,
];

/// One line, with what to do.
impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message {
                reason: Errno::EPERM,
                ..
            }
            | Self::Unusable(Errno::EPERM | Errno::EACCES) => out.write_str(
                "not permitted: run as root, or give the container the capability NET_ADMIN",
            ),
            Self::Unusable(reason @ (Errno::EPROTONOSUPPORT | Errno::EAFNOSUPPORT)) => {
                write!(
                    out,
                    "this kernel has no netfilter netlink ({reason}): load the module nfnetlink"
                )
            }
            Self::Message {
                label,
                reason,
                needs,
            } if LACKING.contains(reason) => {
                write!(
                    out,
                    "this kernel lacks what is needed for {label} ({reason}): {}",
                    remedy(needs)
                )
            }
            Self::Message {
                label,
                reason: Errno::EACCES,
                ..
            } => {
                write!(
                    out,
                    "the kernel refused {label}: IPv6 is disabled there (net.ipv6.conf.*.disable_ipv6)"
                )
            }
            Self::Message { label, reason, .. } => {
                write!(out, "the kernel refused {label}: {reason}")
            }
            Self::Unusable(reason) => {
                write!(out, "cannot talk to the kernel over netlink: {reason}")
            }
            Self::Unanswered(label) => write!(out, "the kernel did not answer about {label}"),
        }
    }
}

impl std::error::Error for Refusal {}

/// What makes the kernel have what it lacks.
fn remedy(needs: &[Need]) -> String {
    let mut modules = Vec::new();
    let mut options = Vec::new();
    for need in needs {
        match need {
            Need::Module(name) => modules.push(*name),
            Need::Option(name) => options.push(*name),
        }
    }
    if !options.is_empty() {
        return format!("it must be built with {}", options.join(" and "));
    }
    if modules.is_empty() {
        modules.push("nf_tables");
    }
    format!(
        "load the module {}, or run Linux 5.4 or later",
        modules.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(reason: Errno, needs: Vec<Need>) -> Refusal {
        Refusal::Message {
            label: "chain output".to_owned(),
            reason,
            needs,
        }
    }

    #[test]
    fn a_missing_feature_names_what_brings_it() {
        for reason in LACKING {
            assert!(refusal(reason, Vec::new()).is_lack());
        }
        let display = |needs| refusal(Errno::ENOENT, needs).to_string();
        let lack = "this kernel lacks what is needed for chain output (ENOENT: No such file or directory): ";
        assert_eq!(
            display(Vec::new()),
            format!("{lack}load the module nf_tables, or run Linux 5.4 or later")
        );
        assert_eq!(
            display(vec![Need::Module("nft_ct"), Need::Module("nft_redir")]),
            format!("{lack}load the module nft_ct, nft_redir, or run Linux 5.4 or later")
        );
        assert_eq!(
            display(vec![Need::Option("CONFIG_IP_MULTIPLE_TABLES")]),
            format!("{lack}it must be built with CONFIG_IP_MULTIPLE_TABLES")
        );
    }

    #[test]
    fn no_netfilter_at_all_is_a_lack_too() {
        let refusal = Refusal::Unusable(Errno::EPROTONOSUPPORT);
        assert!(refusal.is_lack());
        assert_eq!(
            refusal.to_string(),
            "this kernel has no netfilter netlink (EPROTONOSUPPORT: Protocol not supported): load the module nfnetlink"
        );
    }

    #[test]
    fn an_objection_is_no_lack() {
        for reason in [Errno::EINVAL, Errno::EPERM, Errno::EEXIST, Errno::EBUSY] {
            assert!(!refusal(reason, vec![Need::Module("nft_redir")]).is_lack());
        }
        assert!(!Refusal::Unusable(Errno::EPERM).is_lack());
        assert!(!Refusal::Unanswered("chain output".to_owned()).is_lack());
        assert_eq!(
            refusal(Errno::EINVAL, vec![Need::Module("nft_redir")]).to_string(),
            "the kernel refused chain output: EINVAL: Invalid argument"
        );
    }

    #[test]
    fn a_missing_capability_has_a_hint() {
        let expected = "not permitted: run as root, or give the container the capability NET_ADMIN";
        for refusal in [
            refusal(Errno::EPERM, Vec::new()),
            Refusal::Unusable(Errno::EPERM),
        ] {
            assert!(refusal.is_denied());
            assert_eq!(refusal.to_string(), expected);
        }
    }
}
