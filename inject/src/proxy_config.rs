//! ProxyConfig, as far as egret acts on it: `defaultConfig` of MeshConfig, and the annotation `proxy.istio.io/config`.

use egret_config::port::well_known;
use egret_config::value;
use serde_json::{Map, Value, json};

use crate::notice::Notices;
use crate::scalar::{self, Scalar};

/// What stands before the drain ends, by default.
const TERMINATION_DRAIN_DEFAULT: &str = "5s";

/// How long connections are drained, by default.
const DRAIN_DEFAULT: &str = "45s";

/// How connections are redirected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Interception {
    /// By changing the destination address.
    #[default]
    Redirect,
    /// Transparently: the client's address stays.
    Tproxy,
    /// Not at all.
    None,
}

impl Interception {
    /// Reads Istio's name; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "REDIRECT" => Some(Self::Redirect),
            "TPROXY" => Some(Self::Tproxy),
            "NONE" => Some(Self::None),
            _ => None,
        }
    }

    /// Istio's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Redirect => "REDIRECT",
            Self::Tproxy => "TPROXY",
            Self::None => "NONE",
        }
    }
}

/// The fields that are acted on; those that are not set are `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProxyConfig {
    /// Whether the application's containers start when the proxy is ready.
    pub hold: Option<bool>,
    /// `terminationDrainDuration`, as written.
    pub termination_drain: Option<String>,
    /// `drainDuration`, as written.
    pub drain: Option<String>,
    /// `concurrency`: worker threads; 0 means all cores.
    pub concurrency: Option<u32>,
    /// `statusPort`.
    pub status_port: Option<u16>,
    /// `interceptionMode`.
    pub interception: Option<Interception>,
    /// `proxyMetadata`: variables of both containers.
    pub metadata: Vec<(String, String)>,
}

impl ProxyConfig {
    /// Reads an object. `field` is what problems begin with.
    pub fn read(config: &Value, field: &str, notices: &mut Notices) -> Self {
        let mut read = Self::default();
        let object = match config {
            Value::Null => return read,
            Value::Object(object) => object,
            other => {
                notices.error(field, &shown(other), "expected an object of YAML");
                return read;
            }
        };
        for (key, value) in object {
            let path = format!("{field}.{key}");
            if value.is_null() {
                continue;
            }
            let Err(message) = read.set(key, value) else {
                continue;
            };
            match message {
                Some(expected) => notices.error(path, &shown(value), expected),
                None => notices.warn(path, "", ("not used by egret", "remove it")),
            }
        }
        read.metadata.sort();
        read
    }

    /// Sets a field.
    ///
    /// # Errors
    /// What is expected instead of the value; `None` for a field that is not acted on.
    fn set(&mut self, key: &str, value: &Value) -> Result<(), Option<&'static str>> {
        match key {
            "holdApplicationUntilProxyStarts" => {
                self.hold = Some(value.as_bool().ok_or("expected true or false")?);
            }
            "terminationDrainDuration" => self.termination_drain = Some(duration(value)?),
            "drainDuration" => self.drain = Some(duration(value)?),
            "concurrency" => {
                let number = value.as_u64().and_then(|number| number.try_into().ok());
                self.concurrency = Some(number.ok_or("expected a whole number")?);
            }
            "statusPort" => {
                let number = value.as_u64().and_then(|number| number.try_into().ok());
                self.status_port = Some(number.ok_or("expected a port number")?);
            }
            "interceptionMode" => {
                let mode = value.as_str().and_then(Interception::parse);
                self.interception = Some(mode.ok_or("expected REDIRECT, TPROXY or NONE")?);
            }
            "proxyMetadata" => {
                let object = value.as_object().ok_or("expected names and values")?;
                for (name, value) in object {
                    self.metadata.push((name.clone(), metadata(value)?));
                }
            }
            _ => return Err(None),
        }
        Ok(())
    }

    /// This one, with the fields of `base` where it has none.
    #[must_use]
    pub fn over(self, base: &Self) -> Self {
        let mut metadata = base.metadata.clone();
        for (name, value) in self.metadata {
            match metadata.iter_mut().find(|(own, _)| *own == name) {
                Some(entry) => entry.1 = value,
                None => metadata.push((name, value)),
            }
        }
        metadata.sort();
        Self {
            hold: self.hold.or(base.hold),
            termination_drain: self.termination_drain.or(base.termination_drain.clone()),
            drain: self.drain.or(base.drain.clone()),
            concurrency: self.concurrency.or(base.concurrency),
            status_port: self.status_port.or(base.status_port),
            interception: self.interception.or(base.interception),
            metadata,
        }
    }

    /// The variable PROXY_CONFIG: JSON without Istio's defaults, unless `mesh` says something else than the default.
    pub fn variable(&self, mesh: &Self) -> String {
        let mut object = Map::new();
        let mut add = |key: &str, own: Option<Value>, mesh: Option<Value>, default: Value| {
            let is_default =
                |value: &Option<Value>| value.as_ref().is_none_or(|one| *one == default);
            if is_default(&own) && is_default(&mesh) {
                return;
            }
            if let Some(own) = own {
                object.insert(key.to_owned(), own);
            }
        };
        let text = |text: &Option<String>| text.clone().map(Value::from);
        add(
            "concurrency",
            self.concurrency.map(Value::from),
            mesh.concurrency.map(Value::from),
            Value::Null,
        );
        add(
            "drainDuration",
            text(&self.drain),
            text(&mesh.drain),
            json!(DRAIN_DEFAULT),
        );
        add(
            "statusPort",
            self.status_port.map(Value::from),
            mesh.status_port.map(Value::from),
            json!(well_known::AGENT),
        );
        add(
            "terminationDrainDuration",
            text(&self.termination_drain),
            text(&mesh.termination_drain),
            json!(TERMINATION_DRAIN_DEFAULT),
        );
        Value::Object(object).to_string()
    }
}

fn duration(value: &Value) -> Result<String, Option<&'static str>> {
    let text = value
        .as_str()
        .filter(|text| value::duration(text).is_some());
    Ok(text.ok_or("expected a duration such as 5s")?.to_owned())
}

/// A value of `proxyMetadata`: Istio takes strings; numbers and booleans without quotes are common mistakes that mean what they say.
fn metadata(value: &Value) -> Result<String, Option<&'static str>> {
    match value {
        Value::String(text) => Ok(match scalar::read(text) {
            Scalar::Text(text) | Scalar::Plain(text) => text.to_owned(),
        }),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        _ => Err(Some("expected a string for each name")),
    }
}

/// A value in a problem.
pub fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => match scalar::read(text) {
            Scalar::Text(text) | Scalar::Plain(text) => text.to_owned(),
        },
        other => other.to_string(),
    }
}
