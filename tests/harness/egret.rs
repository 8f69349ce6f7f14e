//! egret's own programs in a pod: the redirect rules, and a proxy as sidecar or gateway.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::Value;

use crate::DEADLINE;
use crate::exposition::Exposition;
use crate::netns::Host;
use crate::process::{Finished, Process};
use crate::scrape;
use crate::scrape::Page;
use crate::seccomp;
use crate::topology::World;

/// The user that the proxy runs as; the redirect rules leave its traffic alone.
pub const PROXY_UID: u32 = 1337;

/// The proxy's admin address inside its pod.
pub const ADMIN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 15000);

/// Where the proxy's own metrics are, inside its pod.
pub const STATS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 15090);

/// Where the proxy serves what Istio's agent serves, inside its pod.
pub const AGENT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 15020);

/// The flags that Istio's injector gives its init container.
pub const INJECTED: [&str; 14] = [
    "-p",
    "15001",
    "-z",
    "15006",
    "-u",
    "1337",
    "-m",
    "REDIRECT",
    "-i",
    "*",
    "-b",
    "*",
    "-d",
    "15090,15021,15020",
];

/// Runs `egret-init` as root in a pod, with environment variables besides.
///
/// # Errors
/// When it cannot be run; not when it fails.
pub fn init(
    world: &World,
    pod: &Host,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> anyhow::Result<Finished> {
    let mut command = pod.command(0, &world.program("egret-init")?, arguments);
    command.envs(environment.iter().copied());
    Process::run(pod, command)
}

/// Runs `egret-init` in a pod and insists on its success.
///
/// # Errors
/// When it fails; carries what it said.
pub fn redirect(
    world: &World,
    pod: &Host,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> anyhow::Result<()> {
    let done = init(world, pod, arguments, environment)?;
    anyhow::ensure!(
        done.code == 0,
        "egret-init {arguments:?} ended with {}: {}{}",
        done.code,
        done.errors,
        done.output
    );
    Ok(())
}

/// How to start a proxy.
#[derive(Clone, Debug)]
pub struct Settings {
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    uid: u32,
    open_files: Option<u32>,
    filter: Option<PathBuf>,
}

impl Settings {
    /// A sidecar for a pod of `namespace`.
    #[must_use]
    pub fn sidecar(namespace: &str) -> Self {
        Self::new("sidecar").with(&["--namespace", namespace])
    }

    /// A gateway in `istio-system` whose pod has `labels`, written `k=v,…`.
    #[must_use]
    pub fn gateway(labels: &str) -> Self {
        Self::new("gateway").with(&["--namespace", "istio-system", "--labels", labels])
    }

    /// Adds `--config PATH`.
    #[must_use]
    pub fn config(self, path: &Path) -> Self {
        let path = path.display().to_string();
        self.with(&["--config", &path])
    }

    /// Adds `--pod-ip ADDRESS`.
    #[must_use]
    pub fn pod_ip(self, address: IpAddr) -> Self {
        let address = address.to_string();
        self.with(&["--pod-ip", &address])
    }

    /// Runs the proxy as another user than [`PROXY_UID`].
    #[must_use]
    pub fn uid(mut self, uid: u32) -> Self {
        self.uid = uid;
        self
    }

    /// Adds arguments as they are.
    #[must_use]
    pub fn with(mut self, arguments: &[&str]) -> Self {
        self.arguments
            .extend(arguments.iter().map(|&argument| argument.to_owned()));
        self
    }

    /// Sets a variable of the proxy's environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Limits the proxy's open files.
    #[must_use]
    pub fn open_files(self, limit: u32) -> Self {
        Self {
            open_files: Some(limit),
            ..self
        }
    }

    /// Runs the proxy under a filter of system calls, which [`seccomp::compile`] wrote to this file.
    #[must_use]
    pub fn filtered(self, filter: &Path) -> Self {
        Self {
            filter: Some(filter.to_owned()),
            ..self
        }
    }

    fn command(&self, world: &World, pod: &Host) -> anyhow::Result<Command> {
        let program = world.program("egret-proxy")?;
        let mut command = match (self.open_files, &self.filter) {
            (None, None) => pod.command(self.uid, &program, &self.arguments),
            (None, Some(filter)) => {
                let own = [program.display().to_string()];
                let own = [&own, &self.arguments[..]].concat();
                let (loader, arguments) = seccomp::under(filter, &own);
                pod.command(self.uid, loader, &arguments)
            }
            (Some(limit), _) => {
                let limited = [format!("--nofile={limit}"), program.display().to_string()];
                let arguments = [&limited, &self.arguments[..]].concat();
                pod.command(self.uid, Path::new("prlimit"), &arguments)
            }
        };
        let variables = self.environment.iter().map(|(name, value)| (name, value));
        command.envs(variables);
        Ok(command)
    }

    /// Runs the proxy to its end, for settings that it must refuse.
    ///
    /// # Errors
    /// When it cannot be run or does not end.
    pub fn refused(&self, world: &World, pod: &Host) -> anyhow::Result<Finished> {
        Process::run(pod, self.command(world, pod)?)
    }

    /// Starts the proxy in `pod` and waits until it says that it is ready.
    ///
    /// # Errors
    /// When it ends, or is not ready in time; carries what it said.
    pub fn start<'w>(&self, world: &World, pod: &'w Host) -> anyhow::Result<Proxy<'w>> {
        let log_file = world.logs().join(format!("{}.log", pod.name()));
        let command = self.command(world, pod)?;
        let process = Process::start(pod, command, Some(&log_file))?;
        let mut proxy = Proxy { pod, process };
        proxy.await_ready()?;
        Ok(proxy)
    }

    fn new(mode: &str) -> Self {
        Self {
            arguments: vec!["run".to_owned(), "--mode".to_owned(), mode.to_owned()],
            uid: PROXY_UID,
            environment: Vec::new(),
            open_files: None,
            filter: None,
        }
    }
}

