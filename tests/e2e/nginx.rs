//! A real nginx in a namespace of the world's.

use std::fs;
use std::path::Path;

use anyhow::Context;
use egret_tests::netns::Host;
use egret_tests::process::Process;
use egret_tests::topology::World;

/// Starts nginx with this inside of its `http` block; gives it when it serves.
pub(crate) fn start(world: &World, host: &Host, http: &str) -> anyhow::Result<Process> {
    let folder = world.folder().join("nginx");
    fs::create_dir_all(&folder)?;
    let at = folder.display();
    let text = format!(
        "daemon off;\nmaster_process off;\npid {at}/pid;\nerror_log stderr notice;\nevents {{ worker_connections 512; }}\n\
         http {{\n  access_log off;\n  client_body_temp_path {at}/body;\n  proxy_temp_path {at}/proxy;\n  \
         fastcgi_temp_path {at}/fastcgi;\n  uwsgi_temp_path {at}/uwsgi;\n  scgi_temp_path {at}/scgi;\n{http}\n}}\n"
    );
    let file = folder.join("nginx.conf");
    fs::write(&file, text)?;
    let file = file.display().to_string();
    let arguments = ["-e", "stderr", "-c", &file];
    // Debian keeps it out of the ordinary user's path.
    let command = host.command(0, Path::new("/usr/sbin/nginx"), &arguments);
    let server = Process::start(host, command, None)?;
    server
        .errors
        .await_one(|line| line.contains("OS: "))
        .with_context(|| server.everything())?;
    Ok(server)
}
