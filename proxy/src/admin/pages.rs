//! Which page answers which path.

use std::collections::BTreeSet;

use http::{Method, StatusCode};

use crate::admin::asked::Asked;
use crate::admin::page::{Page, Verb};
use crate::admin::state::Admin;
use crate::admin::{
    certs, clusters, config_dump, destinations, drain, explain, home, listeners, log_levels,
    memory, names, problems, routes, server_info, statistics, stats,
};
use crate::life::end::Command;

/// A page of the admin address.
#[derive(Debug)]
pub struct AdminPage {
    /// Its path.
    pub path: &'static str,
    /// What is done with it.
    pub verb: Verb,
    /// What it shows or does, for `/help` and the documentation.
    pub about: &'static str,
    /// How large it may grow.
    size: Size,
    render: fn(&Admin, Asked<'_>) -> Page,
}

/// How large a page may grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Size {
    /// It has always about the same size.
    Small,
    /// It grows with the configuration or with the calls, so that rendering and reading it may take long.
    Large,
}

impl AdminPage {
    const fn get(
        path: &'static str,
        about: &'static str,
        size: Size,
        render: fn(&Admin, Asked<'_>) -> Page,
    ) -> Self {
        Self {
            path,
            verb: Verb::Get,
            about,
            size,
            render,
        }
    }

    const fn post(
        path: &'static str,
        about: &'static str,
        render: fn(&Admin, Asked<'_>) -> Page,
    ) -> Self {
        Self {
            path,
            verb: Verb::Post,
            about,
            size: Size::Small,
            render,
        }
    }
}

/// All pages of the admin address, by path.
pub static PAGES: &[AdminPage] = &[
    AdminPage::get(
        "/",
        "a page for browsers: state, problems, and the destinations that were called; for a client that accepts \
         text/plain and no text/html, what /help shows",
        Size::Small,
        |_, asked| match asked.wants_text {
            true => help(),
            false => home::page(),
        },
    ),
    AdminPage::get(
        "/certs",
        "the certificates of TLS that is originated or terminated, as JSON",
        Size::Large,
        |admin, _| certs::page(admin),
    ),
    AdminPage::get(
        "/clusters",
        "clusters, their policies and endpoints; ?filter=REGEX selects by name",
        Size::Large,
        clusters::page,
    ),
    AdminPage::get(
        "/config_dump",
        "what was loaded, what is wrong with it, what it was compiled to; how many lines of the access log were written and \
         dropped",
        Size::Large,
        |admin, asked| config_dump::page(admin, asked.form),
    ),
    AdminPage::get(
        "/destinations",
        "every destination that was called, also those that were refused, as JSON; ?format=csv, ?q=PART of a name or address, \
         ?verdict=VERDICT, ?sort=calls|name|last|bytes, ?limit=1000",
        Size::Large,
        destinations::page,
    ),
    AdminPage::post(
        "/drain_listeners",
        "stop accepting; ?graceful asks clients to close first, ?inboundonly keeps outbound listeners",
        drain::page,
    ),
    AdminPage::get(
        "/explain",
        "how a call is decided, and why: /explain?to=1.2.3.4:443&protocol=tls&sni=a.com (also host, method, path, alpn, \
         header=name:value)",
        Size::Large,
        explain::page,
    ),
    AdminPage::get("/help", "this page", Size::Small, |_, _| help()),
    AdminPage::get(
        "/listeners",
        "what is listened on, and what is served there",
        Size::Large,
        |admin, asked| listeners::page(admin, asked.form),
    ),
    AdminPage::post(
        "/logging",
        "the loggers and their levels; ?level=LEVEL changes all, ?LOGGER=LEVEL one, ?paths=LOGGER:LEVEL,LOGGER:LEVEL several",
        log_levels::page,
    ),
    AdminPage::get(
        "/memory",
        "the memory of the process, as JSON",
        Size::Small,
        |_, _| memory::page(),
    ),
    AdminPage::get(
        "/names",
        "the names that captured DNS queries are answered for",
        Size::Large,
        |admin, asked| names::page(admin, asked.form),
    ),
    AdminPage::get(
        "/problems",
        "what is wrong with the configuration",
        Size::Large,
        |admin, asked| problems::page(admin, asked.form),
    ),
    AdminPage::post("/quitquitquit", "end now, with exit code 0", |_, _| {
        Page::order(Command::Quit)
    }),
    AdminPage::get(
        "/ready",
        "LIVE when ready, 503 otherwise",
        Size::Small,
        |admin, _| server_info::readiness(admin, "LIVE\n"),
    ),
    AdminPage::post(
        "/reopen_logs",
        "reopen the files of the access log",
        |_, _| Page::order(Command::ReopenLogs),
    ),
    AdminPage::get(
        "/routes",
        "the routes of each listener",
        Size::Large,
        |admin, asked| routes::page(admin, asked.form),
    ),
    AdminPage::get(
        "/runtime",
        "Envoy's runtime values: an empty JSON object, since there are none",
        Size::Small,
        |_, _| Page::json(&serde_json::json!({})),
    ),
    AdminPage::get(
        "/server_info",
        "version, state, uptime, workload, policy and configuration, as JSON",
        Size::Small,
        |admin, _| server_info::page(admin),
    ),
    AdminPage::get(
        "/stats",
        "all metrics as Envoy's text statistics; ?usedonly, ?filter=REGEX, ?format=text|json|html|prometheus",
        Size::Large,
        |admin, asked| statistics::page(admin, asked.query),
    ),
    AdminPage::get(
        "/stats/prometheus",
        "all metrics in Prometheus' text format",
        Size::Large,
        |admin, _| stats::prometheus(admin, &BTreeSet::new()),
    ),
];

/// Which requests the admin address answers, for the documentation of the pages. `admin::host` has the rule.
pub const HOST_RULE: &str = "\
A request must name the host `localhost`, `127.0.0.1` or `[::1]`, with any port, in `Host` and, where it has one, in `Origin`. Any other \
request, one without a `Host` among them, is answered 403. So a web page whose own name resolves to 127.0.0.1 (DNS rebinding) cannot read \
the pages. The one exception is `/ready`, for probes: it also answers a request without `Origin` whose `Host` is a name without a dot.";

/// Width of the paths in `/help`.
const PATH_WIDTH: usize = 18;

/// A line for each page: its path behind two blanks, then what it is about.
fn help() -> Page {
    let mut text = "egret-proxy admin pages (add ?format=json for programs)\n".to_owned();
    for page in PAGES {
        let post = match page.verb {
            Verb::Get => "",
            Verb::Post => " (POST)",
        };
        text.push_str(&format!(
            "  {:PATH_WIDTH$}{}{post}\n",
            page.path, page.about
        ));
    }
    Page::text(StatusCode::OK, text)
}

/// The page at a path.
fn at(path: &str) -> Option<&'static AdminPage> {
    PAGES.iter().find(|page| page.path == path)
}

/// Whether the page at a path may take long to render or to read.
pub(super) fn is_large(path: &str) -> bool {
    at(path).is_some_and(|page| page.size == Size::Large)
}

/// A page of the admin address.
pub(super) fn admin(admin: &Admin, method: &Method, path: &str, asked: Asked<'_>) -> Page {
    let Some(page) = at(path) else {
        return Page::not_found("/help names the pages");
    };
    if !page.verb.allows(method) {
        return Page::not_allowed(page.verb);
    }
    (page.render)(admin, asked)
}

/// A page of the metrics address.
pub(super) fn stats(admin: &Admin, method: &Method, path: &str) -> Page {
    match path {
        "/stats/prometheus" if Verb::Get.allows(method) => {
            stats::prometheus(admin, &BTreeSet::new())
        }
        "/stats/prometheus" => Page::not_allowed(Verb::Get),
        _ => Page::not_found("the page here is /stats/prometheus"),
    }
}

/// A page of the health address.
pub(super) fn health(admin: &Admin, method: &Method, path: &str) -> Page {
    match path {
        "/healthz/ready" if Verb::Get.allows(method) => Page {
            body: String::new(),
            ..server_info::readiness(admin, "")
        },
        "/healthz/ready" => Page::not_allowed(Verb::Get),
        _ => Page::not_found("the page here is /healthz/ready"),
    }
}