/// A running proxy. Dropping it kills it.
#[derive(Debug)]
pub struct Proxy<'w> {
    pod: &'w Host,
    process: Process,
}

impl Deref for Proxy<'_> {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl Proxy<'_> {
    /// The access log so far: the lines of standard output that are JSON objects.
    #[must_use]
    pub fn access_log(&self) -> Vec<Value> {
        self.process
            .output
            .all()
            .iter()
            .filter_map(|line| access_line(line))
            .collect()
    }

    /// The first line of the access log, now or later, that `wanted` accepts.
    ///
    /// # Errors
    /// When none came in time; carries what the proxy said.
    pub fn await_access(&self, wanted: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        self.await_access_from(0, wanted)
    }

    /// As [`Self::await_access`], but only lines from position `start` of standard output on count.
    ///
    /// # Errors
    /// As [`Self::await_access`].
    pub fn await_access_from(
        &self,
        start: usize,
        wanted: impl Fn(&Value) -> bool,
    ) -> anyhow::Result<Value> {
        let line = self.process.output.await_from(start, |line| {
            access_line(line).is_some_and(|value| wanted(&value))
        });
        let line = line.with_context(|| {
            format!(
                "access log of {}:\n{}",
                self.pod.name(),
                self.process.everything()
            )
        })?;
        access_line(&line).context("the line was read before")
    }

    /// The first line of the proxy's log, now or later, that holds all of `words`.
    ///
    /// # Errors
    /// When none came in time; carries what the proxy said.
    pub fn await_log(&self, words: &[&str]) -> anyhow::Result<String> {
        let found = self
            .process
            .errors
            .await_one(|line| words.iter().all(|word| line.contains(word)));
        found.with_context(|| {
            format!(
                "a log line with {words:?} from {}:\n{}",
                self.pod.name(),
                self.process.everything()
            )
        })
    }

