//! What formats, filters and tags ask of the facts of calls, so that nothing else is gathered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::{ArcSwapOption, Guard};
use egret_config::expression::{Attribute, Expression};
use egret_config::log_format::facts::Fact;
use egret_config::log_format::{
    Command, HeaderChoice, HeaderKey, HeaderSource, JsonFormat, Operator, Piece, Template,
    TextFormat,
};
use http::header::REFERER;

use crate::report::facts::{HeaderPlan, Part, Wanted, is_known_header};

/// What is asked of the facts of a call beyond what they always have.
#[derive(Clone, Debug, Default)]
pub struct Needs {
    /// Headers.
    pub headers: HeaderPlan,
    /// When what happened.
    pub times: bool,
    /// The reasons of the decision, as text.
    pub reasons: bool,
    /// The body of a response that egret makes itself.
    pub local_body: bool,
    /// Bytes on the connection to the endpoint.
    pub upstream_wire: bool,
}

impl Needs {
    /// Those of a text, too.
    pub fn add_text(&mut self, format: &TextFormat) {
        for piece in format.pieces() {
            if let Piece::Command(command) = piece {
                self.add(command);
            }
        }
    }

    /// Those of a JSON object, too.
    pub fn add_json(&mut self, format: &JsonFormat) {
        for (_, template) in format.entries() {
            self.add_template(template);
        }
    }

    fn add_template(&mut self, template: &Template) {
        match template {
            Template::Value(command) => self.add(command),
            Template::Text(text) => self.add_text(text),
            Template::Object(object) => self.add_json(object),
            Template::List(items) => items.iter().for_each(|item| self.add_template(item)),
            Template::Constant(_) => {}
        }
    }

    /// Those of an expression, too.
    pub fn add_expression(&mut self, expression: &Expression) {
        for attribute in expression.attributes() {
            let (part, name) = match attribute {
                Attribute::RequestReferer => (Part::Request, &REFERER),
                Attribute::RequestHeader(name) => (Part::Request, name),
                Attribute::ResponseHeader(name) => (Part::Response, name),
                Attribute::ResponseTrailer(name) => (Part::Trailers, name),
                _ => continue,
            };
            let wanted = Wanted {
                name: name.clone(),
                joined: true,
            };
            self.headers.add(part, wanted);
        }
    }

    fn add(&mut self, command: &Command) {
        match &command.operator {
            Operator::Fact(fact) => self.add_fact(*fact),
            Operator::Header(source, choice) => self.add_headers(*source, choice),
            Operator::HeaderWithoutQuery(choice) => self.add_headers(HeaderSource::Request, choice),
            Operator::CommonDuration { .. } => self.times = true,
            Operator::Coalesce(commands) => commands.iter().for_each(|command| self.add(command)),
            Operator::Cel { expression, .. } => self.add_expression(expression),
            Operator::Path { .. }
            | Operator::QueryParam(_)
            | Operator::QueryParams(_)
            | Operator::RequestedServerName(_)
            | Operator::ResponseCodeDetails { .. }
            | Operator::GrpcStatus(_)
            | Operator::Time { .. }
            | Operator::Ip { .. }
            | Operator::Environment(_) => {}
        }
    }

    fn add_fact(&mut self, fact: Fact) {
        match fact {
            Fact::RequestDuration
            | Fact::RequestTxDuration
            | Fact::ResponseDuration
            | Fact::ResponseTxDuration
            | Fact::UpstreamConnectionPoolReadyDuration => self.times = true,
            Fact::RequestHeadersBytes
            | Fact::ResponseHeadersBytes
            | Fact::ResponseTrailersBytes => {
                self.headers.sizes = true;
            }
            Fact::UpstreamWireBytesReceived
            | Fact::UpstreamWireBytesSent
            | Fact::UpstreamHeaderBytesReceived
            | Fact::UpstreamHeaderBytesSent => self.upstream_wire = true,
            Fact::LocalReplyBody => self.local_body = true,
            Fact::EgretReasons => self.reasons = true,
            _ => {}
        }
    }

    fn add_headers(&mut self, source: HeaderSource, choice: &HeaderChoice) {
        let part = match source {
            HeaderSource::Request | HeaderSource::OriginalRequest => Part::Request,
            HeaderSource::Response => Part::Response,
            HeaderSource::Trailers => Part::Trailers,
        };
        for key in choice.keys() {
            if let HeaderKey::Name(name) = key
                && !is_known_header(part, name)
            {
                let wanted = Wanted {
                    name: name.clone(),
                    joined: false,
                };
                self.headers.add(part, wanted);
            }
        }
    }
}

