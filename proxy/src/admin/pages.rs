//! Which page answers which path.

use std::collections::BTreeSet;

use egret_config::snapshot::workload::Mode;
use http::{Method, StatusCode};
use jiff::Timestamp;
use serde_json::json;

use crate::admin::page::{Form, Page};
use crate::admin::query::Query;
use crate::admin::state::Admin;
use crate::admin::{clusters, config_dump, listeners, names, routes, statistics, stats};
use crate::commands::explain::{Output, live};
use crate::life::drain::Phase;
use crate::life::end::Command;

/// The help page: a line for each page, its path behind two blanks.
pub const HELP: &str = "\
egret-proxy admin pages (add ?format=json for programs)
  /clusters         clusters, their policies and endpoints
  /config_dump      what was loaded, what is wrong with it, what it was compiled to;
                    how many lines of the access log were written and dropped
  /drain_listeners  stop accepting (POST); ?graceful asks clients to close first, ?inboundonly keeps outbound listeners
  /explain          how a call is decided, and why: /explain?to=1.2.3.4:443&protocol=tls&sni=a.com
                    (also host, method, path, alpn, header=name:value)
  /help             this page
  /listeners        what is listened on, and what is served there
  /names            the names that captured DNS queries are answered for
  /quitquitquit     end now, with exit code 0 (POST)
  /ready            LIVE when ready, 503 otherwise
  /reopen_logs      reopen the files of the access log (POST)
  /routes           the routes of each listener
  /server_info      version, state, uptime
  /stats            all metrics as Envoy's text statistics; ?usedonly, ?filter=REGEX, ?format=text|json|html|prometheus
  /stats/prometheus all metrics in Prometheus' text format
";

/// Which requests the admin address answers, for the documentation of the pages. `admin::host` has the rule.
pub const HOST_RULE: &str = "\
A request must name the host `localhost`, `127.0.0.1` or `[::1]`, with any port, in `Host` and, where it has one, in `Origin`. Any other \
request, one without a `Host` among them, is answered 403. So a web page whose own name resolves to 127.0.0.1 (DNS rebinding) cannot read \
the pages. The one exception is `/ready`, for probes: it also answers a request without `Origin` whose `Host` is a name without a dot.";

/// Whether the page grows with the configuration, so that rendering and reading it may take long.
pub(super) fn is_large(path: &str) -> bool {
    matches!(
        path,
        "/clusters"
            | "/config_dump"
            | "/explain"
            | "/listeners"
            | "/names"
            | "/routes"
            | "/stats"
            | "/stats/prometheus"
    )
}

/// A page of the admin address.
pub(super) fn admin(admin: &Admin, method: &Method, path: &str, query: Option<&str>) -> Page {
    match path {
        "/quitquitquit" => return Page::order(method, Command::Quit),
        "/reopen_logs" => return Page::order(method, Command::ReopenLogs),
        "/drain_listeners" => return Page::order(method, drain_listeners(query)),
        "/explain" if matches!(*method, Method::GET | Method::HEAD) => {
            return explain(admin, query.unwrap_or_default());
        }
        "/explain" => return Page::not_allowed("GET"),
        "/stats" if matches!(*method, Method::GET | Method::HEAD) => {
            return statistics::page(admin, Query::new(query));
        }
        "/stats" => return Page::not_allowed("GET"),
        _ => {}
    }
    let page: fn(&Admin, Form) -> Page = match path {
        "/" | "/help" => |_, _| Page::text(StatusCode::OK, HELP),
        "/ready" => |admin, _| readiness(admin, "LIVE\n"),
        "/server_info" => |admin, _| server_info(admin),
        "/config_dump" => config_dump::page,
        "/listeners" => listeners::page,
        "/clusters" => clusters::page,
        "/names" => names::page,
        "/routes" => routes::page,
        "/stats/prometheus" => |admin, _| stats::prometheus(admin, &BTreeSet::new()),
        _ => return Page::not_found("/help names the pages"),
    };
    match *method {
        Method::GET | Method::HEAD => page(admin, Form::asked(query)),
        _ => Page::not_allowed("GET"),
    }
}

/// A page of the metrics address.
pub(super) fn stats(admin: &Admin, method: &Method, path: &str) -> Page {
    match (path, method) {
        ("/stats/prometheus", &Method::GET | &Method::HEAD) => {
            stats::prometheus(admin, &BTreeSet::new())
        }
        ("/stats/prometheus", _) => Page::not_allowed("GET"),
        _ => Page::not_found("the page here is /stats/prometheus"),
    }
}

/// A page of the health address.
pub(super) fn health(admin: &Admin, method: &Method, path: &str) -> Page {
    match (path, method) {
        ("/healthz/ready", &Method::GET | &Method::HEAD) => Page {
            body: String::new(),
            ..readiness(admin, "")
        },
        ("/healthz/ready", _) => Page::not_allowed("GET"),
        _ => Page::not_found("the page here is /healthz/ready"),
    }
}

fn readiness(admin: &Admin, good: &str) -> Page {
    match state(admin) {
        "LIVE" => Page::text(StatusCode::OK, good),
        other => {
            let mut body = format!("{other}\n");
            for missing in admin.ready.missing() {
                body.push_str(&format!("waiting for {missing}\n"));
            }
            Page::text(StatusCode::SERVICE_UNAVAILABLE, body)
        }
    }
}

/// Envoy's `/drain_listeners`, with `graceful` and `inboundonly` in its query.
fn drain_listeners(query: Option<&str>) -> Command {
    let asks = |word| {
        let mut parts = query.unwrap_or_default().split('&');
        parts.any(|part| part == word || part.strip_suffix('=') == Some(word))
    };
    Command::DrainListeners {
        graceful: asks("graceful"),
        inbound_only: asks("inboundonly"),
    }
}

fn explain(admin: &Admin, query: &str) -> Page {
    let snapshot = admin.current.load();
    let (output, content_type) = match Form::asked(Some(query)) {
        Form::Text => (Output::Text, Page::TEXT),
        Form::Json => (Output::Json, Page::JSON),
    };
    let names = |name: &str| admin.names.facts(name);
    let loaded = admin.status.state().loaded;
    let services = loaded.as_ref().map_or(&[][..], |loaded| &loaded.services);
    match live::explain(&snapshot, &names, query, output, services) {
        Ok(body) => Page {
            content_type,
            ..Page::text(StatusCode::OK, body)
        },
        Err(wrong) => Page::text(
            StatusCode::BAD_REQUEST,
            format!("{wrong}; /help has an example\n"),
        ),
    }
}

/// The state in Envoy's words.
fn state(admin: &Admin) -> &'static str {
    if admin.drain.phase() != Phase::Running {
        "DRAINING"
    } else if admin.ready.is_ready() {
        "LIVE"
    } else {
        "PRE_INITIALIZING"
    }
}

fn server_info(admin: &Admin) -> Page {
    let workload = &admin.current.load().workload;
    let labels: serde_json::Map<_, _> = workload
        .labels
        .0
        .iter()
        .map(|(key, value)| (key.to_string(), json!(**value)))
        .collect();
    Page::json(&json!({
        "version": env!("CARGO_PKG_VERSION"),
        "state": state(admin),
        "mode": mode(workload.mode),
        "namespace": *workload.namespace,
        "labels": labels,
        "pod_ips": workload.addresses,
        "threads": admin.threads,
        "pid": std::process::id(),
        "started": admin.started.to_string(),
        "uptime_seconds": Timestamp::now().duration_since(admin.started).as_secs(),
    }))
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Sidecar => "sidecar",
        Mode::Gateway => "gateway",
    }
}
