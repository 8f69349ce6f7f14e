//! The small world: an internet that routes, with a DNS server and origins, and pods on a network beside it.
//!
//! There is no address translation anywhere, so an origin sees who called: the pod or a gateway.

use std::fs;
use std::net::{IpAddr, TcpListener};
use std::ops::RangeInclusive;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use rustls::ServerConfig;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::certs::Authority;
use crate::names::{Answer as NameAnswer, Names};
use crate::netns::{Host, Overlay};
use crate::origin::{Answer, Origin};
use crate::places::{
    ALIYUN, CNN, DNS_SERVER, EGRESS_SERVICE, ELSEWHERE, Family, GOOGLE, HTTPBIN_COM, HTTPBIN_ORG,
    INGRESS_SERVICE, Located, PRODUCTPAGE_SERVICE, Place, ROUTER, Site,
};

/// The sites that the internet has addresses for; a test may serve on any of them.
const SITE_NUMBERS: RangeInclusive<u8> = 10..=29;

/// The environment variable that names a real Envoy to compare with; pods see it among egret's programs.
pub const ENVOY_BIN: &str = "ENVOY_BIN";

/// The small world of one test. Dropping it removes all of it.
#[derive(Debug)]
pub struct World {
    /// The host that routes between pods, answers DNS and carries the origins' addresses.
    pub internet: Host,
    /// Rules the DNS server.
    pub names: Names,
    /// Signs the origins' certificates; every pod trusts it and nothing else.
    pub authority: Authority,
    family: Family,
    folder: TempDir,
    logs: PathBuf,
    runtime: Runtime,
}

impl World {
    /// Makes the internet, with the sites in DNS and nobody serving them yet. `name` names the folder
    /// of log files beside the test binary.
    ///
    /// # Errors
    /// When the kernel or the machine's programs refuse; says which.
    pub fn new(name: &str, family: Family) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("egret-")
            .permissions(fs::Permissions::from_mode(0o755))
            .tempdir()?;
        let logs = built_folder()?.join("e2e-logs").join(name);
        fs::create_dir_all(&logs).with_context(|| format!("cannot make {}", logs.display()))?;
        let authority = Authority::new("egret test authority")?;
        fs::write(folder.path().join("ca.pem"), authority.pem())?;
        let internet = Host::new("internet", Vec::new(), Vec::new())?;
        connect_internet(&internet)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .thread_name("origins")
            .build()?;
        let names = Names::default();
        serve_names(&internet, &names, &runtime)?;
        let world = Self {
            internet,
            names,
            authority,
            family,
            folder,
            logs,
            runtime,
        };
        for site in [ALIYUN, HTTPBIN_COM, HTTPBIN_ORG, GOOGLE, CNN, ELSEWHERE] {
            world.resolve(site.name, &[site.address(family)]);
        }
        for service in [EGRESS_SERVICE, INGRESS_SERVICE, PRODUCTPAGE_SERVICE] {
            world.resolve(service.name, &[service.address(family)]);
        }
        Ok(world)
    }

    /// The family that names resolve to.
    #[must_use]
    pub const fn family(&self) -> Family {
        self.family
    }

    /// A folder of this world that any user may read; it vanishes with the world.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where log files of this world's programs are kept after its end.
    #[must_use]
    pub fn logs(&self) -> &Path {
        &self.logs
    }

    /// Makes `name` resolve to `addresses` from now on.
    pub fn resolve(&self, name: &str, addresses: &[IpAddr]) {
        self.names
            .set(name, NameAnswer::Addresses(addresses.to_vec(), 60));
    }

    /// Makes a pod of `namespace` at `place`, with the resolver settings and the CA bundle that a pod has.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn pod(&self, place: Place, namespace: &str) -> anyhow::Result<Host> {
        let overlays = self.pod_files(place, namespace)?;
        let bundle = self.folder().join("ca.pem").display().to_string();
        let pod = Host::new(
            place.name,
            overlays,
            vec![("SSL_CERT_FILE".to_owned(), bundle)],
        )?;
        let Place { name, number } = place;
        let (v4, v6) = (place.v4(), place.v6());
        self.internet.ip(&format!(
            "link add to-{number} type veth peer name eth0 netns {netns}\n\
             link set to-{number} master pods up\n",
            netns = pod.netns_path()
        ))?;
        let (gateway_v4, gateway_v6) = (ROUTER.v4(), ROUTER.v6());
        pod.ip(&format!(
            "addr add {v4}/24 dev eth0\n\
             addr add {v6}/64 dev eth0 nodad\n\
             link set eth0 up\n\
             route add default via {gateway_v4}\n\
             route add default via {gateway_v6}\n"
        ))
        .with_context(|| format!("pod {name}"))?;
        Ok(pod)
    }

    /// A pod in which any user may open any port, as Istio's gateway chart sets it.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn gateway_pod(&self, place: Place) -> anyhow::Result<Host> {
        let pod = self.pod(place, "istio-system")?;
        pod.sysctl("ipv4/ip_unprivileged_port_start", "0")?;
        Ok(pod)
    }

    /// Serves HTTP at both of the site's addresses.
    ///
    /// # Errors
    /// When the port is taken.
    pub fn http(&self, site: Site, port: u16, answer: &Answer) -> anyhow::Result<Origin> {
        self.serve(&self.internet, &[site.v4(), site.v6()], port, answer)
    }

    /// Serves HTTPS at both of the site's addresses, on port 443.
    ///
    /// # Errors
    /// When the port is taken.
    pub fn https(
        &self,
        site: Site,
        tls: Arc<ServerConfig>,
        answer: &Answer,
    ) -> anyhow::Result<Origin> {
        let listeners = listeners(&self.internet, &[site.v4(), site.v6()], 443)?;
        let runtime = self.runtime.handle();
        Ok(Origin::serve(runtime, listeners, Some(tls), answer)?)
    }

    /// Serves HTTP at addresses of any host.
    ///
    /// # Errors
    /// When an address cannot be bound.
    pub fn serve(
        &self,
        host: &Host,
        addresses: &[IpAddr],
        port: u16,
        answer: &Answer,
    ) -> anyhow::Result<Origin> {
        let listeners = listeners(host, addresses, port)?;
        let runtime = self.runtime.handle();
        Ok(Origin::serve(runtime, listeners, None, answer)?)
    }

    /// Serves bytes at addresses of any host: `greeting` first, then an echo.
    ///
    /// # Errors
    /// When an address cannot be bound.
    pub fn echo(
        &self,
        host: &Host,
        addresses: &[IpAddr],
        port: u16,
        greeting: &'static [u8],
    ) -> anyhow::Result<Origin> {
        let listeners = listeners(host, addresses, port)?;
        Ok(Origin::echo(self.runtime.handle(), listeners, greeting)?)
    }

    /// The path of an egret program as pods see it.
    ///
    /// # Errors
    /// When it has not been built.
    pub fn program(&self, name: &str) -> anyhow::Result<PathBuf> {
        let built = built_folder()?.join(name);
        anyhow::ensure!(
            built.exists(),
            "{} is missing: `cargo build --workspace --bins` makes it",
            built.display()
        );
        Ok(self.folder().join("bin").join(name))
    }

    fn pod_files(&self, place: Place, namespace: &str) -> anyhow::Result<Vec<Overlay>> {
        let own = self.folder().join("pods").join(place.name);
        fs::create_dir_all(&own)?;
        let nameserver = match self.family {
            Family::V4 => DNS_SERVER.v4(),
            Family::V6 => DNS_SERVER.v6(),
        };
        let files = [
            (
                "/etc/resolv.conf",
                format!(
                    "nameserver {nameserver}\nsearch {namespace}.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n"
                ),
            ),
            // Other sources would answer in place of the world's DNS server.
            (
                "/etc/nsswitch.conf",
                "passwd: files\ngroup: files\nhosts: files dns\n".to_owned(),
            ),
            (
                "/etc/hosts",
                "127.0.0.1 localhost\n::1 localhost\n".to_owned(),
            ),
        ];
        let mut overlays = Vec::new();
        for (target, text) in files {
            let target = PathBuf::from(target);
            let source = own.join(target.file_name().context("a file has a name")?);
            fs::write(&source, text)?;
            if target.exists() {
                overlays.push(Overlay { source, target });
            } else {
                anyhow::ensure!(
                    !target.ends_with("resolv.conf"),
                    "{} must exist to be mounted over",
                    target.display()
                );
            }
        }
        // A checkout below /root cannot be entered by the proxy's user; what is mounted here can.
        let programs = self.folder().join("bin");
        fs::create_dir_all(&programs)?;
        let own = ["egret-init", "egret-proxy"];
        let mut sources: Vec<_> = own
            .iter()
            .map(|name| Ok((*name, built_folder()?.join(name))))
            .collect::<anyhow::Result<_>>()?;
        sources.extend(std::env::var_os(ENVOY_BIN).map(|path| ("envoy", PathBuf::from(path))));
        for (name, source) in sources {
            let target = programs.join(name);
            if source.exists() {
                if !target.exists() {
                    fs::write(&target, "")?;
                    fs::set_permissions(&target, fs::Permissions::from_mode(0o755))?;
                }
                overlays.push(Overlay { source, target });
            }
        }
        Ok(overlays)
    }
}