/// The needs in force. Workers look at them with each call, and share no lock.
#[derive(Debug, Default)]
pub struct NeedsInForce {
    headers: ArcSwapOption<HeaderPlan>,
    times: AtomicBool,
    reasons: AtomicBool,
    local_body: AtomicBool,
    upstream_wire: AtomicBool,
}

impl NeedsInForce {
    /// Puts needs into force, for calls from now on.
    pub fn set(&self, needs: &Needs) {
        let plan = (!needs.headers.is_empty()).then(|| Arc::new(needs.headers.clone()));
        let before = self.headers.load();
        if before.as_deref() != plan.as_deref() {
            self.headers.store(plan);
        }
        self.times.store(needs.times, Ordering::Relaxed);
        self.reasons.store(needs.reasons, Ordering::Relaxed);
        self.local_body.store(needs.local_body, Ordering::Relaxed);
        self.upstream_wire
            .store(needs.upstream_wire, Ordering::Relaxed);
    }

    /// The headers that are to be kept; none where nothing is asked for.
    pub fn headers(&self) -> Guard<Option<Arc<HeaderPlan>>> {
        self.headers.load()
    }

    /// Whether it counts when what happened.
    pub fn times(&self) -> bool {
        self.times.load(Ordering::Relaxed)
    }

    /// Whether the reasons of decisions count.
    pub fn reasons(&self) -> bool {
        self.reasons.load(Ordering::Relaxed)
    }

    /// Whether the bodies of local replies count.
    pub fn local_body(&self) -> bool {
        self.local_body.load(Ordering::Relaxed)
    }

    /// Whether bytes on connections to endpoints count.
    pub fn upstream_wire(&self) -> bool {
        self.upstream_wire.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use egret_config::log_format::defaults::{default_json, default_text};

    use super::*;

    fn needs(format: &str) -> Needs {
        let mut needs = Needs::default();
        needs.add_text(&TextFormat::parse(format).expect(format));
        needs
    }

    #[test]
    fn the_default_formats_need_nothing() {
        let mut all = Needs::default();
        all.add_text(&default_text(false));
        all.add_json(&default_json(false));
        assert!(all.headers.is_empty(), "{all:?}");
        assert!(
            !(all.times || all.reasons || all.local_body || all.upstream_wire),
            "{all:?}"
        );
        all.add_json(&default_json(true));
        assert!(all.reasons);
    }

    #[test]
    fn each_operator_needs_what_it_says() {
        let names = |wanted: &[Wanted]| -> Vec<String> {
            wanted
                .iter()
                .map(|wanted| format!("{}{}", wanted.name, if wanted.joined { "*" } else { "" }))
                .collect()
        };
        let all = needs(
            "%REQ(x-a?x-b)%%REQ(user-agent?:path)%%RESP(x-c):3%%TRAILER(x-d)%%REQ_WITHOUT_QUERY(x-e)%\
             %CEL(request.headers['x-f'] == 'a' || response.trailers['x-g'] != '')%\
             %COALESCE({\"operators\":[{\"command\":\"RESP\",\"param\":\"x-h\"}]})%",
        );
        assert_eq!(names(&all.headers.request), ["x-a", "x-b", "x-e", "x-f*"]);
        assert_eq!(names(&all.headers.response), ["x-c", "x-h"]);
        assert_eq!(names(&all.headers.trailers), ["x-d", "x-g*"]);
        assert!(needs("%REQUEST_DURATION%").times && needs("%COMMON_DURATION(X:Y)%").times);
        assert!(needs("%RESPONSE_TRAILERS_BYTES%").headers.sizes);
        assert!(needs("%UPSTREAM_WIRE_BYTES_SENT%").upstream_wire);
        assert!(needs("%LOCAL_REPLY_BODY%").local_body);
        assert!(needs("%EGRET_REASONS%").reasons);
    }

    #[test]
    fn the_same_plan_stays_in_force() {
        let in_force = NeedsInForce::default();
        assert!(in_force.headers().is_none());
        in_force.set(&needs("%REQ(x-a)%"));
        let first = in_force.headers().clone().expect("a plan");
        in_force.set(&needs("%DURATION% %REQ(x-a)%"));
        assert!(Arc::ptr_eq(
            &first,
            &in_force.headers().clone().expect("a plan")
        ));
        in_force.set(&Needs::default());
        assert!(in_force.headers().is_none());
    }
}
