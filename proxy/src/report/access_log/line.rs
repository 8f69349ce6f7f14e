//! What a line of an access log is.

use egret_config::log_format::defaults::{default_json, default_text};
use egret_config::log_format::{FormatError, JsonFormat, TextFormat};
use egret_config::model::mesh::FormatSource;

use crate::report::access_log::call::Call;
use crate::report::access_log::environment::Environment;
use crate::report::access_log::text::Absent;
use crate::report::access_log::{json, text};
use crate::report::facts::Facts;
use crate::report::needs::Needs;
use crate::report::now::Now;

/// The form of lines, read and ready.
#[derive(Clone, Debug, Default)]
pub struct Line {
    format: Format,
    environment: Environment,
    absent: Absent,
}

#[derive(Clone, Debug)]
enum Format {
    Text(TextFormat),
    Json(JsonFormat),
}

impl Default for Format {
    fn default() -> Self {
        Self::Text(default_text(false))
    }
}

impl Line {
    /// Reads a format. With `omit_empty` nothing stands for what is missing. With `reasons` lines of the default formats end
    /// with the reasons of decisions.
    ///
    /// # Errors
    /// The format is none.
    pub fn of(source: &FormatSource, omit_empty: bool, reasons: bool) -> Result<Self, FormatError> {
        let format = match source {
            FormatSource::DefaultText => Format::Text(default_text(reasons)),
            FormatSource::DefaultJson => Format::Json(default_json(reasons)),
            FormatSource::Text(text) => Format::Text(TextFormat::line(text)?),
            FormatSource::Json(object) => Format::Json(JsonFormat::parse(object)?),
        };
        let mut environment = Environment::here();
        match &format {
            Format::Text(text) => environment.look_up_text(text),
            Format::Json(object) => environment.look_up_json(object),
        }
        Ok(Self {
            format,
            environment,
            absent: if omit_empty {
                Absent::Nothing
            } else {
                Absent::Dash
            },
        })
    }

    /// Appends the line of a call, with its newline.
    pub fn append(&self, to: &mut Vec<u8>, facts: &Facts, now: Now) {
        let call = Call {
            facts,
            now,
            environment: &self.environment,
        };
        match &self.format {
            Format::Text(format) => text::append(to, format, &call, self.absent),
            Format::Json(format) => {
                json::append(to, format, &call, self.absent);
                to.push(b'\n');
            }
        }
    }

    /// Adds what the line asks of the facts.
    pub fn add_needs(&self, needs: &mut Needs) {
        match &self.format {
            Format::Text(format) => needs.add_text(format),
            Format::Json(format) => needs.add_json(format),
        }
    }
}
