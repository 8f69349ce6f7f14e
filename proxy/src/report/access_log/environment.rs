//! What formats know of the proxy itself: its name, and variables of its environment.

use std::collections::BTreeMap;

use egret_config::log_format::{Command, JsonFormat, Operator, Piece, Template, TextFormat};

/// What is known of the proxy. It is looked up when a format is read.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// The name of this machine or pod.
    pub hostname: Option<Box<str>>,
    variables: BTreeMap<Box<str>, Option<Box<str>>>,
}

impl Environment {
    /// Of this process.
    pub fn here() -> Self {
        let hostname = nix::unistd::gethostname().ok();
        Self {
            hostname: hostname.map(|name| name.to_string_lossy().into()),
            variables: BTreeMap::new(),
        }
    }

    /// The value of a variable that a format names.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name)?.as_deref()
    }

    /// Looks up the variables that a text names.
    pub fn look_up_text(&mut self, format: &TextFormat) {
        for piece in format.pieces() {
            if let Piece::Command(command) = piece {
                self.look_up(command);
            }
        }
    }

    /// Looks up the variables that an object names.
    pub fn look_up_json(&mut self, format: &JsonFormat) {
        for (_, template) in format.entries() {
            self.look_up_template(template);
        }
    }

    fn look_up_template(&mut self, template: &Template) {
        match template {
            Template::Value(command) => self.look_up(command),
            Template::Text(text) => self.look_up_text(text),
            Template::Object(object) => self.look_up_json(object),
            Template::List(items) => items.iter().for_each(|item| self.look_up_template(item)),
            Template::Constant(_) => {}
        }
    }

    /// The value of a variable that a configuration names.
    #[allow(
        clippy::disallowed_methods,
        reason = "which variable is read is known from the configuration alone"
    )]
    pub fn value(name: &str) -> Option<Box<str>> {
        let value = std::env::var_os(name)?;
        Some(value.to_string_lossy().into())
    }

    fn look_up(&mut self, command: &Command) {
        match &command.operator {
            Operator::Environment(name) => {
                self.variables.insert(name.clone(), Self::value(name));
            }
            Operator::Coalesce(commands) => {
                commands.iter().for_each(|command| self.look_up(command))
            }
            _ => {}
        }
    }
}
