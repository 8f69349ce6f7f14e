//! The levels in force, by module.

use std::collections::BTreeMap;
use std::fmt;
use std::fmt::{Debug, Formatter};
use std::sync::Mutex;

use thiserror::Error;
use tracing::metadata::LevelFilter;
use tracing_subscriber::filter::Targets;

use crate::lock::lock;
use crate::logging::loggers::{LOGGERS, modules};

/// A level by Envoy's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Everything. Programs that are built for release log nothing at this level.
    Trace,
    /// Each call, among other things.
    Debug,
    /// What an operator may want to know.
    Info,
    /// What may be wrong.
    Warning,
    /// What is wrong.
    Error,
    /// The same as [`Level::Error`] here.
    Critical,
    /// Nothing.
    Off,
}

/// Neither a logger nor a level.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UnknownName {
    /// There is no such logger.
    #[error("unknown logger {0:?}")]
    Logger(String),
    /// There is no such level.
    #[error("unknown level {0:?}: levels are trace, debug, info, warning, error, critical and off")]
    Level(String),
}

/// The levels in force, and where they are put into force.
pub struct LogLevels {
    /// What the command line says of the modules of others, which have no logger.
    others: Targets,
    levels: Mutex<BTreeMap<&'static str, Level>>,
    apply: Box<dyn Fn(Targets) + Send + Sync>,
}

impl Level {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Trace,
        Self::Debug,
        Self::Info,
        Self::Warning,
        Self::Error,
        Self::Critical,
        Self::Off,
    ];

    /// As Envoy writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
            Self::Off => "off",
        }
    }

    /// Reads a name.
    ///
    /// # Errors
    /// When there is no such level.
    pub fn parse(name: &str) -> Result<Self, UnknownName> {
        let level = Self::ALL.iter().find(|level| level.name() == name);
        let level = level.copied().or(match name {
            "warn" => Some(Self::Warning),
            _ => None,
        });
        level.ok_or_else(|| UnknownName::Level(name.to_owned()))
    }

    fn filter(self) -> LevelFilter {
        match self {
            Self::Trace => LevelFilter::TRACE,
            Self::Debug => LevelFilter::DEBUG,
            Self::Info => LevelFilter::INFO,
            Self::Warning => LevelFilter::WARN,
            Self::Error | Self::Critical => LevelFilter::ERROR,
            Self::Off => LevelFilter::OFF,
        }
    }

    /// The level that a filter has for a module.
    fn of(filter: &Targets, module: &str) -> Self {
        let verbose = [
            (tracing::Level::TRACE, Self::Trace),
            (tracing::Level::DEBUG, Self::Debug),
            (tracing::Level::INFO, Self::Info),
            (tracing::Level::WARN, Self::Warning),
            (tracing::Level::ERROR, Self::Error),
        ];
        let enabled = verbose
            .iter()
            .find(|(level, _)| filter.would_enable(module, level));
        enabled.map_or(Self::Off, |(_, level)| *level)
    }
}

impl LogLevels {
    /// Those of the filter that is in force. `apply` puts another one into force.
    pub fn new(filter: &Targets, apply: impl Fn(Targets) + Send + Sync + 'static) -> Self {
        let modules = LOGGERS.iter().flat_map(|logger| logger.modules);
        let levels = modules.map(|module| (*module, Level::of(filter, module)));
        let is_other = |module: &str| !LOGGERS.iter().any(|logger| logger.has(module));
        let others = filter.iter().filter(|(module, _)| is_other(module));
        let others = others.map(|(module, level)| (module.to_owned(), level));
        let default = filter.default_level().unwrap_or(LevelFilter::OFF);
        Self {
            levels: Mutex::new(levels.collect()),
            others: others.collect::<Targets>().with_default(default),
            apply: Box::new(apply),
        }
    }

    /// The level of each logger.
    pub fn list(&self) -> Vec<(&'static str, Level)> {
        let levels = lock(&self.levels);
        let loggers = LOGGERS.iter();
        loggers
            .filter_map(|logger| Some((logger.name, *levels.get(logger.modules.first()?)?)))
            .collect()
    }

    /// Gives every logger a level, at once.
    pub fn set_all(&self, level: Level) {
        let mut levels = lock(&self.levels);
        levels.values_mut().for_each(|known| *known = level);
        self.put_into_force(&levels);
    }

