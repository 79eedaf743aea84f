//! Which roles a process runs: a closed set with one string form.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::problem::{did_you_mean, nearest};

/// A part of the control plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    Gateway,
    Registry,
    Aggregator,
    Coordinator,
    Reporter,
}

impl Role {
    pub const ALL: [Self; 5] = [Self::Gateway, Self::Registry, Self::Aggregator, Self::Coordinator, Self::Reporter];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Registry => "registry",
            Self::Aggregator => "aggregator",
            Self::Coordinator => "coordinator",
            Self::Reporter => "reporter",
        }
    }

    pub fn default_port(self) -> u16 {
        match self {
            Self::Gateway => 8090,
            Self::Registry => 8091,
            Self::Aggregator => 8092,
            Self::Coordinator => 8093,
            Self::Reporter => 8094,
        }
    }

    /// Whether the role keeps its truth in the store.
    pub fn needs_store(self) -> bool {
        self != Self::Gateway
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One or more roles. Written `all` or `gateway,registry`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleSet(Vec<Role>);

impl RoleSet {
    pub fn all() -> Self {
        Self(Role::ALL.to_vec())
    }

    pub fn holds(&self, role: Role) -> bool {
        self.0.contains(&role)
    }

    pub fn is_all(&self) -> bool {
        self.0.len() == Role::ALL.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = Role> + '_ {
        self.0.iter().copied()
    }

    pub fn needs_store(&self) -> bool {
        self.iter().any(Role::needs_store)
    }

    /// The first in the order of `Role::ALL`; a set is never empty.
    pub fn first(&self) -> Role {
        self.0.first().copied().unwrap_or(Role::Gateway)
    }
}

impl FromStr for RoleSet {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim() == "all" {
            return Ok(Self::all());
        }
        let mut roles = Vec::new();
        for name in text.split(',').map(str::trim) {
            let role = Role::ALL.into_iter().find(|role| role.as_str() == name);
            let role = role.ok_or_else(|| {
                let mend = did_you_mean(nearest(name, Role::ALL.map(Role::as_str)));
                format!(
                    "unknown role {name:?}; expected all, or some of gateway,registry,aggregator,coordinator,reporter\
                     {mend}"
                )
            })?;
            roles.push(role);
        }
        roles.sort_unstable();
        roles.dedup();
        Ok(Self(roles))
    }
}

impl fmt::Display for RoleSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_all() {
            return f.write_str("all");
        }
        let names: Vec<_> = self.iter().map(Role::as_str).collect();
        f.write_str(&names.join(","))
    }
}

impl<'de> Deserialize<'de> for RoleSet {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        String::deserialize(source)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for RoleSet {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_one_string_form() {
        for text in ["all", "gateway,registry", "reporter"] {
            assert_eq!(text.parse::<RoleSet>().unwrap().to_string(), text);
        }
        assert_eq!("reporter, gateway,reporter".parse::<RoleSet>().unwrap().to_string(), "gateway,reporter");
    }

    #[test]
    fn an_unknown_role_is_named() {
        assert!("gatway".parse::<RoleSet>().unwrap_err().contains("\"gatway\""));
        assert!("gatway".parse::<RoleSet>().unwrap_err().ends_with("did you mean gateway?"));
        assert!("".parse::<RoleSet>().is_err());
    }
}
