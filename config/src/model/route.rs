//! HTTP rules: what they match and what they do.

pub(crate) mod parse;
pub(crate) mod conditions;
pub(crate) mod answers;
pub(crate) mod tries;
pub(crate) mod headers;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use regex::bytes::Regex;

use crate::grpc::GrpcStatus;
use crate::model::destination::Destination;
use crate::model::http_match::HttpMatch;
use crate::name::ObjectName;
use crate::value::StringMatch;

/// One rule of a VirtualService's `http` list.
#[derive(Clone, Debug)]
pub struct HttpRoute {
    /// `name`.
    pub name: Option<Arc<str>>,
    /// Alternatives; none is always.
    pub matches: Vec<HttpMatch>,
    /// What is done.
    pub action: HttpAction,
    /// `rewrite`.
    pub rewrite: Option<Rewrite>,
    /// `timeout`; `None` is none.
    pub timeout: Option<Duration>,
    /// `retries`; `None` is the mesh's default.
    pub retries: Option<Retries>,
    /// `fault`.
    pub fault: Option<Fault>,
    /// `mirror` and `mirrors`.
    pub mirrors: Vec<Mirror>,
    /// `corsPolicy`.
    pub cors: Option<Cors>,
    /// `headers` of the rule.
    pub headers: HeaderChanges,
}

/// What an HTTP rule does.
#[derive(Clone, Debug)]
pub enum HttpAction {
    /// `route`: never empty.
    Route(Vec<HttpDestination>),
    /// `redirect`.
    Redirect(Redirect),
    /// `directResponse`.
    Respond(DirectResponse),
    /// `delegate`: the rules of another VirtualService.
    Delegate(ObjectName),
}

/// Where to, in which share, with which header changes.
#[derive(Clone, Debug)]
pub struct HttpDestination {
    /// Where to.
    pub destination: Destination,
    /// Share of the sum; ignored when it is the only one.
    pub weight: u32,
    /// `headers` of the destination.
    pub headers: HeaderChanges,
}

/// `rewrite`.
#[derive(Clone, Debug)]
pub struct Rewrite {
    /// `uri` or `uriRegexRewrite`.
    pub path: Option<PathRewrite>,
    /// `authority`.
    pub authority: Option<Arc<str>>,
}

/// How a path is rewritten.
#[derive(Clone, Debug)]
pub enum PathRewrite {
    /// `uri`: replaces the matched prefix, or the whole path when the match was exact or a regex.
    Uri(Arc<str>),
    /// Takes the matched prefix away, down to `/`; only Istio itself writes it.
    Strip,
    /// `uriRegexRewrite`.
    Regex {
        /// `match`.
        pattern: Regex,
        /// `rewrite`, with `\1` for groups.
        substitution: Arc<str>,
    },
}

/// `redirect`.
#[derive(Clone, Debug)]
pub struct Redirect {
    /// `redirectCode`; 301, 302, 303, 307 or 308.
    pub code: u16,
    /// `authority`.
    pub authority: Option<Arc<str>>,
    /// `uri` or `prefixRewrite`.
    pub path: Option<RedirectPath>,
    /// `scheme`.
    pub scheme: Option<Arc<str>>,
    /// `port` or `derivePort`.
    pub port: Option<RedirectPort>,
}

/// The path of a redirect.
#[derive(Clone, Debug)]
pub enum RedirectPath {
    /// `uri`: the whole path; the query is kept unless this has one.
    Whole(Arc<str>),
    /// `prefixRewrite`: instead of the matched prefix; the rest and the query are kept.
    Prefix(Arc<str>),
}

/// The port of a redirect.
#[derive(Clone, Copy, Debug)]
pub enum RedirectPort {
    /// `port`.
    Number(u16),
    /// `derivePort: FROM_PROTOCOL_DEFAULT`.
    FromScheme,
    /// `derivePort: FROM_REQUEST_PORT`.
    FromRequest,
}

/// `directResponse`.
#[derive(Clone, Debug)]
pub struct DirectResponse {
    /// 200 to 600.
    pub status: u16,
    /// The body.
    pub body: Arc<[u8]>,
}

/// `headers`: changes of a request and of its response; in each, removals come first, then sets, then adds.
#[derive(Clone, Debug, Default)]
pub struct HeaderChanges {
    /// Of the request.
    pub request: HeaderOperations,
    /// Of the response.
    pub response: HeaderOperations,
}

/// Header operations.
#[derive(Clone, Debug, Default)]
pub struct HeaderOperations {
    /// `remove`.
    pub remove: Vec<Arc<str>>,
    /// `set`.
    pub set: BTreeMap<Arc<str>, Arc<str>>,
    /// `add`.
    pub add: BTreeMap<Arc<str>, Arc<str>>,
}

impl HeaderChanges {
    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        let Self { request, response } = self;
        [request, response].into_iter().all(|operations| {
            let HeaderOperations { remove, set, add } = operations;
            remove.is_empty() && set.is_empty() && add.is_empty()
        })
    }
}

/// `retries`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retries {
    /// Tries after the first; 0 is off.
    pub attempts: u32,
    /// `perTryTimeout`.
    pub try_timeout: Option<Duration>,
    /// `retryOn`, words only, lower case.
    pub on: Vec<Arc<str>>,
    /// Numbers of `retryOn`.
    pub statuses: Vec<u16>,
    /// `backoff`; `None` is 25 ms.
    pub backoff: Option<Duration>,
    /// `retryIgnorePreviousHosts`: endpoints that were tried are avoided; default true.
    pub fresh_hosts: bool,
    /// `retryRemoteLocalities`: after every second try other priorities have their turn.
    pub other_priorities: bool,
}

/// `fault`.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Share in millionths, and the delay.
    pub delay: Option<(u32, Duration)>,
    /// Share in millionths, and what is answered.
    pub abort: Option<(u32, Abort)>,
}

/// What an injected abort answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abort {
    /// `httpStatus`.
    Http(u16),
    /// `grpcStatus`.
    Grpc(GrpcStatus),
}

/// `mirror`.
#[derive(Clone, Debug)]
pub struct Mirror {
    /// Where the copy goes.
    pub destination: Destination,
    /// Share in millionths.
    pub share: u32,
}

/// `corsPolicy`.
#[derive(Clone, Debug)]
pub struct Cors {
    /// `allowOrigins`.
    pub origins: Vec<StringMatch>,
    /// `allowMethods`, joined.
    pub methods: Arc<str>,
    /// `allowHeaders`, joined.
    pub headers: Arc<str>,
    /// `exposeHeaders`, joined.
    pub expose: Arc<str>,
    /// `maxAge`.
    pub max_age: Option<Duration>,
    /// `allowCredentials`.
    pub credentials: Option<bool>,
    /// `unmatchedPreflights: IGNORE`.
    pub ignore_unmatched: bool,
}
