//! From the command line to the exit code.

use std::fs;
use std::io::{self, Write};
use std::net::IpAddr;
use std::process::ExitCode;

use nix::sched::{CloneFlags, setns};

use crate::accounts::Accounts;
use crate::addresses;
use crate::apply::{self, ApplyError, ApplyOptions};
use crate::args::{Flags, Question, Request};
use crate::explain::{Origin, Packet, explain};
use crate::intent::{Backend, HostFacts, Intent, Ipv6, Output};
use crate::netlink::address::{Address, LOOPBACK};
use crate::netlink::refusal::Refusal;
use crate::netlink::socket::{Socket, Subsystem};
use crate::plan::{PASS_THROUGH, plan};
use crate::probe::{Outcome, probe};
use crate::programs::Failure;
use crate::render;
use crate::routes::{self, Mark, Routing};
use crate::rules::{Protocol, RuleSet};
use crate::verify;

/// Runs the command of the process's command line, and returns the exit code that `--help` explains.
pub fn run() -> ExitCode {
    let result = match Request::from_process() {
        Ok(Request::Version) => print(&format!("egret-init {}", env!("CARGO_PKG_VERSION"))),
        Ok(Request::Cleanup(flags)) => clean_up(&flags),
        Ok(Request::Apply(flags)) => apply(&flags),
        Ok(Request::Verify(flags)) => verify(&flags),
        Ok(Request::Explain(flags, question)) => explain_packet(&flags, &question),
        Err(usage) => {
            // clap writes help to stdout and errors to stderr; when even that fails the error cannot be reported.
            let _ = usage.print();
            return if usage.use_stderr() {
                ExitCode::from(WRONG_USAGE)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => {
            for line in exit.lines {
                warn(&line);
            }
            ExitCode::from(exit.code)
        }
    }
}

const FAILED: u8 = 1;
const WRONG_USAGE: u8 = 2;
const LACKING: u8 = 3;
const DRIFTED: u8 = 4;
const INVALID: u8 = 126;

/// Why there is nothing more to do.
struct Exit {
    code: u8,
    /// The lines that report what went wrong.
    lines: Vec<String>,
}

impl Exit {
    fn new(code: u8, line: impl Into<String>) -> Self {
        Self {
            code,
            lines: vec![line.into()],
        }
    }
}

impl From<Refusal> for Exit {
    fn from(refusal: Refusal) -> Self {
        let code = if refusal.is_lack() { LACKING } else { FAILED };
        Self::new(code, refusal.to_string())
    }
}

impl From<ApplyError> for Exit {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Kernel(refusal) => refusal.into(),
            ApplyError::Neither { .. } | ApplyError::Programs(Failure::Missing(_)) => {
                Self::new(LACKING, error.to_string())
            }
            ApplyError::Programs(_) => Self::new(FAILED, error.to_string()),
        }
    }
}

/// The intent of the flags and its rules, with the state of the network namespace that they are for.
struct DesiredState {
    intent: Intent,
    rules: RuleSet,
    addresses: Vec<IpAddr>,
    /// Whether the loopback interface has `::6` already.
    has_pass_through: bool,
    /// To addresses and routes there.
    route: Socket,
}

impl DesiredState {
    fn new(flags: &Flags) -> Result<Self, Exit> {
        enter(&flags.network_namespace)?;
        let mut route = Socket::open(Subsystem::Route)?;
        let listed = routes::addresses(&mut route)?;
        let addresses = addresses::usable(listed.iter().map(|listed| listed.address));
        let pass_through = Address {
            interface: LOOPBACK,
            address: PASS_THROUGH.1.into(),
        };
        // Files are read only where the flags ask for what is in them.
        let accounts = if has_owner_names(flags) {
            Accounts::of_machine()
        } else {
            Accounts::default()
        };
        let resolv_conf = flags.redirect_dns.then(|| fs::read("/etc/resolv.conf"));
        let host = HostFacts {
            accounts,
            addresses: addresses.clone(),
            resolv_conf: resolv_conf
                .and_then(Result::ok)
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        };
        let intent = Intent::new(flags, &host).map_err(|problems| Exit {
            code: FAILED,
            lines: problems.iter().map(ToString::to_string).collect(),
        })?;
        let rules = plan(&intent);
        Ok(Self {
            intent,
            rules,
            addresses,
            has_pass_through: listed.contains(&pass_through),
            route,
        })
    }

