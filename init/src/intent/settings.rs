//! The readers of the flags about how the rules are loaded, and how the result is checked.

use crate::args::{Flags, duration};
use crate::intent::model::{Backend, Binary, Output, Settings};
use crate::intent::parse::Parser;

impl Parser<'_> {
    pub(super) fn settings(&mut self, flags: &Flags) -> Settings {
        let flag = "--backend";
        let mut backend = match flags.backend.as_str() {
            "auto" => Backend::Auto,
            "nftables" => Backend::Nftables,
            "iptables" => Backend::Iptables,
            other => {
                self.problem(
                    flag,
                    format!("`{other}` is none of auto, nftables, iptables"),
                );
                Backend::Auto
            }
        };
        if flags.native_nftables {
            if backend == Backend::Iptables {
                let reason = "contradicts --backend iptables: give one of them";
                self.problem("--native-nftables", reason.to_owned());
            }
            backend = Backend::Nftables;
        }
        let binary = match flags.force_iptables_binary.as_str() {
            "" => None,
            "legacy" => Some(Binary::Legacy),
            "nft" => Some(Binary::Nft),
            other => {
                let reason = format!("`{other}` is neither legacy nor nft");
                self.problem("--force-iptables-binary", reason);
                None
            }
        };
        let output = match flags.output.as_str() {
            "nft" => Output::Nft,
            "iptables" => Output::Iptables,
            "" if backend == Backend::Iptables => Output::Iptables,
            "" => Output::Nft,
            other => {
                self.problem("--output", format!("`{other}` is neither nft nor iptables"));
                Output::Nft
            }
        };
        let probe_timeout = duration::parse(&flags.probe_timeout);
        if probe_timeout.is_none() {
            let reason = format!(
                "`{}` is no duration such as 5s or 1m30s",
                flags.probe_timeout
            );
            self.problem("--probe-timeout", reason);
        }
        Settings {
            backend,
            binary,
            output,
            probe_port: self.port("--iptables-probe-port", &flags.probe_port),
            probe_timeout: probe_timeout.unwrap_or_default(),
        }
    }
}