    /// Gives loggers levels, at once: all of them, or none where one is unknown.
    ///
    /// # Errors
    /// When there is no such logger.
    pub fn set(&self, changes: &[(&str, Level)]) -> Result<(), UnknownName> {
        let mut found = Vec::new();
        for (name, level) in changes {
            let modules = modules(name).ok_or_else(|| UnknownName::Logger((*name).to_owned()))?;
            found.extend(modules.iter().map(|module| (*module, *level)));
        }
        let mut levels = lock(&self.levels);
        levels.extend(found);
        self.put_into_force(&levels);
        Ok(())
    }

    /// Whether there are all of these loggers.
    ///
    /// # Errors
    /// As [`LogLevels::set`].
    pub fn check(&self, changes: &[(&str, Level)]) -> Result<(), UnknownName> {
        let unknown = changes.iter().find(|(name, _)| modules(name).is_none());
        match unknown {
            Some((name, _)) => Err(UnknownName::Logger((*name).to_owned())),
            None => Ok(()),
        }
    }

    fn put_into_force(&self, levels: &BTreeMap<&'static str, Level>) {
        let own = levels
            .iter()
            .map(|(module, level)| (*module, level.filter()));
        (self.apply)(self.others.clone().with_targets(own));
    }
}

impl Debug for LogLevels {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.list()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// Levels that begin with this filter, and the filters that they put into force.
    fn levels(filter: &str) -> (LogLevels, Arc<Mutex<Vec<Targets>>>) {
        let applied = Arc::<Mutex<Vec<Targets>>>::default();
        let sink = Arc::clone(&applied);
        let filter: Targets = filter.parse().expect("a filter");
        let levels = LogLevels::new(&filter, move |filter| lock(&sink).push(filter));
        (levels, applied)
    }

    fn level(levels: &LogLevels, name: &str) -> Level {
        let mut list = levels.list().into_iter();
        list.find(|(known, _)| *known == name).expect(name).1
    }

    #[test]
    fn levels_begin_as_the_command_line_says() {
        let (levels, _) = levels("warn,egret_proxy=info,egret_proxy::dns=debug,h2=off");
        for (name, expected) in [
            ("accept", Level::Info),
            ("dns", Level::Debug),
            ("main", Level::Info),
        ] {
            assert_eq!(level(&levels, name), expected, "{name}");
        }
    }

    #[test]
    fn a_change_is_in_force_for_its_modules_alone() {
        let (levels, applied) = levels("info,h2=warn,egret_proxy::http::serve=trace");
        levels
            .set(&[("http", Level::Debug), ("upstream", Level::Off)])
            .expect("loggers");
        let filter = lock(&applied).pop().expect("a filter");
        let debug = tracing::Level::DEBUG;
        for (module, expected) in [
            ("egret_proxy::http::exchange", true),
            ("egret_proxy::tls", false),
            ("egret_proxy", false),
            ("h2::codec", false),
        ] {
            assert_eq!(filter.would_enable(module, &debug), expected, "{module}");
        }
        assert!(!filter.would_enable("egret_proxy::http::serve", &tracing::Level::TRACE));
        assert!(!filter.would_enable("egret_proxy::dial", &tracing::Level::ERROR));
        assert!(!filter.would_enable("h2", &tracing::Level::INFO));
        assert!(filter.would_enable("hyper", &tracing::Level::INFO));
        levels.set_all(Level::Critical);
        let filter = lock(&applied).pop().expect("a filter");
        assert!(filter.would_enable("egret_proxy::app", &tracing::Level::ERROR));
        assert!(!filter.would_enable("egret_proxy::app", &tracing::Level::WARN));
        assert_eq!(level(&levels, "tls"), Level::Critical);
    }

    #[test]
    fn an_unknown_logger_changes_nothing() {
        let (levels, applied) = levels("info");
        let unknown = levels.set(&[("http", Level::Debug), ("nothing", Level::Debug)]);
        assert_eq!(unknown, Err(UnknownName::Logger("nothing".to_owned())));
        assert!(lock(&applied).is_empty());
        assert_eq!(level(&levels, "http"), Level::Info);
        assert_eq!(levels.set(&[("router", Level::Debug)]), Ok(()));
        assert_eq!(level(&levels, "http"), Level::Debug);
    }

    #[test]
    fn levels_have_envoys_names() {
        for level in Level::ALL {
            assert_eq!(Level::parse(level.name()), Ok(level));
        }
        assert_eq!(Level::parse("warn"), Ok(Level::Warning));
        for unknown in ["", "loud", "DEBUG"] {
            assert!(Level::parse(unknown).is_err(), "{unknown}");
        }
    }
}
