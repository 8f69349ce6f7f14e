//! `egret-proxy inject` and `egret-proxy uninject`: manifests with and without egret's containers.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use egret_config::problem::{Problem, Severity};
use egret_inject::manifest::{Output, inject_text, uninject_text};
use egret_inject::settings::{File, NativeSidecar, Settings, load};

/// The name that stands for standard input.
const STDIN: &str = "-";

/// What is read and written.
#[derive(Debug)]
pub struct Options {
    /// Files, folders, and `-` for standard input.
    pub paths: Vec<PathBuf>,
    /// Where the result goes; `None` is standard output.
    pub output: Option<PathBuf>,
    /// What is done.
    pub direction: Direction,
}

/// What is done.
#[derive(Debug)]
pub enum Direction {
    /// Containers are added.
    Inject(Box<InjectOptions>),
    /// Containers are taken out.
    Uninject,
}

/// What is set for all pods.
#[derive(Debug, Default)]
pub struct InjectOptions {
    /// A file with settings.
    pub settings: Option<PathBuf>,
    /// Settings as `key=value`, over the file's.
    pub assignments: Vec<String>,
    /// A file with MeshConfig.
    pub mesh_config: Option<PathBuf>,
    /// Whether the proxy is a native sidecar, over the settings'.
    pub native: Option<NativeSidecar>,
    /// Kubernetes' minor version.
    pub kubernetes_minor: Option<u32>,
}

/// The streams of the process.
pub struct Streams<'s> {
    /// Standard input.
    pub input: &'s mut dyn Read,
    /// Standard output.
    pub out: &'s mut dyn Write,
    /// Standard error.
    pub err: &'s mut dyn Write,
    /// Whether somebody reads standard error.
    pub is_terminal: bool,
}

/// Writes the manifests, or what is wrong; whether nothing is.
///
/// # Errors
/// Files that cannot be read or written.
pub fn run(options: &Options, streams: &mut Streams<'_>) -> Result<bool, String> {
    let settings = match &options.direction {
        Direction::Uninject => None,
        Direction::Inject(own) => {
            let (settings, problems) = settings(own)?;
            report(&problems, streams.err);
            if has_errors(&problems) {
                return Ok(false);
            }
            Some(settings)
        }
    };
    let texts = texts(&options.paths, streams.input)?;
    let outputs: Vec<Output> = texts
        .iter()
        .map(|(name, text)| match &settings {
            Some(settings) => inject_text(name, text, settings),
            None => uninject_text(name, text),
        })
        .collect();
    for output in &outputs {
        report(&output.problems, streams.err);
    }
    if outputs.iter().any(Output::has_errors) {
        return Ok(false);
    }
    if settings.is_some() {
        report_skipped(&outputs, streams.err);
    }
    if streams.is_terminal && outputs.iter().any(|output| output.loses_comments) {
        let _ = writeln!(
            streams.err,
            "note: comments inside of changed objects are lost"
        );
    }
    let text = joined(outputs.into_iter().map(|output| output.text).collect());
    match &options.output {
        Some(path) => {
            fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))?
        }
        None => {
            // Whoever reads may have enough.
            let _ = streams.out.write_all(text.as_bytes());
            let _ = streams.out.flush();
        }
    }
    Ok(true)
}

fn settings(options: &InjectOptions) -> Result<(Settings, Vec<Problem>), String> {
    let read = |path: &Option<PathBuf>| -> Result<Option<(String, String)>, String> {
        let Some(path) = path else { return Ok(None) };
        Ok(Some((path.display().to_string(), read_file(path)?)))
    };
    let (file, mesh) = (read(&options.settings)?, read(&options.mesh_config)?);
    let (mut settings, problems) = load(
        file.as_ref().map(as_file),
        &options.assignments,
        mesh.as_ref().map(as_file),
    );
    settings.native = options.native.unwrap_or(settings.native);
    settings.kubernetes_minor = options.kubernetes_minor;
    Ok((settings, problems))
}

fn as_file((name, text): &(String, String)) -> File<'_> {
    File { name, text }
}

fn report(problems: &[Problem], err: &mut dyn Write) {
    for problem in problems {
        let _ = writeln!(err, "{}: {problem}", problem.severity);
    }
}

fn has_errors(problems: &[Problem]) -> bool {
    problems
        .iter()
        .any(|problem| problem.severity == Severity::Error)
}

fn report_skipped(outputs: &[Output], err: &mut dyn Write) {
    for (object, reason) in outputs.iter().flat_map(|output| &output.skipped) {
        let _ = writeln!(err, "note: {object}: not injected: {reason}");
    }
}

/// The texts of all paths, with their names.
fn texts(paths: &[PathBuf], input: &mut dyn Read) -> Result<Vec<(String, String)>, String> {
    let mut texts = Vec::new();
    for path in paths {
        if path.as_os_str() == STDIN {
            let mut text = String::new();
            input
                .read_to_string(&mut text)
                .map_err(|error| format!("standard input: {error}"))?;
            texts.push(("standard input".to_owned(), text));
            continue;
        }
        let mut files = Vec::new();
        find(path, true, &mut files).map_err(|error| format!("{}: {error}", path.display()))?;
        for file in files {
            texts.push((file.display().to_string(), read_file(&file)?));
        }
    }
    Ok(texts)
}

fn read_file(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// The manifests of a folder and of the folders in it, by name; a file that is named counts whatever its name.
fn find(path: &Path, is_named: bool, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if !fs::metadata(path)?.is_dir() {
        let extension = path.extension().and_then(|extension| extension.to_str());
        if is_named || matches!(extension, Some("yaml" | "yml" | "json")) {
            files.push(path.to_owned());
        }
        return Ok(());
    }
    let mut entries = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        // A mounted ConfigMap has its files a second time in hidden folders.
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            entries.push(entry.path());
        }
    }
    entries.sort();
    entries
        .iter()
        .try_for_each(|entry| find(entry, false, files))
}

/// One stream of all texts. A single text stays as it is.
fn joined(texts: Vec<String>) -> String {
    let mut whole = String::new();
    for text in texts.into_iter().filter(|text| !text.is_empty()) {
        if !whole.is_empty() {
            if !whole.ends_with('\n') {
                whole.push('\n');
            }
            if !text.starts_with("---") {
                whole.push_str("---\n");
            }
        }
        whole.push_str(&text);
    }
    whole
}

#[cfg(test)]
mod tests;