/// The folder with the programs of this build, `target/debug` or the like.
///
/// # Errors
/// When the place of the running program is unknown.
pub fn built_folder() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.parent().context("a program is in a folder")?;
    Ok(
        if folder.ends_with("deps") || folder.ends_with("examples") {
            folder.parent().context("it is in a folder")?.to_owned()
        } else {
            folder.to_owned()
        },
    )
}

fn connect_internet(internet: &Host) -> anyhow::Result<()> {
    internet.sysctl("ipv4/ip_forward", "1")?;
    internet.sysctl("ipv6/conf/all/forwarding", "1")?;
    // The bridge's own address: it would take the lowest of its members', and a pod that joins later would change what
    // the others remember of the router.
    let mut batch = format!(
        "link add pods address 02:00:0a:22:00:01 type bridge mcast_snooping 0\n\
         addr add {}/24 dev pods\n\
         addr add {}/64 dev pods nodad\n\
         link set pods up\n",
        ROUTER.v4(),
        ROUTER.v6()
    );
    let sites = SITE_NUMBERS.map(|number| Site {
        name: "any",
        number,
    });
    for site in sites.chain([DNS_SERVER]) {
        batch += &format!(
            "addr add {}/32 dev lo\naddr add {}/128 dev lo nodad\n",
            site.v4(),
            site.v6()
        );
    }
    internet.ip(&batch)
}

fn serve_names(internet: &Host, names: &Names, runtime: &Runtime) -> anyhow::Result<()> {
    let addresses = [DNS_SERVER.v4(), DNS_SERVER.v6()];
    let udp = internet.run(move || {
        addresses
            .iter()
            .map(|&address| std::net::UdpSocket::bind((address, 53)))
            .collect::<Result<_, _>>()
    })?;
    let tcp = listeners(internet, &addresses, 53)?;
    names.serve(runtime.handle(), udp, tcp)
}

/// Listeners on a port of some addresses.
fn listeners(host: &Host, addresses: &[IpAddr], port: u16) -> anyhow::Result<Vec<TcpListener>> {
    let listeners = addresses.iter().map(|address| host.listen(*address, port));
    listeners.collect()
}
