//! The list of problems that grows while a profile is compiled.

use crate::profiles::node::{At, Place};
use crate::profiles::path::Path;
use crate::profiles::problem::Problem;
use crate::profiles::template::Template;

#[derive(Default)]
pub struct Notes {
    pub problems: Vec<Problem>,
}

impl Notes {
    pub fn add(&mut self, place: Place, message: impl Into<String>) {
        self.problems.push(Problem::new(place, message));
    }

    pub fn add_with_hint(&mut self, place: Place, message: impl Into<String>, hint: impl Into<String>) {
        self.problems.push(Problem::new(place, message).hint(hint));
    }

    /// The value, or `None` with the problem noted.
    pub fn keep<T>(&mut self, place: Place, result: Result<T, String>) -> Option<T> {
        result.map_err(|message| self.add(place, message)).ok()
    }

    pub fn path(&mut self, text: &At<String>) -> Option<Path> {
        self.keep(text.place, Path::parse(&text.value).map_err(|error| format!("{:?}: {error}", text.value)))
    }

    pub fn template(&mut self, text: &At<String>) -> Option<Template> {
        self.keep(text.place, Template::parse(&text.value))
    }
}
