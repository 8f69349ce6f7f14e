//! The command line as clap reads it: every command and every flag with its help, made from the table of flags.
//!
//! Making all that takes longer than all the rest of a run, so lines of nothing but flags are read without it.

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};

use clap::builder::ValueParser;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command as Clap, value_parser};

use crate::args::flags::{FLAGS, Flag, Kind, go_bool};
use crate::args::question::Question;
use crate::args::typed::TypedFlags;

/// Reads a command line, program name first: the command's name, which is empty when none is given, what was typed for
/// the flags, and the packet to explain where that is the command.
///
/// # Errors
/// Wrong usage, and the calls for help, as clap's errors.
pub(super) fn read(
    arguments: Vec<OsString>,
) -> Result<(String, TypedFlags, Option<Question>), clap::Error> {
    let matches = command().try_get_matches_from(arguments)?;
    let mut typed = TypedFlags::default();
    add_typed(&mut typed, &matches);
    let Some((name, matches)) = matches.subcommand() else {
        return Ok((String::new(), typed, None));
    };
    // Flags may be in front of the command and behind it.
    add_typed(&mut typed, matches);
    let question = (name == "explain").then(|| question(matches));
    Ok((name.to_owned(), typed, question))
}

fn add_typed(typed: &mut TypedFlags, matches: &ArgMatches) {
    for flag in FLAGS {
        let known = matches.try_contains_id(flag.long).is_ok();
        if !known || matches.value_source(flag.long) != Some(ValueSource::CommandLine) {
            continue;
        }
        let value = match flag.kind {
            Kind::Switch => matches.get_one(flag.long).map(bool::to_string),
            _ => matches.get_one(flag.long).cloned(),
        };
        if let Some(value) = value {
            typed.add(flag, value);
        }
    }
}

fn command() -> Clap {
    flags_command()
        .subcommand(with_flags(
            Clap::new("cleanup")
                .about("Remove the rules, whatever flags they were made with")
                .after_help("Flags for the rules are accepted, so that the command line that made them can be used."),
            &["network-namespace", "backend", "force-iptables-binary"],
        ))
        .subcommand(with_flags(
            Clap::new("verify")
                .about("Compare the kernel's rules with those that the flags describe, and connect through the redirect")
                .after_help(OTHER_FLAGS),
            &["network-namespace", "iptables-probe-port", "probe-timeout"],
        ))
        .subcommand(with_flags(explain_command().after_help(OTHER_FLAGS), &[]))
        .subcommand(Clap::new("version").about("Print the version"))
}

/// The note in the help of commands that accept all flags.
const OTHER_FLAGS: &str =
    "All flags of `egret-init --help` are accepted, too: they state what the rules are.";

/// A command that takes all flags, of which its help shows a few.
fn with_flags(command: Clap, visible: &[&str]) -> Clap {
    let arguments = FLAGS.iter().map(|flag| {
        let is_shown = visible.contains(&flag.long);
        argument(flag).hide(!is_shown || flag.help.is_empty())
    });
    command.args_override_self(true).args(arguments)
}

fn flags_command() -> Clap {
    Clap::new("egret-init")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Redirects a pod's connections to the sidecar proxy.")
        .after_help(
            "Without a command the rules are applied; applying again replaces them.\n\
             Each flag's default comes from the environment variable named beside it, where that is set.\n\
             Also read: ENVOY_USER, ISTIO_OUTBOUND_OWNER_GROUPS, ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE, \
             ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR, DRY_RUN_FILE_PATH.\n\n\
             Exit codes: 0 done; 1 a flag has a bad value, or the kernel refused; 2 wrong usage; 3 the kernel lacks a \
             feature, which is named; 4 verify found other rules than wanted; 126 a connection did not go where the \
             rules send it. After 1, 2 and 3 everything is as it was.",
        )
        .args_override_self(true)
        .args(FLAGS.iter().map(argument))
}

fn explain_command() -> Clap {
    let value = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    Clap::new("explain")
        .about("Explain how a connection is handled under the rules that the flags describe, and which rule decides")
        .arg(
            value("uid", "UID", "The user of the process that connects")
                .value_parser(value_parser!(u32))
                .required_unless_present("from-interface"),
        )
        .arg(
            value("gid", "GID", "The group of the process that connects [default: as --uid]")
                .value_parser(value_parser!(u32)),
        )
        .arg(
            value("to", "IP:PORT", "Where it connects to; IPv6 addresses in brackets")
                .value_parser(value_parser!(SocketAddr))
                .required(true),
        )
        .arg(
            Arg::new("udp")
                .long("udp")
                .action(ArgAction::SetTrue)
                .help("A UDP datagram instead of a TCP connection"),
        )
        .arg(
            value("from", "IP", "The source address")
                .value_parser(value_parser!(IpAddr)),
        )
        .arg(
            value("from-interface", "NIC", "It arrives from this interface, rather than from a process here")
                .conflicts_with_all(["uid", "gid", "through"]),
        )
        .arg(value(
            "through",
            "NIC",
            "The interface it leaves through [default: lo to addresses of this host]",
        ))
}

fn question(matches: &ArgMatches) -> Question {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    Question {
        uid: matches.get_one("uid").copied(),
        gid: matches.get_one("gid").copied(),
        to: *matches.get_one("to").expect("clap requires it"),
        udp: matches.get_flag("udp"),
        from: matches.get_one("from").copied(),
        from_interface: text("from-interface"),
        through: text("through"),
    }
}

fn argument(flag: &Flag) -> Arg {
    let mut help = flag.help.to_owned();
    if !flag.environment.is_empty() {
        help = format!("{help} [env: {}]", flag.environment.join(", "));
    }
    let argument = syntax(flag)
        .hide(flag.help.is_empty())
        .help_heading(flag.is_own().then_some("egret's own flags"))
        .help(help);
    match flag.kind {
        Kind::Switch => argument.value_name("true|false").hide_possible_values(true),
        kind => argument
            .value_name("VALUE")
            .default_value(kind.default_text())
            .hide_default_value(kind.default_text().is_empty()),
    }
}

/// What decides how a flag is read.
fn syntax(flag: &Flag) -> Arg {
    let mut argument = Arg::new(flag.long).long(flag.long).action(ArgAction::Set);
    if let Some(short) = flag.short {
        argument = argument.short(short);
    }
    match flag.kind {
        Kind::Switch => argument
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .value_parser(ValueParser::from(go_bool)),
        _ => argument.allow_hyphen_values(true),
    }
}