    fn warn(&self) {
        for warning in self.intent.warnings() {
            warn(&format!("warning: {warning}"));
        }
    }
}

fn apply(flags: &Flags) -> Result<(), Exit> {
    let mut desired = DesiredState::new(flags)?;
    desired.warn();
    if flags.dry_run {
        return dry_run(flags, &desired.intent, &desired.rules);
    }
    if flags.skip_rule_apply {
        say("egret-init: nothing applied (--skip-rule-apply)");
    } else {
        let options = ApplyOptions {
            has_pass_through: desired.has_pass_through,
            force: flags.force_apply,
            marks: marks(flags),
        };
        let done = apply::apply(
            &mut desired.route,
            &desired.intent,
            &desired.rules,
            &options,
        )?;
        report(&done.removed, &done.warnings);
        let how = match (done.was_there, done.backend) {
            (true, _) => "are in place already",
            (false, Backend::Iptables) => "applied through iptables",
            (false, _) => "applied",
        };
        let DesiredState { intent, rules, .. } = &desired;
        say(&format!(
            "{intent}\negret-init: {} rules {how}",
            rules.rule_count()
        ));
    }
    if flags.run_validation {
        connect(&desired)?;
    }
    Ok(())
}

/// Whether users or groups are given by name; without `--proxy-uid`, the proxy's user is.
fn has_owner_names(flags: &Flags) -> bool {
    let owners = [
        &flags.proxy_uid,
        &flags.proxy_gid,
        &flags.owner_groups,
        &flags.owner_groups_exclude,
    ];
    let is_name = |byte: u8| !byte.is_ascii_digit() && !b",-*".contains(&byte);
    flags.proxy_uid.is_empty() || owners.iter().any(|owners| owners.bytes().any(is_name))
}

/// What istio-init may have marked with before: its own default, and the values of the flags, valid or not.
fn marks(flags: &Flags) -> Vec<Mark> {
    let number = |text: &str| match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    let from_flags = number(&flags.tproxy_mark).zip(number(&flags.tproxy_route_table));
    // The kernel's own tables hold routes of others.
    let from_flags = from_flags.filter(|(_, table)| !(253..=255).contains(table));
    [routes::ISTIO].into_iter().chain(from_flags).collect()
}

fn dry_run(flags: &Flags, intent: &Intent, rules: &RuleSet) -> Result<(), Exit> {
    let mut text = match intent.settings.output {
        Output::Nft => render::nftables::render(rules),
        Output::Iptables => render::iptables::render(rules),
    };
    let mut commands = Routing::desired(intent).commands();
    if intent.ipv6 == Ipv6::On {
        commands.push(format!(
            "ip -6 addr add {}/128 dev lo nodad",
            PASS_THROUGH.1
        ));
    }
    for command in commands {
        text.push_str(&format!("# besides: {command}\n"));
    }
    if !flags.dry_run_file.is_empty() {
        fs::write(&flags.dry_run_file, &text).map_err(|error| {
            Exit::new(
                FAILED,
                format!(
                    "cannot write DRY_RUN_FILE_PATH `{}`: {error}",
                    flags.dry_run_file
                ),
            )
        })?;
    }
    print(text.trim_end())
}

fn clean_up(flags: &Flags) -> Result<(), Exit> {
    enter(&flags.network_namespace)?;
    if flags.dry_run {
        return print(render::nftables::removal().trim_end());
    }
    // Flags that describe rules do not select those to remove, so bad values in them are no problem here.
    let binary = match flags.force_iptables_binary.as_str() {
        "legacy" => Some(crate::intent::Binary::Legacy),
        "nft" => Some(crate::intent::Binary::Nft),
        _ => None,
    };
    let mut route = Socket::open(Subsystem::Route)?;
    let done = apply::clean_up(&mut route, binary, &marks(flags))?;
    report(&done.removed, &done.warnings);
    say("egret-init: all rules removed");
    Ok(())
}

