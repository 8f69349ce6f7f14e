//! The world of the measurements, and one proxy in its pod.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use egret_tests::egret::{INJECTED, PROXY_UID, redirect};
use egret_tests::folder::Folder;
use egret_tests::netns::Host;
use egret_tests::places::{Family, HTTPBIN_ORG, Located, PRODUCTPAGE, SLEEP};
use egret_tests::process::Process;
use egret_tests::topology::World;

use crate::proxy::machine;
use crate::proxy::machine::Processors;

/// The origin's name.
pub(super) const ORIGIN: &str = "origin.example";

/// The size of the origin's ordinary answers, and of its big ones.
const BODY: usize = 1024;
pub(super) const BIG_BODY: usize = 10 * 1024 * 1024;

/// Where both proxies answer `/ready`.
const ADMIN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 15000);

/// How long a proxy may take to become ready.
const READY_MAX: Duration = Duration::from_secs(15);

/// The proxies that are compared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Contestant {
    Envoy,
    Egret,
}

impl Contestant {
    pub(super) const BOTH: [Self; 2] = [Self::Envoy, Self::Egret];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Envoy => "Envoy",
            Self::Egret => "egret",
        }
    }
}

/// Pods, origin and configuration.
pub(super) struct Stage<'p> {
    pub(super) world: World,
    pub(super) processors: &'p Processors,
    envoy: Host,
    egret: Host,
    config: Folder,
    bootstrap: String,
    _origin: [Process; 2],
}

impl<'p> Stage<'p> {
    /// Makes a pod for each proxy, and the origin.
    pub(super) fn build(processors: &'p Processors) -> anyhow::Result<Self> {
        let world = World::new("bench", Family::V4)?;
        world.resolve(ORIGIN, &[HTTPBIN_ORG.v4()]);
        let origin = [serve_http(&world)?, serve_bytes(&world)?];
        for process in &origin {
            machine::pin(process.id(), &[processors.origin])?;
        }
        let (envoy, egret) = (
            world.pod(PRODUCTPAGE, "default")?,
            world.pod(SLEEP, "default")?,
        );
        for pod in [&envoy, &egret] {
            redirect(&world, pod, &INJECTED, &[])?;
        }
        let config = Folder::new()?;
        config.write("sidecar.yaml", include_str!("sidecar.istio.yaml"))?;
        let bootstrap = world.folder().join("envoy.yaml");
        fs::write(&bootstrap, include_str!("sidecar.envoy.yaml"))?;
        Ok(Self {
            world,
            processors,
            envoy,
            egret,
            config,
            bootstrap: bootstrap.display().to_string(),
            _origin: origin,
        })
    }

    /// The pod of a proxy.
    pub(super) fn pod(&self, contestant: Contestant) -> &Host {
        match contestant {
            Contestant::Envoy => &self.envoy,
            Contestant::Egret => &self.egret,
        }
    }

    /// The folder of egret's configuration.
    pub(super) fn config(&self) -> String {
        self.config.path().display().to_string()
    }

    /// Starts a proxy with one worker; gives it, and how long it took to become ready.
    pub(super) fn start(&self, contestant: Contestant) -> anyhow::Result<(Process, Duration)> {
        let pod = self.pod(contestant);
        let config = self.config();
        let (program, words) = match contestant {
            Contestant::Envoy => (
                self.world.folder().join("bin/envoy"),
                vec![
                    "-c",
                    &self.bootstrap,
                    "--disable-hot-restart",
                    "--concurrency",
                    "1",
                    "-l",
                    "error",
                ],
            ),
            Contestant::Egret => (
                self.world.program("egret-proxy")?,
                vec![
                    "run",
                    "--config",
                    &config,
                    "--threads",
                    "1",
                    "--log-level",
                    "error",
                ],
            ),
        };
        let command = pod.command(PROXY_UID, &program, &words);
        let start = Instant::now();
        let process = Process::start(pod, command, None)?;
        machine::pin(process.id(), &self.processors.proxy)?;
        let ready = pod.run(move || await_ready(start));
        let ready =
            ready.with_context(|| format!("{}: {}", contestant.name(), process.everything()))?;
        machine::pin(process.id(), &self.processors.proxy)?;
        Ok((process, ready))
    }

    /// Lets every user write a file.
    pub(super) fn let_write(&self, file: &Path) -> anyhow::Result<()> {
        Ok(fs::set_permissions(
            file,
            fs::Permissions::from_mode(0o666),
        )?)
    }
}

/// Asks for `/ready` again and again; gives the time since `start`.
pub(super) fn await_ready(start: Instant) -> anyhow::Result<Duration> {
    loop {
        if is_ready().unwrap_or(false) {
            return Ok(start.elapsed());
        }
        anyhow::ensure!(start.elapsed() < READY_MAX, "not ready in time");
        // The processor is for the proxy that starts, not for those who ask.
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn is_ready() -> std::io::Result<bool> {
    let mut stream = TcpStream::connect_timeout(&ADMIN, READY_MAX)?;
    stream.set_read_timeout(Some(READY_MAX))?;
    stream.write_all(b"GET /ready HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.starts_with("HTTP/1.1 200"))
}

/// nginx with one worker: HTTP/1.1 on 80 and 9080, HTTP/2 without TLS on 8080.
fn serve_http(world: &World) -> anyhow::Result<Process> {
    let folder = world.folder().join("origin");
    fs::create_dir_all(folder.join("files"))?;
    fs::write(folder.join("files/index.html"), vec![b'x'; BODY])?;
    fs::write(folder.join("files/big"), vec![b'x'; BIG_BODY])?;
    let (address, folder_name) = (HTTPBIN_ORG.v4(), folder.display());
    let server = |listen: &str| {
        format!("server {{ listen {address}:{listen}; root {folder_name}/files; location / {{}} }}")
    };
    let config = format!(
        "daemon off; master_process off; user root; pid {folder_name}/pid; error_log stderr notice;
         worker_rlimit_nofile 65536;
         events {{ worker_connections 32768; }}
         http {{
           access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; keepalive_timeout 600s;
           client_body_temp_path {folder_name}/body; proxy_temp_path {folder_name}/proxy;
           fastcgi_temp_path {folder_name}/fastcgi; uwsgi_temp_path {folder_name}/uwsgi; scgi_temp_path {folder_name}/scgi;
           {} {} {}
         }}",
        server("80 backlog=4096"),
        server("9080 backlog=4096"),
        server("8080 http2 backlog=4096"),
    );
    let path = folder.join("nginx.conf");
    fs::write(&path, config)?;
    let path = path.display().to_string();
    let command = world
        .internet
        .command(0, Path::new("nginx"), &["-c", &path]);
    let process = Process::start(&world.internet, command, None).context("nginx is needed")?;
    process
        .errors
        .await_one(|line| line.contains("event method"))
        .with_context(|| process.everything())?;
    Ok(process)
}

/// iperf3 on its usual port.
fn serve_bytes(world: &World) -> anyhow::Result<Process> {
    let address = HTTPBIN_ORG.v4().to_string();
    let words = ["-s", "-B", &address, "--forceflush"];
    let command = world.internet.command(0, Path::new("iperf3"), &words);
    let process = Process::start(&world.internet, command, None).context("iperf3 is needed")?;
    process
        .output
        .await_one(|line| line.contains("Server listening"))
        .with_context(|| process.everything())?;
    Ok(process)
}
