//! TLS: by SNI, originated, verified.

pub(crate) mod by_sni;
pub(crate) mod origination;
pub(crate) mod revocation;
pub(crate) mod client_certificates;
pub(crate) mod upstream;
pub(crate) mod policies;
pub(crate) mod mesh;
