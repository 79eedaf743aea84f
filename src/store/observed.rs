//! The observations of a batch, worked out before the writer has its turn. Pure, and the same for every engine.

use crate::domain::batch::Records;
use crate::domain::ids::ProfileId;
use crate::domain::observation::ObservationKey;
use crate::protocol::fault::{Code, Fault};
use crate::store::error::StoreError;

/// The key of a profile that has none, as it is stored.
pub(super) const NO_KEY: &str = "[]";

/// A profile's key as it is stored: a JSON list of paths.
pub(super) fn key_text(dims: &[String]) -> String {
    serde_json::to_string(dims).unwrap_or_else(|_| NO_KEY.into())
}

/// The key that a stored text says; none where the profile has none.
pub(super) fn key_of(profile: &ProfileId, text: Option<&str>) -> Option<ObservationKey> {
    let dims: Vec<String> = serde_json::from_str(text?).ok()?;
    ObservationKey::new(profile, &dims)
}

/// The values of the key's dims, in the key's order, out of pairs of path and value: all of them, and nothing else.
pub(super) fn values_of<'a>(key: &ObservationKey, dims: &'a [(String, String)]) -> Result<Vec<&'a str>, StoreError> {
    let bare = |path: &'a str| path.strip_prefix("dims.").unwrap_or(path);
    let refuse = |at: &str, detail: String| StoreError::Page(Fault::new(Code::InvalidRequest, detail).at(at));
    let named = || key.paths().iter().map(|path| format!("dims.{path}")).collect::<Vec<_>>().join(", ");
    if let Some((path, _)) = dims.iter().find(|(path, _)| !key.paths().iter().any(|wanted| wanted == bare(path))) {
        return Err(refuse(path, format!("{path} is not of the profile's key, which is {}", named())));
    }
    let value = |wanted: &String| {
        let found = dims.iter().find(|(path, _)| bare(path) == wanted).map(|(_, value)| value.as_str());
        let at = format!("dims.{wanted}");
        found.ok_or_else(|| refuse(&at, format!("{at} is missing; an observation is named by {}", named())))
    };
    key.paths().iter().map(value).collect()
}

/// The observation of each distinct record of a batch, by the key that was known when it arrived.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Observed {
    key_text: Option<String>,
    /// Empty where there is no key.
    of: Vec<Option<[u8; 16]>>,
}

impl Observed {
    /// `distinct` are indices into `records`.
    pub(super) fn new(profile: &ProfileId, key_text: Option<&str>, records: &Records, distinct: &[usize]) -> Self {
        let of = match key_of(profile, key_text) {
            Some(key) => distinct.iter().map(|index| key.of_record(records.text(*index))).collect(),
            None => Vec::new(),
        };
        Self { key_text: key_text.map(str::to_owned), of }
    }

    /// Whether it was worked out by this key.
    pub(super) fn is_by(&self, key_text: Option<&str>) -> bool {
        self.key_text.as_deref() == key_text
    }

    pub(super) fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    /// The observation of the distinct record at `place`.
    pub(super) fn at(&self, place: usize) -> Option<[u8; 16]> {
        self.of.get(place).copied().flatten()
    }
}
