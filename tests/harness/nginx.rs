//! A real nginx on the internet.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::certs::Pair;
use crate::process::Process;
use crate::topology::World;

/// A running nginx. Dropping it kills it.
#[derive(Debug)]
pub struct Nginx {
    /// The program: its output is the access log, one line a request: connection, requests on it, protocol, status, and
    /// the request in quotes.
    pub process: Process,
    folder: PathBuf,
}

impl Nginx {
    /// Serves the files of a folder of its own at `address`, port 80, and where there is a certificate on 443 with
    /// HTTP/2, too. `settings` are directives of all of it.
    ///
    /// # Errors
    /// When nginx is missing or refuses.
    pub fn start(
        world: &World,
        address: IpAddr,
        certificate: Option<&Pair>,
        settings: &str,
    ) -> anyhow::Result<Self> {
        let folder = world.folder().join("nginx");
        let files = folder.join("files");
        fs::create_dir_all(files.join("put"))?;
        let mut listen = format!("listen {address}:80;");
        if let Some(pair) = certificate {
            fs::write(folder.join("tls.pem"), &pair.certificate)?;
            fs::write(folder.join("tls.key"), &pair.key)?;
            listen += &format!(
                "listen {address}:443 ssl http2;
                 ssl_certificate {folder}/tls.pem;
                 ssl_certificate_key {folder}/tls.key;",
                folder = folder.display()
            );
        }
        let servers = format!(
            "log_format one '$connection $connection_requests $server_protocol $status \"$request\"';
             access_log /dev/stdout one;
             {settings}
             server {{
               {listen}
               root {files};
               location / {{}}
               location /put/ {{ dav_methods PUT; client_max_body_size 0; }}
             }}",
            files = files.display(),
        );
        Ok(Self {
            process: serve(world, &servers)?,
            folder: files,
        })
    }

    /// Puts a file where `/name` is.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn file(&self, name: &str, content: &[u8]) -> anyhow::Result<()> {
        Ok(fs::write(self.folder.join(name), content)?)
    }

    /// What was put to `/put/name`.
    ///
    /// # Errors
    /// When nothing was.
    pub fn was_put(&self, name: &str) -> anyhow::Result<Vec<u8>> {
        let path = self.folder.join("put").join(name);
        fs::read(&path).with_context(|| format!("{} was not put", path.display()))
    }
}

/// Starts nginx with this inside of its `http` block, on the internet; gives it when it listens.
///
/// # Errors
/// When nginx is missing or refuses.
pub fn serve(world: &World, http: &str) -> anyhow::Result<Process> {
    let folder = world.folder().join("nginx");
    fs::create_dir_all(&folder)?;
    let config = format!(
        "daemon off;
         master_process off;
         user root;
         pid {folder}/pid;
         error_log stderr notice;
         events {{}}
         http {{
           access_log /dev/null;
           client_body_temp_path {folder}/body;
           proxy_temp_path {folder}/proxy;
           fastcgi_temp_path {folder}/fastcgi;
           uwsgi_temp_path {folder}/uwsgi;
           scgi_temp_path {folder}/scgi;
           {http}
         }}
         ",
        folder = folder.display(),
    );
    let path = folder.join("nginx.conf");
    fs::write(&path, config)?;
    let path = path.display().to_string();
    let host = &world.internet;
    let command = host.command(0, Path::new("nginx"), &["-c", &path]);
    let process = Process::start(host, command, None).context("nginx is needed")?;
    // It says so once it listens.
    process
        .errors
        .await_one(|line| line.contains("event method"))
        .with_context(|| process.everything())?;
    Ok(process)
}
