//! One host of the small world: a thread that lives in its own network and mount namespace.
//!
//! The namespaces have no name. They exist as long as the thread, its children or a descriptor does, so
//! even a killed harness leaves none behind.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::{fs, thread};

use anyhow::{Context, ensure};
use nix::mount::MsFlags;
use nix::sched::CloneFlags;
use nix::unistd::Pid;

type Job = Box<dyn FnOnce() + Send>;

/// A file that a host sees in place of the machine's own one.
#[derive(Clone, Debug)]
pub struct Overlay {
    /// What the host sees there.
    pub source: PathBuf,
    /// A path that exists on the machine.
    pub target: PathBuf,
}

/// A host of the small world. Dropping it ends its thread, and with it every program started here.
#[derive(Debug)]
pub struct Host {
    name: String,
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    environment: Vec<(String, String)>,
    netns: File,
    thread_id: Pid,
}

/// Where programs of a host look for other programs.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Host {
    /// Makes a host whose only interface is `lo`, up, which sees `overlays` over the machine's files, and whose
    /// programs start with `environment` and PATH alone.
    ///
    /// # Errors
    /// When the kernel refuses a namespace or a mount.
    pub fn new(
        name: &str,
        overlays: Vec<Overlay>,
        environment: Vec<(String, String)>,
    ) -> anyhow::Result<Self> {
        crate::privilege::ensure()?;
        let (jobs, inbox) = mpsc::channel::<Job>();
        let (entered, outcome) = mpsc::channel();
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                let entry = enter(&overlays);
                let ready = entry.is_ok();
                let reported = entered.send(entry).is_ok();
                if ready && reported {
                    inbox.iter().for_each(|job| job());
                }
            })?;
        let (netns, thread_id) = outcome
            .recv()
            .context("the host's thread ended")?
            .with_context(|| format!("host {name}"))?;
        let host = Self {
            name: name.to_owned(),
            jobs: Some(jobs),
            thread: Some(thread),
            environment,
            netns,
            thread_id,
        };
        host.ip("link set lo up\n")?;
        Ok(host)
    }

    /// The name given at creation.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A path to the network namespace that `ip` accepts as long as this process lives.
    #[must_use]
    pub fn netns_path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.netns.as_raw_fd())
    }

    /// The thread inside the namespaces; `nsenter -t` takes it.
    #[must_use]
    pub fn thread_id(&self) -> i32 {
        self.thread_id.as_raw()
    }

    /// Runs `job` on the host's thread, so that sockets it opens and programs it starts belong to the host.
    /// A panic in `job` continues in the caller.
    pub fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (answer, answered) = mpsc::channel();
        let work = Box::new(move || {
            // The receiver waits below until this is sent.
            let _ = answer.send(catch_unwind(AssertUnwindSafe(job)));
        });
        self.jobs
            .as_ref()
            .expect("jobs are accepted until drop")
            .send(work)
            .expect("the host's thread lives until drop");
        match answered.recv().expect("the job was taken") {
            Ok(value) => value,
            Err(panic) => resume_unwind(panic),
        }
    }

    /// A program to start in this host as `uid`. It dies with the host's thread, however the harness ends.
    #[must_use]
    pub fn command(&self, uid: u32, program: &Path, arguments: &[impl AsRef<OsStr>]) -> Command {
        let mut command = Command::new("setpriv");
        // Changing the user would clear the signal again, so `setpriv` runs as that user already.
        command
            .args(["--pdeathsig", "KILL", "--"])
            .arg(program)
            .args(arguments)
            .uid(uid)
            .gid(uid);
        command
            .env_clear()
            .env("PATH", PATH)
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Starts a program in the host.
    ///
    /// # Errors
    /// As [`Command::spawn`].
    pub fn spawn(&self, mut command: Command) -> anyhow::Result<Child> {
        let words = format!("{command:?}");
        self.run(move || command.spawn())
            .with_context(|| format!("cannot start {words} in {}", self.name))
    }

    /// Runs iproute2's `ip` over `batch`, one command a line, in the host.
    ///
    /// # Errors
    /// When `ip` is missing or refuses a line.
    pub fn ip(&self, batch: &str) -> anyhow::Result<()> {
        let mut command = Command::new("ip");
        command
            .args(["-batch", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = self.spawn(command).context("iproute2 is needed")?;
        child
            .stdin
            .take()
            .context("stdin is piped")?
            .write_all(batch.as_bytes())?;
        let output = child.wait_with_output()?;
        ensure!(
            output.status.success(),
            "ip in {}: {}\n{batch}",
            self.name,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }

    /// Sets a network sysctl of this host; `key` is a path below /proc/sys/net.
    ///
    /// # Errors
    /// When the kernel has no such key or refuses the value.
    pub fn sysctl(&self, key: &str, value: &str) -> anyhow::Result<()> {
        let path = Path::new("/proc/sys/net").join(key);
        let value = value.to_owned();
        self.run(move || {
            fs::write(&path, value).with_context(|| format!("cannot set {}", path.display()))
        })
    }

    /// Opens a listening socket in the host, to be served from any thread.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub fn listen(&self, address: IpAddr, port: u16) -> anyhow::Result<std::net::TcpListener> {
        self.run(move || -> anyhow::Result<_> {
            let listener = std::net::TcpListener::bind((address, port))
                .with_context(|| format!("bind {address} port {port}"))?;
            listener.set_nonblocking(true)?;
            Ok(listener)
        })
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // Jobs report their panics to the caller, so the thread itself has nothing to tell.
            let _ = thread.join();
        }
    }
}

fn enter(overlays: &[Overlay]) -> anyhow::Result<(File, Pid)> {
    nix::sched::unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET)
        .context("cannot make namespaces")?;
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    nix::mount::mount(None::<&str>, "/", None::<&str>, private, None::<&str>)
        .context(
            "cannot make mounts private (EINVAL: the root folder is no mount point, as in a bare chroot; \
             `mount --bind DIR DIR` before chroot makes it one)",
        )?;
    for Overlay { source, target } in overlays {
        nix::mount::mount(
            Some(source),
            target,
            None::<&str>,
            MsFlags::MS_BIND,
            None::<&str>,
        )
        .with_context(|| {
            format!(
                "cannot mount {} over {}",
                source.display(),
                target.display()
            )
        })?;
    }
    let netns =
        File::open("/proc/thread-self/ns/net").context("cannot open the network namespace")?;
    Ok((netns, nix::unistd::gettid()))
}
