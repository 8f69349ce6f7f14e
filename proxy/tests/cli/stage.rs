//! A folder with files, and the program run in it.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use tempfile::TempDir;

/// Services, routes and policies of namespace `shop`.
pub(crate) const EXTERNAL: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: httpbin, namespace: shop}
spec:
  hosts: [httpbin.org]
  ports: [{number: 80, name: http, protocol: HTTP}, {number: 443, name: tls, protocol: TLS}]
  resolution: DNS
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: httpbin, namespace: shop}
spec:
  hosts: [httpbin.org]
  http:
  - name: old
    match: [{uri: {prefix: /old}}]
    redirect: {uri: /new, authority: new.org}
  - name: teapot
    match: [{headers: {x-tea: {exact: 'yes'}}}]
    directResponse: {status: 418}
  - name: split
    match: [{uri: {prefix: /split/}}]
    rewrite: {uri: /, authority: x.org}
    timeout: 1.5s
    retries: {attempts: 3, perTryTimeout: 1s, retryOn: 'gateway-error,409'}
    route: [{destination: {host: httpbin.org}, weight: 80}, {destination: {host: gone.org}, weight: 20}]
  - name: gone
    match: [{uri: {prefix: /gone}}]
    route: [{destination: {host: gone.org, port: {number: 80}}}]
  - name: lost
    match: [{uri: {exact: /}}]
    route: [{destination: {host: httpbin.org}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: httpbin, namespace: shop}
spec:
  host: httpbin.org
  trafficPolicy:
    loadBalancer: {simple: ROUND_ROBIN}
    portLevelSettings:
    - port: {number: 80}
      loadBalancer: {simple: RANDOM}
      tls: {mode: SIMPLE, subjectAltNames: [san.org], caCertificates: /ca.pem}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: empty, namespace: shop}
spec: {hosts: [empty.org], ports: [{number: 80, name: http, protocol: HTTP}], resolution: STATIC}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: db-a, namespace: shop}
spec: {hosts: [db-a.org], ports: [{number: 3306, name: tcp, protocol: TCP}], resolution: DNS}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: db-b, namespace: shop}
spec: {hosts: [db-b.org], ports: [{number: 3306, name: tcp, protocol: TCP}], resolution: DNS}
";

/// A folder with files.
pub(crate) struct Files(TempDir);

/// How a run ended.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) output: String,
    pub(crate) errors: String,
}

impl Files {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).expect("a file");
        }
        Self(folder)
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.run_with(arguments, "")
    }

    pub(crate) fn run_with(&self, arguments: &[&str], input: &str) -> Run {
        let mut child = Command::new(env!("CARGO_BIN_EXE_egret-proxy"))
            .args(arguments)
            .current_dir(self.0.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("started");
        let mut stdin = child.stdin.take().expect("piped");
        // A program that does not read its input may be gone already.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let ended = child.wait_with_output().expect("ended");
        Run {
            code: ended.status.code().expect("an exit code"),
            output: String::from_utf8(ended.stdout).expect("text"),
            errors: String::from_utf8(ended.stderr).expect("text"),
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.0.path()
    }
}
