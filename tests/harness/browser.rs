//! A headless Chromium in a host, driven over the pipe of its DevTools protocol.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::mpsc;
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::Instant;

use anyhow::Context;
use serde_json::{Value, json};

use crate::DEADLINE;
use crate::client::APPLICATION_UID;
use crate::netns::Host;
use crate::topology::World;

/// Where Debian has the program itself; what is in `bin` only starts it, and would outlive its end.
const PROGRAMS: [&str; 3] = [
    "/usr/lib/chromium/chromium-headless-shell",
    "/usr/lib/chromium/chromium",
    "/usr/lib/chromium-browser/chromium-browser",
];

/// Nothing that Chromium does of its own accord.
const FLAGS: [&str; 11] = [
    "--remote-debugging-pipe",
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    "--no-zygote",
];

/// The protocol is spoken on the third and fourth file of the program.
const SWAP_FILES: &str = r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null"#;

/// A browser with one page. Dropping it ends it.
#[derive(Debug)]
pub struct Browser {
    child: Child,
    input: ChildStdin,
    messages: Receiver<Value>,
    session: String,
    last: u64,
    /// Errors that the page had, and what its console shows as one.
    complaints: Vec<String>,
    /// The addresses that the page asked for.
    requests: Vec<String>,
}

impl Browser {
    /// Starts a browser as the user of the host's application.
    ///
    /// # Errors
    /// When there is none on this machine, or it does not speak the protocol.
    pub fn start(world: &World, host: &Host) -> anyhow::Result<Self> {
        let program = PROGRAMS.iter().find(|path| Path::new(path).exists());
        let program = program.context("Debian's chromium-headless-shell is needed")?;
        let mut profile = std::ffi::OsString::from("--user-data-dir=");
        profile.push(profile_folder(world, host)?);
        let mut arguments = vec!["-c".into(), SWAP_FILES.into(), program.into()];
        arguments.extend(FLAGS.map(std::ffi::OsString::from));
        arguments.push(profile);
        let mut command = host.command(APPLICATION_UID, Path::new("sh"), &arguments);
        command.stdin(Stdio::piped()).stderr(Stdio::null());
        let mut child = host.spawn(command)?;
        let input = child.stdin.take().context("input is piped")?;
        let output = child.stdout.take().context("output is piped")?;
        let mut browser = Self {
            child,
            input,
            messages: messages(output),
            session: String::new(),
            last: 0,
            complaints: Vec::new(),
            requests: Vec::new(),
        };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }))?;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = browser.call("Target.attachToTarget", attach)?;
        browser.session = session["sessionId"]
            .as_str()
            .context("a session")?
            .to_owned();
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({}))?;
        }
        Ok(browser)
    }

    /// Opens a page.
    ///
    /// # Errors
    /// When it cannot be loaded.
    pub fn open(&mut self, url: &str) -> anyhow::Result<()> {
        let answer = self.call("Page.navigate", json!({ "url": url }))?;
        anyhow::ensure!(answer.get("errorText").is_none(), "{url}: {answer}");
        Ok(())
    }

    /// Calls a method of the protocol.
    ///
    /// # Errors
    /// When it answers with an error, or not in time.
    pub fn call(&mut self, method: &str, parameters: Value) -> anyhow::Result<Value> {
        self.last += 1;
        let mut message = json!({ "id": self.last, "method": method, "params": parameters });
        if !self.session.is_empty() {
            message["sessionId"] = self.session.as_str().into();
        }
        let mut bytes = serde_json::to_vec(&message)?;
        bytes.push(0);
        self.input.write_all(&bytes)?;
        let end = Instant::now() + DEADLINE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let message = self.messages.recv_timeout(left);
            let message = message.with_context(|| format!("{method} is not answered"))?;
            if message["id"] == self.last {
                anyhow::ensure!(message.get("error").is_none(), "{method}: {message}");
                return Ok(message["result"].clone());
            }
            self.note(&message);
        }
    }

    /// The value of an expression in the page.
    ///
    /// # Errors
    /// When it throws.
    pub fn evaluate(&mut self, expression: &str) -> anyhow::Result<Value> {
        let parameters = json!({ "expression": expression, "returnByValue": true });
        let answer = self.call("Runtime.evaluate", parameters)?;
        anyhow::ensure!(
            answer.get("exceptionDetails").is_none(),
            "{expression}: {answer}"
        );
        Ok(answer["result"]["value"].clone())
    }

    /// Waits until an expression is true in the page.
    ///
    /// # Errors
    /// When it is not in time; carries what the page shows.
    pub fn await_true(&mut self, expression: &str) -> anyhow::Result<()> {
        // The page itself waits, and answers once. An expression that throws is not true yet: the page may still be loading.
        let waiting = format!(
            "new Promise(done => {{ const is = () => {{ try {{ return {expression}; }} catch {{ return false; }} }}; \
             const look = () => is() ? done(true) : setTimeout(look, 20); look(); \
             setTimeout(() => done(false), {}); }})",
            DEADLINE.as_millis() * 2 / 3
        );
        let parameters =
            json!({ "expression": waiting, "returnByValue": true, "awaitPromise": true });
        let answer = self.call("Runtime.evaluate", parameters)?;
        if answer["result"]["value"] == true {
            return Ok(());
        }
        let shown = self.evaluate("document.body.innerText")?;
        anyhow::bail!(
            "not so: {expression}: {answer}\n{}",
            shown.as_str().unwrap_or_default()
        )
    }

    /// Errors so far: uncaught ones, and those that the console shows.
    #[must_use]
    pub fn complaints(&self) -> &[String] {
        &self.complaints
    }

    /// The addresses that the page asked for so far.
    #[must_use]
    pub fn requests(&self) -> &[String] {
        &self.requests
    }

    fn note(&mut self, message: &Value) {
        let parameters = &message["params"];
        let is_error = match message["method"].as_str() {
            Some("Runtime.exceptionThrown") => true,
            Some("Runtime.consoleAPICalled") => parameters["type"] == "error",
            Some("Log.entryAdded") => parameters["entry"]["level"] == "error",
            Some("Network.requestWillBeSent") => {
                let url = parameters["request"]["url"].as_str().unwrap_or_default();
                self.requests.push(url.to_owned());
                false
            }
            _ => false,
        };
        if is_error {
            self.complaints.push(parameters.to_string());
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Its other processes end with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder that the application's user may write.
fn profile_folder(world: &World, host: &Host) -> anyhow::Result<PathBuf> {
    let folder = world
        .folder()
        .join(format!("browser-{}", host.name().replace('/', "-")));
    std::fs::create_dir_all(&folder)?;
    std::os::unix::fs::chown(&folder, Some(APPLICATION_UID), Some(APPLICATION_UID))?;
    Ok(folder)
}

/// The messages that come, each of which ends in a zero byte.
fn messages(output: ChildStdout) -> Receiver<Value> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut bytes = Vec::new();
        while matches!(output.read_until(0, &mut bytes), Ok(read) if read > 0) {
            bytes.pop();
            let Ok(message) = serde_json::from_slice(&bytes) else {
                return;
            };
            if sender.send(message).is_err() {
                return;
            }
            bytes.clear();
        }
    });
    receiver
}
