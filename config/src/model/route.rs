//! HTTP rules: what they match and what they do.

pub(crate) mod weights;
mod headers;
mod conditions;
mod redirect;
mod direct_response;
mod rewrite;
mod cors;
mod fault;
mod mirrors;
pub(crate) mod retries;
pub(crate) mod rule;
pub(crate) mod generated;

pub use crate::model::route::cors::Cors;
pub use crate::model::route::direct_response::DirectResponse;
pub use crate::model::route::fault::{Abort, Fault};
pub use crate::model::route::headers::{HeaderChanges, HeaderOperations};
pub use crate::model::route::mirrors::Mirror;
pub use crate::model::route::redirect::{Redirect, RedirectPath, RedirectPort};
pub use crate::model::route::retries::Retries;
pub use crate::model::route::rewrite::{PathRewrite, Rewrite};
pub use crate::model::route::rule::{HttpAction, HttpDestination, HttpRoute};
