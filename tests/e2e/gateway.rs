//! Gateways: calls that leave or enter through one.

pub(crate) mod egress_http;
pub(crate) mod ingress;
pub(crate) mod egress_routes;
pub(crate) mod tls;
pub(crate) mod certificates;
pub(crate) mod auto_passthrough;
pub(crate) mod proxy_protocol_in_front;
