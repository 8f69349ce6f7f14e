//! What follows from each cause, as one table.

use std::borrow::Cow;

use egret_config::decide::verdict::Refusal;

use crate::failure::Bad;
use crate::failure::Blame;
use crate::failure::Cause;
use crate::failure::Retry;
use crate::failure::Step;
use crate::failure::flags::Flag;

/// Blame, step, retry, status (0 for none), flag and details.
pub(super) struct Row(
    pub(super) Blame,
    pub(super) Step,
    pub(super) Retry,
    pub(super) u16,
    pub(super) Option<Flag>,
    pub(super) Cow<'static, str>,
);

pub(super) fn row(cause: &Cause) -> Row {
    use Blame::{Client, Policy, Proxy, Upstream};
    use Retry::{ByPolicy, Never, Safe};
    use Step::{Connect, Decide, Exchange, Read, Relay};

    const BEFORE: &str = "upstream_reset_before_response_started";
    let told = |why: &str| {
        Cow::Owned(format!(
            "{BEFORE}{{remote_connection_failure|{}}}",
            one_word(why)
        ))
    };
    let fixed = Cow::Borrowed;
    match cause {
        Cause::Refused(refusal) => match refusal {
            Refusal::Blackhole | Refusal::OwnListener => {
                Row(Policy, Decide, Never, 502, None, fixed("direct_response"))
            }
            Refusal::NoRoute => Row(
                Policy,
                Decide,
                Never,
                404,
                Some(Flag::NR),
                fixed("route_not_found"),
            ),
            Refusal::NoCluster(_) => Row(
                Policy,
                Decide,
                Never,
                503,
                Some(Flag::NC),
                fixed("cluster_not_found"),
            ),
            Refusal::NoChain => Row(
                Policy,
                Decide,
                Never,
                0,
                Some(Flag::NR),
                fixed("filter_chain_not_found"),
            ),
        },
        Cause::ClientGone => Row(
            Client,
            Relay,
            Never,
            0,
            Some(Flag::DC),
            fixed("downstream_remote_disconnect"),
        ),
        Cause::BadRequest(bad) => {
            let (flag, details) = match bad {
                Bad::Syntax => (Some(Flag::DPE), "http1.codec_error"),
                Bad::Framing => (
                    Some(Flag::DPE),
                    "http1.content_length_and_chunked_not_allowed",
                ),
                Bad::Scheme => (Some(Flag::DPE), "http1.invalid_scheme"),
                Bad::Host => (Some(Flag::DPE), "http.invalid_authority"),
                Bad::NoHost => (None, "missing_host_header"),
                Bad::Path => (None, "path_normalization_failed"),
            };
            Row(Client, Read, Never, 400, flag, fixed(details))
        }
        Cause::BadConnection => Row(
            Client,
            Read,
            Never,
            0,
            Some(Flag::DPE),
            fixed("codec_error"),
        ),
        Cause::ProxyHeader => Row(
            Client,
            Read,
            Never,
            0,
            Some(Flag::DPE),
            fixed("proxy_protocol_error"),
        ),
        Cause::UpgradeRefused => Row(Client, Read, Never, 403, None, fixed("upgrade_failed")),
        Cause::Insecure => Row(
            Client,
            Read,
            Never,
            403,
            Some(Flag::DPE),
            fixed("http1.https_url_on_plaintext_connection"),
        ),
        Cause::Coding => Row(
            Client,
            Read,
            Never,
            501,
            Some(Flag::DPE),
            fixed("http1.invalid_transfer_encoding"),
        ),
        Cause::TooLarge => Row(
            Client,
            Read,
            Never,
            431,
            Some(Flag::DPE),
            fixed("request_headers_too_large"),
        ),
        Cause::ClientTls => Row(
            Client,
            Read,
            Never,
            0,
            None,
            fixed("downstream_transport_failure"),
        ),
        Cause::NoEndpoint | Cause::NoAddress => Row(
            Upstream,
            Connect,
            ByPolicy,
            503,
            Some(Flag::UH),
            fixed("no_healthy_upstream"),
        ),
        Cause::Overflow => Row(
            Policy,
            Connect,
            Never,
            503,
            Some(Flag::UO),
            fixed("upstream_reset_before_response_started{overflow}"),
        ),
        Cause::Connect(why) => Row(Upstream, Connect, Safe, 503, Some(Flag::UF), told(why)),
        Cause::UpstreamTls(why) => Row(Upstream, Connect, Safe, 503, Some(Flag::UF), told(why)),
        Cause::ConnectTimeout => Row(
            Upstream,
            Connect,
            Safe,
            503,
            Some(Flag::UF),
            fixed("upstream_reset_before_response_started{connection_timeout}"),
        ),
        Cause::ResetBefore => Row(
            Upstream,
            Exchange,
            ByPolicy,
            503,
            Some(Flag::UC),
            fixed("upstream_reset_before_response_started{connection_termination}"),
        ),
        Cause::StreamRefused => Row(
            Upstream,
            Exchange,
            Safe,
            503,
            Some(Flag::UR),
            fixed("upstream_reset_before_response_started{remote_refused_stream_reset}"),
        ),
        Cause::StreamReset => Row(
            Upstream,
            Exchange,
            ByPolicy,
            503,
            Some(Flag::UR),
            fixed("upstream_reset_before_response_started{remote_reset}"),
        ),
        Cause::ResetAfter => Row(
            Upstream,
            Relay,
            Never,
            0,
            Some(Flag::UC),
            fixed("upstream_reset_after_response_started{connection_termination}"),
        ),
        Cause::StreamResetAfter => Row(
            Upstream,
            Relay,
            Never,
            0,
            Some(Flag::UR),
            fixed("upstream_reset_after_response_started{remote_reset}"),
        ),
        Cause::ProtocolAfter => Row(
            Upstream,
            Relay,
            Never,
            0,
            Some(Flag::UPE),
            fixed("upstream_reset_after_response_started{protocol_error}"),
        ),
        Cause::UpstreamProtocol => Row(
            Upstream,
            Exchange,
            ByPolicy,
            502,
            Some(Flag::UPE),
            fixed("upstream_reset_before_response_started{protocol_error}"),
        ),
        Cause::Timeout => Row(
            Upstream,
            Exchange,
            Never,
            504,
            Some(Flag::UT),
            fixed("response_timeout"),
        ),
        Cause::TryTimeout => Row(
            Upstream,
            Exchange,
            ByPolicy,
            504,
            Some(Flag::UT),
            fixed("upstream_per_try_timeout"),
        ),
        Cause::Idle => Row(
            Client,
            Relay,
            Never,
            504,
            Some(Flag::SI),
            fixed("stream_idle_timeout"),
        ),
        Cause::FaultAbort(status) => Row(
            Policy,
            Decide,
            Never,
            status.as_u16(),
            Some(Flag::FI),
            fixed("fault_filter_abort"),
        ),
        Cause::Drained => Row(Proxy, Relay, Never, 0, Some(Flag::LR), fixed("drained")),
        Cause::Overloaded => Row(Proxy, Read, Never, 503, Some(Flag::OM), fixed("overload")),
        Cause::Internal => Row(
            Proxy,
            Decide,
            Never,
            500,
            Some(Flag::LR),
            fixed("internal_error"),
        ),
    }
}

/// `RESPONSE_CODE_DETAILS` is one field of a line that is split at spaces.
fn one_word(text: &str) -> String {
    text.replace(
        |letter: char| letter.is_whitespace() || letter.is_control(),
        "_",
    )
}
