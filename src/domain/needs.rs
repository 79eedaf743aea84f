//! What a profile needs of the drones that run it, and what a drone offers. Both sides of placement; which of several
//! fitting drones it is, is decided elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};

use super::fleet::Labels;

/// The most drones that run one profile.
pub const MAX_REPLICAS: u32 = 100;
/// The most names of secrets that a drone tells.
pub const MAX_SECRETS: usize = 1_000;
/// The heaviest drone takes so many times the work of the lightest.
pub const MAX_WEIGHT: u32 = 100;

/// What a profile needs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Needs {
    /// Each of these labels has one of its values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, BTreeSet<String>>,
    /// Names of secrets.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub secrets: BTreeSet<String>,
    /// On how many drones it runs.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub replicas: u32,
}

fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
fn is_one(number: &u32) -> bool {
    *number == 1
}

impl Default for Needs {
    fn default() -> Self {
        Self { labels: BTreeMap::new(), secrets: BTreeSet::new(), replicas: 1 }
    }
}

/// What a drone offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    pub labels: Labels,
    /// Names of the secrets it holds. `None`: a drone that does not tell; it is taken to have them all.
    pub secrets: Option<BTreeSet<String>>,
    /// The most profiles it takes; `None`: as many as come.
    pub capacity: Option<u32>,
    /// Its share compared with others, 1 to [`MAX_WEIGHT`].
    pub weight: u32,
}

impl Default for Offer {
    fn default() -> Self {
        Self { labels: Labels::new(), secrets: None, capacity: None, weight: 1 }
    }
}

/// One thing that a profile needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need<'a> {
    Label(&'a str, &'a BTreeSet<String>),
    Secret(&'a str),
}

impl Needs {
    /// Everything that is needed of each drone.
    pub fn each(&self) -> impl Iterator<Item = Need<'_>> {
        let labels = self.labels.iter().map(|(key, values)| Need::Label(key, values));
        labels.chain(self.secrets.iter().map(|name| Need::Secret(name)))
    }

    pub fn are_met_by(&self, offer: &Offer) -> bool {
        self.each().all(|need| need.is_met_by(offer))
    }
}

impl Need<'_> {
    pub fn is_met_by(self, offer: &Offer) -> bool {
        match self {
            Self::Label(key, values) => offer.labels.get(key).is_some_and(|value| values.contains(value)),
            Self::Secret(name) => offer.secrets.as_ref().is_none_or(|names| names.contains(name)),
        }
    }
}

impl fmt::Display for Need<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Label(key, values) => {
                write!(out, "the label {key}: ")?;
                for (place, value) in values.iter().enumerate() {
                    out.write_str(if place == 0 { "" } else { " or " })?;
                    out.write_str(value)?;
                }
                Ok(())
            }
            Self::Secret(name) => {
                out.write_str("the secret ")?;
                out.write_str(name)?;
                out.write_char(' ')?;
                write!(out, "(CHARTLY_SECRET_{name})")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(labels: &[(&str, &[&str])], secrets: &[&str]) -> Needs {
        let values = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        Needs {
            labels: labels.iter().map(|(key, all)| ((*key).to_owned(), values(all))).collect(),
            secrets: secrets.iter().map(|name| (*name).to_owned()).collect(),
            replicas: 1,
        }
    }

    #[test]
    fn every_label_and_every_secret_is_needed() {
        let needs = needs(&[("region", &["eu", "uk"]), ("tier", &["edge"])], &["KEY"]);
        let offer = |region: &str, secrets: Option<&[&str]>| Offer {
            labels: Labels::from([("region".into(), region.into()), ("tier".into(), "edge".into())]),
            secrets: secrets.map(|names| names.iter().map(|name| (*name).to_owned()).collect()),
            ..Offer::default()
        };
        assert!(needs.are_met_by(&offer("uk", Some(&["KEY", "OTHER"]))));
        assert!(needs.are_met_by(&offer("eu", None)), "an older drone does not tell its secrets");
        assert!(!needs.are_met_by(&offer("us", Some(&["KEY"]))));
        assert!(!needs.are_met_by(&offer("eu", Some(&[]))));
        assert!(!needs.are_met_by(&Offer::default()));
        let told: Vec<_> = needs.each().map(|need| need.to_string()).collect();
        assert_eq!(told, ["the label region: eu or uk", "the label tier: edge", "the secret KEY (CHARTLY_SECRET_KEY)"]);
    }

    #[test]
    fn needs_come_back_from_their_text_and_the_usual_ones_are_short() {
        assert_eq!(serde_json::to_string(&Needs::default()).unwrap(), "{}");
        let needs = Needs { replicas: 3, ..needs(&[("region", &["eu"])], &["KEY"]) };
        let text = serde_json::to_string(&needs).unwrap();
        assert_eq!(serde_json::from_str::<Needs>(&text).unwrap(), needs);
    }
}
