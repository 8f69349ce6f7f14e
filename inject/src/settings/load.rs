//! Settings from files and assignments.

use std::collections::HashMap;

use egret_config::problem::{Location, Problem, Severity};
use serde_json::{Map, Value};

use crate::mesh::Mesh;
use crate::notice::Notices;
use crate::settings::read::read;
use crate::settings::set::set;
use crate::settings::values::Settings;
use crate::yaml;

/// A text, and the name of its file.
#[derive(Clone, Copy, Debug)]
pub struct File<'t> {
    /// The name that problems have.
    pub name: &'t str,
    /// YAML or JSON.
    pub text: &'t str,
}

/// Reads settings: a file, then assignments `key=value` over it, then MeshConfig.
pub fn load(
    file: Option<File<'_>>,
    assignments: &[String],
    mesh: Option<File<'_>>,
) -> (Settings, Vec<Problem>) {
    let mut problems = Vec::new();
    let (values, lines) = object(file, &mut problems);
    let mut values = match values {
        Value::Object(values) => values,
        Value::Null => Map::new(),
        _ => {
            problems.push(wrong_shape(file));
            return (Settings::default(), problems);
        }
    };
    for assignment in assignments {
        if let Err(message) = set(&mut values, assignment) {
            let message = (message, "write key=value, with dots between the keys");
            problems.push(error(Location::file("--set", 0), message));
        }
    }
    let mut notices = Notices::default();
    let mut settings = read(&Value::Object(values), &mut notices);
    problems.extend(located(
        notices,
        file.map_or("--set", |file| file.name),
        &lines,
    ));
    if mesh.is_some() {
        let (values, lines) = object(mesh, &mut problems);
        let mut notices = Notices::default();
        settings.mesh = Mesh::read(&values, &mut notices);
        problems.extend(located(notices, mesh.map_or("", |mesh| mesh.name), &lines));
    }
    (settings, problems)
}

fn object(file: Option<File<'_>>, problems: &mut Vec<Problem>) -> (Value, HashMap<String, u32>) {
    let Some(file) = file else {
        return (Value::Null, HashMap::new());
    };
    match yaml::read(file.text) {
        Ok(tree) => (tree.value, tree.lines),
        Err((line, message)) => {
            let message = (format!("not YAML: {message}"), "correct the file");
            problems.push(error(Location::file(file.name, line), message));
            (Value::Null, HashMap::new())
        }
    }
}

fn wrong_shape(file: Option<File<'_>>) -> Problem {
    let location = Location::file(file.map_or("", |file| file.name), 1);
    error(location, ("no object", "write settings as `key: value`"))
}

fn error(location: Location, message: (impl Into<String>, &str)) -> Problem {
    Problem::new(Severity::Error, location, (message.0.into(), message.1))
}

/// Problems with the lines of their fields; a field of no line comes from an assignment.
fn located(notices: Notices, file: &str, lines: &HashMap<String, u32>) -> Vec<Problem> {
    let problems = notices.into_problems().into_iter();
    problems
        .map(|problem| {
            let path = format!("/{}", problem.field.replace('.', "/"));
            let location = match lines.get(&path) {
                Some(line) => Location::file(file, *line),
                None if lines.is_empty() => Location::file(file, 0),
                None => Location::file("--set", 0),
            };
            Problem {
                location,
                ..problem
            }
        })
        .collect()
}
