//! Upstreams: which endpoint is chosen, how it is reached, and what limits it.

pub(crate) mod name_failures;
pub(crate) mod streams;
pub(crate) mod outlier;
pub(crate) mod locality;
pub(crate) mod limits;
pub(crate) mod tunnel;
pub(crate) mod proxy_protocol;
pub(crate) mod unix_endpoints;
