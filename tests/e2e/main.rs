//! End-to-end tests: every story on a real kernel, with real `curl`, in network namespaces that vanish.

mod stage;
mod floors;
mod harness;
mod allow_any;
mod registry_only;
mod egress_gateway_http;
mod httpbin_private;
mod registration;
mod tls_by_sni;
mod ip_ranges;
mod init_world;
mod init_rows;
mod init_life;
mod init_kernel;
mod init_rules;
mod ingress;
mod egress_gateway_routes;
mod resolution;
mod tls_origination;
mod gateway_tls;
mod reload;
mod inbound;
mod opaque;
mod access_log;
mod admin;
mod bad_input;
