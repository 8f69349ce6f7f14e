//! MeshConfig `tlsDefaults`: what TLS speaks where an object leaves it unsaid.

use crate::model::read::enum_value;
use crate::model::tls::client::ClientTls;
use crate::model::tls::curves::{self, Curve};
use crate::model::tls::server::ServerTls;
use crate::model::tls::suites::{self, CipherSuite};
use crate::problem::Diagnostics;
use crate::wire::mesh_config::TlsConfig as Wire;

/// `tlsDefaults` of MeshConfig. It is not for TLS inside of the mesh, mode ISTIO_MUTUAL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsDefaults {
    /// `minProtocolVersion` is TLS 1.3. As with Istio it is for gateways: TLS that egret originates goes by what the
    /// other side speaks.
    pub only_tls13: bool,
    /// `cipherSuites` has suites, none of which TLS 1.2 can speak here.
    pub no_suites: bool,
    /// `cipherSuites` of TLS 1.2; empty for all.
    pub suites: Vec<CipherSuite>,
    /// `ecdhCurves`; empty for all.
    pub curves: Vec<Curve>,
}

/// Reads `tlsDefaults`.
pub(crate) fn parse(wire: &Wire, diagnostics: &mut Diagnostics<'_>) -> TlsDefaults {
    let versions = [("TLS_AUTO", false), ("TLSV1_2", false), ("TLSV1_3", true)];
    let only_tls13 = enum_value(
        diagnostics,
        "minProtocolVersion",
        &wire.min_protocol_version,
        &versions,
    );
    let suites = suites::parse(&wire.cipher_suites, diagnostics);
    TlsDefaults {
        // A misspelt value gets the newer version, which is the safe one.
        only_tls13: only_tls13.unwrap_or(true),
        no_suites: suites.is_none(),
        suites: suites.unwrap_or_default(),
        curves: curves::parse(&wire.ecdh_curves, diagnostics),
    }
}

impl TlsDefaults {
    /// The settings of a gateway's server: its own, else the mesh's.
    pub(crate) fn over_server(&self, own: &ServerTls) -> ServerTls {
        let mut tls = own.clone();
        if own.in_mesh {
            return tls;
        }
        tls.only_tls13 = Some(own.only_tls13.unwrap_or(self.only_tls13));
        tls.curves.clone_from(&self.curves);
        if own.suites.is_empty() {
            tls.suites.clone_from(&self.suites);
            if self.no_suites {
                tls.only_tls13 = Some(true);
            }
        }
        tls
    }

    /// What egret does where it originates TLS.
    pub(crate) fn over_client(&self, own: ClientTls) -> ClientTls {
        if own.in_mesh {
            return own;
        }
        ClientTls {
            only_tls13: self.no_suites,
            suites: self.suites.clone(),
            curves: self.curves.clone(),
            ..own
        }
    }
}
