//! Paths into a record, such as `dims.geo.state`: the names of the members that lead to one leaf.

use crate::domain::record::{MAX_DEPTH, MAX_NAME_BYTES};

/// The half of a record that a path leads into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Half {
    Dims,
    Measures,
}

impl Half {
    /// The member of the record that holds this half.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Dims => "dims",
            Self::Measures => "measures",
        }
    }

    fn example(self) -> &'static str {
        match self {
            Self::Dims => "dims.geo.state",
            Self::Measures => "measures.population.total",
        }
    }
}

/// The member names of `path` from the record's root. The error says what is wrong and what was expected.
pub(super) fn parse(path: &str, half: Half) -> Result<Vec<&str>, String> {
    let names: Vec<&str> = path.split('.').collect();
    if names[0] != half.name() || names.len() < 2 {
        return Err(format!(
            "{path:?} does not begin with \"{}.\"; expected a path like {}",
            half.name(),
            half.example()
        ));
    }
    if names.iter().any(|name| name.is_empty()) {
        return Err(format!("{path:?} has an empty name between dots; expected a path like {}", half.example()));
    }
    if names.iter().any(|name| name.len() > MAX_NAME_BYTES) {
        return Err(format!("a name in it is longer than {MAX_NAME_BYTES} bytes, which no record's is"));
    }
    if names.len() - 1 > MAX_DEPTH {
        return Err(format!("it is {} levels deep; records nest at most {MAX_DEPTH}", names.len() - 1));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_at_dots() {
        assert_eq!(parse("dims.geo.state", Half::Dims).unwrap(), ["dims", "geo", "state"]);
        assert_eq!(parse("measures.x", Half::Measures).unwrap(), ["measures", "x"]);
    }

    #[test]
    fn each_fault_says_what_was_expected() {
        for (path, half, said) in [
            ("", Half::Dims, "\"\" does not begin with \"dims.\"; expected a path like dims.geo.state"),
            ("dims", Half::Dims, "\"dims\" does not begin with \"dims.\"; expected a path like dims.geo.state"),
            (
                "dims.x",
                Half::Measures,
                "\"dims.x\" does not begin with \"measures.\"; expected a path like measures.population.total",
            ),
            ("dims..x", Half::Dims, "\"dims..x\" has an empty name between dots; expected a path like dims.geo.state"),
            ("dims.a.b.c.d.e.f.g.h.i", Half::Dims, "it is 9 levels deep; records nest at most 8"),
        ] {
            assert_eq!(parse(path, half).unwrap_err(), said);
        }
        assert!(parse(&format!("dims.{}", "x".repeat(201)), Half::Dims).unwrap_err().contains("longer than 200 bytes"));
    }
}
