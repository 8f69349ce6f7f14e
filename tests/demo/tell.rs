//! What the demo prints.

use std::io::{IsTerminal, Write};

use egret_tests::places::{EGRESS_GATEWAY, Located, SLEEP};
use serde_json::Value;

use crate::stage::{Call, Stage};

/// Writes to standard output, in colour on a terminal.
pub(crate) struct Teller {
    colour: bool,
}

/// Header fields of an answer that the stories are about.
const TELLING: [&str; 3] = ["location", "server", "x-envoy-upstream-service-time"];

impl Teller {
    /// Looks at standard output once.
    pub(crate) fn new() -> Self {
        Self {
            colour: std::io::stdout().is_terminal(),
        }
    }

    /// A plain line.
    pub(crate) fn line(&self, text: &str) {
        // A reader who went away needs no more lines.
        let _ = writeln!(std::io::stdout(), "{text}");
    }

    /// The title of a part.
    pub(crate) fn title(&self, text: &str) {
        self.line(&format!("\n{}", self.paint("1", &format!("=== {text}"))));
    }

    /// The title of a step.
    pub(crate) fn step(&self, text: &str) {
        self.line(&format!("\n{}", self.paint("1;36", &format!("--- {text}"))));
    }

    /// What was done before the call.
    pub(crate) fn change(&self, text: &str) {
        self.line(&format!("  change      {text}"));
    }

    /// A call: the command, the answer, and whom the origin saw.
    pub(crate) fn call(&self, pod: &str, call: &Call) {
        let answer = &call.answer;
        self.line(&format!("  {pod} $ {}", self.paint("1", &answer.command)));
        if answer.status == 0 {
            self.line(&format!(
                "    {} (curl's exit code {})",
                answer.errors.trim(),
                answer.exit
            ));
        } else {
            self.line(&format!("    {}", answer.status_line));
        }
        for (name, value) in answer
            .headers
            .iter()
            .filter(|(name, _)| TELLING.contains(&name.as_str()))
        {
            self.line(&format!("    {name}: {value}"));
        }
        for line in answer.body.lines().take(3) {
            self.line(&format!("    {line}"));
        }
        let origin = call.seen.as_ref().map_or_else(
            || "nothing".to_owned(),
            |seen| {
                let tls = seen.sni.as_ref().map_or_else(
                    || "in the clear".to_owned(),
                    |sni| format!("TLS with SNI {sni}"),
                );
                format!(
                    "{} {} for {} from {}, {tls}",
                    seen.method,
                    seen.target,
                    seen.host,
                    seen.peer.ip()
                )
            },
        );
        self.line(&format!("  origin saw  {origin}"));
    }

    /// An access-log line of `whom`.
    pub(crate) fn access(&self, whom: &str, line: &Value) {
        self.line(&format!("  access log  {whom}: {line}"));
    }

    /// Some lines of an admin page.
    pub(crate) fn page(&self, path: &str, lines: &[&str]) {
        self.line(&format!("  GET {path}"));
        lines
            .iter()
            .for_each(|line| self.line(&format!("    {line}")));
    }

    /// Whether the step was as expected.
    pub(crate) fn verdict(&self, as_expected: bool, expectation: &str) {
        let (colour, word) = if as_expected {
            ("32", "as expected")
        } else {
            ("1;31", "NOT AS EXPECTED")
        };
        self.line(&format!("  {}: {expectation}", self.paint(colour, word)));
    }

    /// Who is where.
    pub(crate) fn world(&self, stage: &Stage<'_>) -> anyhow::Result<()> {
        let listeners = stage.gateway.page("/ready")?;
        self.line(&format!(
            "  sleep                pod {}, egret-init has run, egret-proxy as sidecar (uid 1337)",
            SLEEP.v4()
        ));
        self.line(&format!(
            "  istio-egressgateway  pod {}, egret-proxy as gateway (uid 1337), {}",
            EGRESS_GATEWAY.v4(),
            listeners.body.trim().to_lowercase()
        ));
        self.line("  the internet         DNS at 198.51.100.53, aliyun.com at .10, edition.cnn.com at .14");
        self.line(&format!(
            "  configuration        {}",
            stage.config.path().display()
        ));
        Ok(())
    }

    /// How to look around in a world that stays up.
    pub(crate) fn cheat_sheet(&self, stage: &Stage<'_>) {
        let user = if nix::unistd::Uid::effective().is_root()
            && std::env::var_os("EGRET_TESTS_UNSHARED").is_some()
        {
            " -U --preserve-credentials"
        } else {
            ""
        };
        let enter = |id: u32| format!("nsenter -t {id}{user} -n -m");
        let (sleep, gateway) = (enter(stage.sidecar.id()), enter(stage.gateway.id()));
        self.title("The world stays up until Ctrl-C");
        for (what, how) in [
            ("a shell in the pod", sleep.clone()),
            (
                "call as the application",
                format!("{sleep} curl -I aliyun.com"),
            ),
            (
                "TLS from the gateway",
                format!("{sleep} curl http://edition.cnn.com/politics"),
            ),
            ("refused", format!("{sleep} curl -I http://httpbin.org")),
            (
                "the sidecar's admin port",
                format!("{sleep} curl http://127.0.0.1:15000/config_dump"),
            ),
            (
                "the gateway's admin port",
                format!("{gateway} curl http://127.0.0.1:15000/routes"),
            ),
            (
                "change the configuration",
                format!("edit files in {}", stage.config.path().display()),
            ),
            (
                "logs of both proxies",
                format!("tail -f {}/*.log", stage.set.world.logs().display()),
            ),
        ] {
            self.line(&format!("  {what:26} {how}"));
        }
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.colour {
            format!("\x1b[{colour}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}
