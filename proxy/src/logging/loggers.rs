//! Loggers by name, and the modules that log for them.

/// A logger.
#[derive(Clone, Copy, Debug)]
pub struct Logger {
    /// Its name.
    pub name: &'static str,
    /// The modules that log for it, with those below them. No module belongs to two loggers.
    pub modules: &'static [&'static str],
}

impl Logger {
    /// Whether a module is one of its own, or below one.
    pub fn has(&self, module: &str) -> bool {
        self.modules.iter().any(|own| {
            let rest = module.strip_prefix(own);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        })
    }
}

/// All loggers, by name. `main` has what no other logger has.
pub const LOGGERS: [Logger; 10] = [
    Logger {
        name: "accept",
        modules: &["egret_proxy::listen"],
    },
    Logger {
        name: "admin",
        modules: &["egret_proxy::admin"],
    },
    Logger {
        name: "dns",
        modules: &["egret_proxy::dns"],
    },
    Logger {
        name: "http",
        modules: &["egret_proxy::http"],
    },
    Logger {
        name: "main",
        modules: &["egret_proxy"],
    },
    Logger {
        name: "report",
        modules: &["egret_proxy::report"],
    },
    Logger {
        name: "source",
        modules: &["egret_proxy::source"],
    },
    Logger {
        name: "tcp",
        modules: &[
            "egret_proxy::connection",
            "egret_proxy::relay",
            "egret_proxy::sniff",
        ],
    },
    Logger {
        name: "tls",
        modules: &["egret_proxy::tls"],
    },
    Logger {
        name: "upstream",
        modules: &[
            "egret_proxy::upstream",
            "egret_proxy::client",
            "egret_proxy::dial",
        ],
    },
];

/// Envoy's names for the same modules.
const ALIASES: [(&str, &[&str]); 5] = [
    ("config", &["egret_proxy::source"]),
    ("conn_handler", &["egret_proxy::listen"]),
    (
        "connection",
        &["egret_proxy::connection", "egret_proxy::listen"],
    ),
    ("pool", &["egret_proxy::client"]),
    ("router", &["egret_proxy::http"]),
];

/// Names of levels, Envoy's and Istio's among them, and what they are for `tracing`.
pub const LEVEL_NAMES: [(&str, &str); 10] = [
    ("trace", "trace"),
    ("debug", "debug"),
    ("info", "info"),
    ("warning", "warn"),
    ("warn", "warn"),
    ("error", "error"),
    ("critical", "error"),
    ("fatal", "error"),
    ("off", "off"),
    ("none", "off"),
];

/// The modules of a logger, by its name or Envoy's for it; `None` where there is no such logger.
pub fn modules(name: &str) -> Option<&'static [&'static str]> {
    let logger = LOGGERS.iter().find(|logger| logger.name == name);
    let alias = || ALIASES.iter().find(|(alias, _)| *alias == name);
    logger
        .map(|logger| logger.modules)
        .or_else(|| alias().map(|(_, modules)| *modules))
}
