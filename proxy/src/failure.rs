//! Why a call was not served: the cause, the step, and whether it may be tried again. Retry, response code, log flag
//! and message all come from this one value. The codes, flags and details are those of Envoy.

mod cause;
mod consequences;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use egret_config::decide::bad_request::BadRequest;
use egret_config::decide::local_reply::LocalReply;
use egret_config::decide::verdict::Refusal;
use http::StatusCode;

pub use crate::failure::cause::{Blame, Cause, ClientLimit, Retry, Step};
use crate::failure::consequences::{Consequences, consequences};

/// A call that was not served.
#[derive(Clone, Debug)]
pub struct Failure {
    cause: Cause,
    message: Cow<'static, str>,
    /// The message for the client, where it depends on the call.
    client_message: Option<Arc<str>>,
}

impl Failure {
    /// A failure with a longer message for the operator: names, addresses, the rule that applied. The message never
    /// reaches the client.
    pub fn new(cause: Cause, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            cause,
            message: message.into(),
            client_message: None,
        }
    }

    /// The same failure with a message for the client. The message must hold nothing that the client may not know.
    pub fn with_client_message(self, message: impl Into<Arc<str>>) -> Self {
        Self {
            client_message: Some(message.into()),
            ..self
        }
    }

    /// The message for the client, where it depends on the call.
    pub fn client_message(&self) -> Option<&str> {
        self.client_message.as_deref()
    }

    /// What went wrong.
    pub fn cause(&self) -> &Cause {
        &self.cause
    }

    /// The party that caused it.
    pub fn blame(&self) -> Blame {
        self.row().blame
    }

    /// Where in the walk it happened.
    pub fn step(&self) -> Step {
        self.row().step
    }

    /// Whether another attempt may be made.
    pub fn retry(&self) -> Retry {
        self.row().retry
    }

    /// What the caller and the access log get. The details are to be taken from [`Self::details`].
    pub fn reply(&self) -> LocalReply {
        self.row().reply
    }

    /// The status in the log; `None` when no response can be sent any more (logged as 0).
    pub fn status(&self) -> Option<StatusCode> {
        StatusCode::from_u16(self.reply().status).ok()
    }

    /// Envoy's `RESPONSE_CODE_DETAILS`: one word without spaces.
    pub fn details(&self) -> Cow<'static, str> {
        let row = self.row();
        let details = row.reply.details;
        match row.transport_failure.filter(|_| row.has_reason_in_details) {
            None => details.into(),
            Some(reason) => format!(
                "{details}{{remote_connection_failure|{}}}",
                one_word(reason)
            )
            .into(),
        }
    }

    /// What the access log shows as `UPSTREAM_TRANSPORT_FAILURE_REASON`.
    pub fn transport_failure(&self) -> Option<Arc<str>> {
        self.row().transport_failure.cloned()
    }

    /// Whether it ends the attempts of a byte stream, which makes only one.
    pub fn ends_attempts(&self) -> bool {
        self.row().ends_attempts
    }

    /// Whether a byte stream reports the reason as `CONNECTION_TERMINATION_DETAILS`.
    pub fn ends_connection(&self) -> bool {
        self.row().ends_connection
    }

    fn row(&self) -> Consequences<'_> {
        consequences(&self.cause)
    }
}

/// `RESPONSE_CODE_DETAILS` is one field of a line that is split at spaces.
fn one_word(text: &str) -> String {
    text.replace(
        |letter: char| letter.is_whitespace() || letter.is_control(),
        "_",
    )
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let message = refusal.message();
        Self::new(Cause::Refused(refusal), message)
    }
}

impl From<ClientLimit> for Failure {
    fn from(limit: ClientLimit) -> Self {
        let message = match limit {
            ClientLimit::Connections => "as many connections as --max-connections allows",
            ClientLimit::SourceConnections => {
                "as many connections of this source as --max-connections-per-source allows"
            }
            ClientLimit::Requests => "as many requests in flight as --max-requests allows",
        };
        Self::new(Cause::ClientLimit(limit), message)
    }
}

impl From<BadRequest> for Failure {
    fn from(bad: BadRequest) -> Self {
        Self::new(Cause::BadRequest(bad.kind), bad.message)
    }
}

#[cfg(test)]
mod tests;
