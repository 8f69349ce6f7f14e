use std::sync::Mutex;

use egret_config::log_format::TextFormat;
use http::{HeaderName, Request, StatusCode};

use super::*;

/// What a sink was given of a call.
#[derive(Debug, PartialEq, Eq)]
struct Reported {
    end: Option<End>,
    flags: String,
    details: Option<String>,
    received: u64,
    sent: u64,
    reasons: Option<String>,
}

#[derive(Debug, Default)]
struct Recorder {
    reported: Mutex<Vec<Reported>>,
}

impl Sink for Recorder {
    fn report(&self, facts: &Facts) {
        self.reported.lock().expect("lock").push(Reported {
            end: facts.end,
            flags: facts.flags.to_string(),
            details: facts.response.details.as_deref().map(str::to_owned),
            received: facts.bytes_received,
            sent: facts.bytes_sent,
            reasons: facts.decision.reasons.as_deref().map(str::to_owned),
        });
    }
}

/// What each of two sinks is given of a call; both get the same.
fn reported(call: impl Fn(FactsGuard)) -> Vec<Reported> {
    let sinks = [Arc::new(Recorder::default()), Arc::new(Recorder::default())];
    let reporter = Reporter::new(sinks.clone().map(|sink| sink as Arc<dyn Sink>));
    call(reporter.begin());
    let [first, second] =
        sinks.map(|sink| std::mem::take(&mut *sink.reported.lock().expect("lock")));
    assert_eq!(first, second);
    first
}

fn set_request(facts: &mut FactsGuard) {
    facts.set_request(&Request::get("/").body(()).expect("request"));
}

#[derive(Debug)]
struct Reset(Option<StreamReset>);

impl ResetState for Reset {
    fn reset(&self) -> Option<StreamReset> {
        self.0
    }
}

#[derive(Debug)]
struct FourBytes;

impl ByteCounter for FourBytes {
    fn bytes(&self) -> u64 {
        4
    }
}

#[test]
fn a_call_that_ends_is_reported_once_to_every_sink() {
    let reported = reported(|mut facts| {
        set_request(&mut facts);
        facts.set_response(StatusCode::OK, "via_upstream");
        facts.watch_body(Some(Rc::new(FourBytes)));
        facts.bytes_received = 8;
        facts.bytes_sent = 16;
        facts.end();
    });
    let expected = Reported {
        end: Some(End::Complete),
        flags: "-".to_owned(),
        details: Some("via_upstream".to_owned()),
        received: 8,
        sent: 16,
        reasons: None,
    };
    assert_eq!(reported, [expected]);
}

#[test]
fn a_dropped_request_was_left_by_its_client() {
    for (reset, flags, details) in [
        (None, "DC", "downstream_remote_disconnect"),
        (Some(StreamReset::Client), "DR", "http2.remote_reset"),
        (
            Some(StreamReset::ProtocolError),
            "DPE",
            "http2.remote_reset",
        ),
    ] {
        let reported = reported(|mut facts| {
            set_request(&mut facts);
            facts.watch_stream(Arc::new(Reset(reset)));
            facts.watch_body(Some(Rc::new(FourBytes)));
            // Whatever is known about the response, the client did not get it.
            facts.set_response(StatusCode::OK, "via_upstream");
        });
        let expected = Reported {
            end: Some(End::ClientLeft),
            flags: flags.to_owned(),
            details: Some(details.to_owned()),
            received: 4,
            sent: 0,
            reasons: None,
        };
        assert_eq!(reported, [expected]);
    }
}

#[test]
fn bytes_of_a_response_that_no_client_got_do_not_count() {
    let reported = reported(|mut facts| {
        set_request(&mut facts);
        facts.bytes_sent = 16;
        facts.end();
    });
    assert_eq!(reported[0].sent, 0);
}

#[test]
fn a_dismissed_connection_is_not_reported() {
    assert_eq!(reported(|mut facts| facts.dismiss()), []);
}

#[test]
fn reasons_are_text_only_where_they_are_required() {
    for (reasons, expected) in [(false, None), (true, Some("policy=ALLOW_ANY".to_owned()))] {
        let sink = Arc::new(Recorder::default());
        let reporter = Reporter::new([sink.clone() as Arc<dyn Sink>]);
        reporter.require(&Needs {
            reasons,
            ..Needs::default()
        });
        let mut facts = reporter.begin();
        facts.set_reasons(&"policy=ALLOW_ANY");
        facts.end();
        assert_eq!(sink.reported.lock().expect("lock")[0].reasons, expected);
    }
}

#[test]
fn what_is_not_required_is_not_gathered() {
    let reporter = Reporter::new([]);
    let mut headers = HeaderMap::new();
    headers.insert("x-a", "1".parse().expect("a value"));
    let mut facts = reporter.begin();
    facts.keep_headers(Part::Request, &headers);
    facts.reached(TimePoint::UpstreamSendBegin);
    assert!(facts.captured.is_none() && facts.times.is_none());
    let mut needs = Needs {
        times: true,
        ..Needs::default()
    };
    needs.add_text(&TextFormat::parse("%REQ(x-a)%").expect("a format"));
    // A worker's reporter follows the one that it was made of.
    let of_worker = reporter.with(Arc::new(Recorder::default()));
    reporter.require(&needs);
    let mut facts = of_worker.begin();
    facts.keep_headers(Part::Request, &headers);
    facts.reached(TimePoint::UpstreamSendBegin);
    let captured = facts.captured.as_ref().expect("kept");
    let name = HeaderName::from_static("x-a");
    assert_eq!(
        captured.get(Part::Request, &name, false).expect("kept"),
        "1"
    );
    let times = facts.times.as_ref().expect("gathered");
    assert!(times.get(TimePoint::UpstreamSendBegin).is_some());
}