fn verify(flags: &Flags) -> Result<(), Exit> {
    let mut desired = DesiredState::new(flags)?;
    match verify::drift(
        &mut desired.route,
        &desired.intent,
        &desired.rules,
        &marks(flags),
    ) {
        Ok(drift) => {
            for warning in drift.warnings {
                warn(&format!("warning: {warning}"));
            }
            let lines = drift.differences.into_iter();
            let lines: Vec<String> = lines.map(|line| format!("drift: {line}")).collect();
            if !lines.is_empty() {
                let code = DRIFTED;
                return Err(Exit { code, lines });
            }
            say(&format!(
                "egret-init: all {} rules are in place",
                desired.rules.rule_count()
            ));
        }
        // Whoever may not read the rules may still see what they do.
        Err(refusal) if refusal.is_denied() => {
            warn(&format!(
                "warning: the rules are not compared, since reading them is {refusal}"
            ));
        }
        Err(refusal) => return Err(refusal.into()),
    }
    connect(&desired)
}

fn connect(desired: &DesiredState) -> Result<(), Exit> {
    let mut failed = Vec::new();
    for check in probe(&desired.intent, &desired.rules, &desired.addresses) {
        match check.outcome {
            Outcome::Failed(_) => failed.push(check.to_string()),
            Outcome::Passed | Outcome::Skipped(_) => say(&format!("egret-init: {check}")),
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    Err(Exit {
        code: INVALID,
        lines: failed,
    })
}

fn explain_packet(flags: &Flags, question: &Question) -> Result<(), Exit> {
    let DesiredState {
        rules, addresses, ..
    } = DesiredState::new(flags)?;
    let to = question.to.ip();
    let is_for_this_host = to.is_loopback() || addresses.contains(&to);
    let origin = match &question.from_interface {
        Some(name) => Origin::Interface(name.clone()),
        None => {
            let owner = question.uid.map(|uid| (uid, question.gid.unwrap_or(uid)));
            let through = question.through.clone();
            let through =
                through.unwrap_or_else(|| if is_for_this_host { "lo" } else { "" }.to_owned());
            Origin::Process { owner, through }
        }
    };
    let own = addresses
        .iter()
        .find(|address| address.is_ipv4() == to.is_ipv4());
    let packet = Packet {
        origin,
        protocol: Some(if question.udp {
            Protocol::Udp
        } else {
            Protocol::Tcp
        }),
        source: question.from.or(own.copied()).unwrap_or(to),
        destination: to,
        port: question.to.port(),
        is_for_this_host,
    };
    print(&explain(&rules, &packet).to_string())
}

/// Enters the network namespace that a path names; an empty path is this one.
fn enter(path: &str) -> Result<(), Exit> {
    if path.is_empty() {
        return Ok(());
    }
    let failed = |reason: &dyn std::fmt::Display| {
        Exit::new(
            FAILED,
            format!("--network-namespace: cannot enter `{path}`: {reason}"),
        )
    };
    let file = fs::File::open(path).map_err(|error| failed(&error))?;
    setns(file, CloneFlags::CLONE_NEWNET).map_err(|errno| failed(&errno))
}

fn report(removed: &[String], warnings: &[String]) {
    // Our own rules in iptables' tables are replaced like any others.
    for name in removed.iter().filter(|name| !name.contains("EGRET_")) {
        say(&format!(
            "egret-init: removed what an earlier program left behind: {name}"
        ));
    }
    for warning in warnings {
        warn(&format!("warning: {warning}"));
    }
}

/// Writes the output of a command.
fn print(text: &str) -> Result<(), Exit> {
    write_lines(text).map_err(|error| Exit::new(FAILED, format!("cannot write to stdout: {error}")))
}

/// Reports what was done. A closed output must not turn success into failure.
fn say(text: &str) {
    let _ = write_lines(text);
}

/// Lines and the end of the last one go out together, since each write may wake whoever collects the log.
fn write_lines(text: &str) -> io::Result<()> {
    io::stdout().write_all(format!("{text}\n").as_bytes())
}

fn warn(line: &str) {
    let _ = writeln!(io::stderr(), "egret-init: {line}");
}
