//! The right to make namespaces: root has it, everyone else gets it inside a user namespace.

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::OnceLock;

use anyhow::bail;
use nix::unistd::Uid;

/// Set for the process that already runs inside `unshare`, so that it never wraps itself twice.
const INSIDE: &str = "EGRET_TESTS_UNSHARED";

/// Makes sure that this process may create network and mount namespaces and run programs as other users.
///
/// Root may. Anyone else is run again, once, as root of a user namespace in which the uids 0 to 65535 exist;
/// this needs unprivileged user namespaces, `newuidmap`, and a range for the caller in /etc/subuid.
/// The process is *replaced*, whichever thread calls; a test runner simply starts over.
///
/// # Errors
/// Says what is missing when neither way is open.
pub fn ensure() -> anyhow::Result<()> {
    static ANSWER: OnceLock<Result<(), String>> = OnceLock::new();
    match ANSWER.get_or_init(|| acquire().map_err(|error| format!("{error:#}"))) {
        Ok(()) => Ok(()),
        Err(reason) => bail!("{reason}"),
    }
}

fn acquire() -> anyhow::Result<()> {
    if Uid::effective().is_root() {
        return Ok(());
    }
    if std::env::var_os(INSIDE).is_some() {
        bail!("the user namespace did not map this user to root; run as root instead");
    }
    let wrapper = [
        "--user",
        "--map-root-user",
        "--map-auto",
        "--mount",
        "--net",
        "--",
    ];
    let possible = Command::new("unshare")
        .args(wrapper)
        .args(["setpriv", "--reuid=1337", "true"])
        .output();
    match possible {
        Ok(output) if output.status.success() => {}
        Ok(output) => bail!(
            "these tests make network namespaces: run them as root, or allow unprivileged user namespaces and give this \
             user a range in /etc/subuid and /etc/subgid (package uidmap); `unshare` said: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        ),
        Err(error) => bail!(
            "these tests make network namespaces: run them as root, or install util-linux for `unshare`: {error}"
        ),
    }
    let failed = Command::new("unshare")
        .args(wrapper)
        .arg(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .env(INSIDE, "1")
        .exec();
    bail!("cannot run `unshare`: {failed}");
}