    /// A page of the admin port.
    ///
    /// # Errors
    /// When the proxy does not answer.
    pub fn page(&self, path: &str) -> anyhow::Result<Page> {
        scrape::get(self.pod, ADMIN, path)
    }

    /// A page of the admin port as JSON.
    ///
    /// # Errors
    /// When the proxy does not answer 200 with JSON.
    pub fn json(&self, path: &str) -> anyhow::Result<Value> {
        let page = self.page(&format!("{path}?format=json"))?;
        anyhow::ensure!(
            page.status == 200,
            "{path} answered {}: {}",
            page.status,
            page.body
        );
        serde_json::from_str(&page.body)
            .with_context(|| format!("{path} is not JSON: {}", page.body))
    }

    /// Waits until the text of an admin page is as `wanted`, for `limit` at most.
    ///
    /// # Errors
    /// When it never was; carries the page.
    pub fn await_page(
        &self,
        path: &str,
        limit: Duration,
        wanted: impl Fn(&str) -> bool,
    ) -> anyhow::Result<Page> {
        let end = Instant::now() + limit;
        loop {
            let known = self.process.errors.len();
            let page = self.page(path)?;
            if wanted(&page.body) {
                return Ok(page);
            }
            anyhow::ensure!(
                Instant::now() < end,
                "{path} did not become as expected in {limit:?}:\n{}\n{}",
                page.body,
                self.process.everything()
            );
            self.process.errors.await_growth(known, LOOK_AGAIN);
        }
    }

    /// Scrapes the metrics at an address of the pod until they are as `wanted`.
    ///
    /// # Errors
    /// When they break the format, or never were; carries what was scraped.
    pub fn await_metrics(
        &self,
        address: SocketAddr,
        wanted: impl Fn(&Exposition) -> bool,
    ) -> anyhow::Result<Exposition> {
        let end = Instant::now() + DEADLINE;
        loop {
            let known = self.process.errors.len();
            let page = scrape::get(self.pod, address, "/stats/prometheus")?;
            let scraped = Exposition::read(&page.body).map_err(anyhow::Error::msg)?;
            if wanted(&scraped) {
                return Ok(scraped);
            }
            anyhow::ensure!(
                Instant::now() < end,
                "the metrics did not become as expected:\n{}\n{}",
                page.body,
                self.process.everything()
            );
            self.process.errors.await_growth(known, LOOK_AGAIN);
        }
    }

    /// Sends SIGINT, which ends a proxy once nothing is in flight, and waits for the end; gives the exit code.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn terminate(mut self) -> anyhow::Result<i32> {
        self.process.signal(nix::sys::signal::Signal::SIGINT)?;
        Ok(self.process.wait()?.code().unwrap_or(-1))
    }

    /// Waits for the end that something else brings about; gives the exit code.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn await_end(mut self) -> anyhow::Result<i32> {
        Ok(self.process.wait()?.code().unwrap_or(-1))
    }

    fn await_ready(&mut self) -> anyhow::Result<()> {
        let end = Instant::now() + DEADLINE;
        loop {
            let known = self.process.errors.len();
            if self.page("/ready").is_ok_and(|page| page.status == 200) {
                return Ok(());
            }
            let ended = self.process.has_ended()?;
            anyhow::ensure!(
                !ended && Instant::now() < end,
                "egret-proxy in {} {}:\n{}",
                self.pod.name(),
                if ended { "ended" } else { "is not ready" },
                self.process.everything()
            );
            self.process.errors.await_growth(known, LOOK_AGAIN);
        }
    }
}

/// The one place where the harness looks again rather than being told: a proxy's page can change without a log
/// line, so a page is asked for at every log line and, without one, after this long.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

fn access_line(line: &str) -> Option<Value> {
    serde_json::from_str(line)
        .ok()
        .filter(|value: &Value| value.get("start_time").is_some())
}
