//! HTTP: versions, routes, retries, and messages that are not what they should be.

pub(crate) mod smuggling;
pub(crate) mod routes;
pub(crate) mod retries;
pub(crate) mod versions;
pub(crate) mod h2_conformance;
pub(crate) mod informational;
pub(crate) mod grpc;
pub(crate) mod nginx_origin;
pub(crate) mod websocket;
pub(crate) mod conversion;
