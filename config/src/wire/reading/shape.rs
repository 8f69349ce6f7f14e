//! How a value of a document is read, and the fields without effect.

use std::cell::RefCell;

use crate::wire::reading::any::{AnyMap, AnyValue, ShapeError};
use crate::wire::reading::names::{camel_case, nearest};
use crate::wire::unsupported::Message;

/// One step from a document's root towards a value.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// A field of a shape, in its snake-case name.
    Field(&'static str),
    /// A key of a map whose keys belong to the user.
    Key(String),
    /// An element of a list.
    Index(usize),
}

/// A field that will have no effect.
#[derive(Clone, Debug)]
pub(crate) struct Ignored {
    /// The whole path, as `spec.http[0].rout`.
    pub(crate) path: String,
    /// The last part of the path.
    pub(crate) key: String,
    /// Why.
    pub(crate) reason: IgnoredReason,
}

/// Why a field has no effect.
#[derive(Clone, Debug)]
pub(crate) enum IgnoredReason {
    /// No shape has it; maybe a known field of the same object has nearly the same name.
    Unknown(Option<String>),
    /// egret does not act on it yet; what happens, and what to write instead.
    Unsupported(Message),
}

/// The most fields without effect that are reported of a document.
const IGNORED_MAX: usize = 50;

/// The position of the reader of one document, and the fields without effect so far.
///
/// The path is kept when a value cannot be read, so that it is the location of the error.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    path: RefCell<Vec<Step>>,
    ignored: RefCell<Vec<Ignored>>,
}

impl Reading {
    /// The path of the value being read.
    pub(crate) fn path(&self) -> String {
        let mut text = String::new();
        for step in self.path.borrow().iter() {
            match step {
                Step::Field(name) => push_key(&mut text, &camel_case(name)),
                Step::Key(key) => push_key(&mut text, key),
                Step::Index(index) => text.push_str(&format!("[{index}]")),
            }
        }
        text
    }

    /// Takes the fields so far that will have no effect.
    pub(crate) fn take_ignored(&self) -> Vec<Ignored> {
        self.ignored.take()
    }

    /// Notes a field that is none of `names`.
    pub(crate) fn note_unknown(&self, key: &str, names: &[&[&'static str]]) {
        self.note(key, IgnoredReason::Unknown(nearest(key, names)));
    }

    /// Notes a known field that egret does not act on yet.
    pub(crate) fn note_unsupported(&self, key: &str, message: Message) {
        self.note(key, IgnoredReason::Unsupported(message));
    }

    fn note(&self, key: &str, reason: IgnoredReason) {
        if self.ignored.borrow().len() == IGNORED_MAX {
            return;
        }
        let mut path = self.path();
        push_key(&mut path, key);
        let key = key.to_owned();
        self.ignored
            .borrow_mut()
            .push(Ignored { path, key, reason });
    }

    /// Reads the value of the known field `name`.
    pub(crate) fn field<'de, T: Shape<'de>>(
        &self,
        map: &mut dyn AnyMap<'de>,
        name: &'static str,
    ) -> Result<T, ShapeError> {
        let mut value = None;
        self.step(Step::Field(name), || {
            map.value(&mut |from| {
                value = Some(T::read(from, self)?);
                Ok(())
            })
        })?;
        value.ok_or_else(|| ShapeError::Rule("a field has a value".to_owned()))
    }

    /// Reads `spec` into the shape that its kind chose.
    pub(crate) fn spec<'de, T: Shape<'de>>(
        &self,
        map: &mut dyn AnyMap<'de>,
        spec: &mut T,
    ) -> Result<bool, ShapeError> {
        *spec = self.field(map, "spec")?;
        Ok(true)
    }

    /// Reads with one step more in the path.
    pub(super) fn step<T>(
        &self,
        step: Step,
        read: impl FnOnce() -> Result<T, ShapeError>,
    ) -> Result<T, ShapeError> {
        self.path.borrow_mut().push(step);
        let value = read()?;
        self.path.borrow_mut().pop();
        Ok(value)
    }
}

fn push_key(path: &mut String, key: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(key);
}

/// Something that can be read from a document; `null` gives the unset value.
pub(crate) trait Shape<'de>: Sized {
    /// Reads it from a value.
    fn read(from: &mut dyn AnyValue<'de>, reading: &Reading) -> Result<Self, ShapeError>;

    /// What it is made of, for the comparison with Istio's schema.
    #[cfg(test)]
    fn schema() -> crate::wire::schema::Schema {
        crate::wire::schema::Schema::Scalar
    }
}
