//! `egret-proxy`: run | explain | check | inject | uninject | wait | version.

use std::io::Write;
use std::panic::PanicHookInfo;
use std::process::ExitCode;
use std::sync::Arc;
use std::{io, panic, thread};

use egret_proxy::args::Command;
use egret_proxy::commands::{check, explain, inject, wait};
use egret_proxy::logging::LogLevels;
use egret_proxy::settings::{Log, LogFormat};
use egret_proxy::{app, args};
use libmimalloc_sys as _;
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{fmt, reload};

/// Exit code of a start that failed, and of a configuration with errors.
const FAILED: u8 = 1;

/// Exit code of wrong usage, of files that cannot be read among it when they are all that is asked for.
const WRONG_USAGE: u8 = 2;

fn main() -> ExitCode {
    let (settings, log) = match args::read(std::env::args_os(), args::environment) {
        Ok(Command::Run(settings, log)) => (settings, *log),
        Ok(Command::Explain(options)) => {
            let mut out = io::BufWriter::new(io::stdout().lock());
            return exit_code(
                explain::run(&options, &mut out, &mut io::stderr()),
                WRONG_USAGE,
            );
        }
        Ok(Command::Check(options)) => {
            return exit_code(check::run(&options, &mut io::stdout().lock()), FAILED);
        }
        Ok(Command::Inject(options)) => {
            let mut streams = inject::Streams {
                input: &mut io::stdin(),
                out: &mut io::stdout(),
                err: &mut io::stderr(),
                is_terminal: io::IsTerminal::is_terminal(&io::stderr()),
            };
            return exit_code(inject::run(&options, &mut streams), FAILED);
        }
        Ok(Command::Wait(options)) => {
            return match wait::run(&options) {
                Ok(()) => ExitCode::SUCCESS,
                Err(message) => {
                    let _ = writeln!(io::stderr(), "egret-proxy: {message}");
                    ExitCode::from(FAILED)
                }
            };
        }
        Ok(Command::Version) => {
            // A closed standard output is its reader's business.
            let _ = writeln!(io::stdout(), "egret-proxy {}", env!("CARGO_PKG_VERSION"));
            return ExitCode::SUCCESS;
        }
        Err(usage) => {
            let _ = usage.print();
            return if usage.exit_code() == 0 {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(WRONG_USAGE)
            };
        }
    };
    let log_levels = Arc::new(start_log(log));
    panic::set_hook(Box::new(log_panic));
    match app::run(&settings, log_levels) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "egret-proxy: {error}");
            ExitCode::from(FAILED)
        }
    }
}

/// The exit code of a command that reports: `otherwise` when there are problems.
fn exit_code(result: Result<bool, String>, otherwise: u8) -> ExitCode {
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(otherwise),
        Err(message) => {
            let _ = writeln!(io::stderr(), "egret-proxy: {message}");
            ExitCode::from(WRONG_USAGE)
        }
    }
}

/// Starts the log, and gives what changes its levels.
fn start_log(log: Log) -> LogLevels {
    let lines = fmt::layer().with_writer(io::stderr);
    let (filter, handle) = reload::Layer::new(quiet(log.filter.clone()));
    let filtered = tracing_subscriber::registry().with(filter);
    match log.format {
        LogFormat::Text => {
            let is_terminal = io::IsTerminal::is_terminal(&io::stderr());
            filtered.with(lines.with_ansi(is_terminal)).init();
        }
        LogFormat::Json => filtered.with(lines.json().flatten_event(true)).init(),
    }
    // The log lasts as long as the process: there is something to reload.
    LogLevels::new(&log.filter, move |filter| drop(handle.reload(filter)))
}

/// The HTTP/2 library warns of each connection that it ends for what its client sent: strangers would fill the log. A level for it, or
/// a level of all that includes its warnings and more, is kept.
fn quiet(filter: Targets) -> Targets {
    if filter.would_enable("h2", &Level::DEBUG) || !filter.would_enable("h2", &Level::WARN) {
        filter
    } else {
        filter.with_target("h2", Level::ERROR)
    }
}

/// A panic is a bug of this proxy and ends one connection. It is logged as one line with its location.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let payload = panic.payload();
    let message = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    let place = panic
        .location()
        .map(ToString::to_string)
        .unwrap_or_default();
    let thread = thread::current();
    tracing::error!(
        place,
        thread = thread.name().unwrap_or_default(),
        "bug, please report it: panic: {message}"
    );
}
