//! The values of one input by key number, and what becomes of several values under one key.

use crate::domain::report::OnDuplicate;

/// One input's values. Bytes per key: a value and a count.
#[derive(Debug)]
pub(super) struct Column {
    policy: OnDuplicate,
    values: Vec<f64>,
    counts: Vec<u32>,
    keys: u64,
    duplicates: u64,
}

/// Why a value was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// The policy is `error` and the key has a value.
    Duplicate,
    /// The sum of the key's values is no finite number any more.
    Overflow,
}

impl Column {
    /// What one key costs here.
    pub(super) const BYTES_PER_KEY: usize = size_of::<f64>() + size_of::<u32>();

    pub(super) fn new(policy: OnDuplicate) -> Self {
        Self { policy, values: Vec::new(), counts: Vec::new(), keys: 0, duplicates: 0 }
    }

    /// Distinct keys that have a value.
    pub(super) fn keys(&self) -> u64 {
        self.keys
    }

    /// Values beyond the first of their key.
    pub(super) fn duplicates(&self) -> u64 {
        self.duplicates
    }

    pub(super) fn add(&mut self, key: u32, value: f64) -> Result<(), Refused> {
        let index = key as usize;
        if index >= self.values.len() {
            self.values.resize(index + 1, 0.0);
            self.counts.resize(index + 1, 0);
        }
        if self.counts[index] == 0 {
            self.keys += 1;
            self.counts[index] = 1;
            self.values[index] = value;
            return Ok(());
        }
        self.duplicates += 1;
        self.counts[index] = self.counts[index].saturating_add(1);
        self.values[index] = self.merge(self.values[index], value)?;
        Ok(())
    }

    fn merge(&self, held: f64, value: f64) -> Result<f64, Refused> {
        match self.policy {
            OnDuplicate::Last => Ok(value),
            OnDuplicate::First => Ok(held),
            OnDuplicate::Min => Ok(held.min(value)),
            OnDuplicate::Max => Ok(held.max(value)),
            OnDuplicate::Sum | OnDuplicate::Mean if (held + value).is_finite() => Ok(held + value),
            OnDuplicate::Sum | OnDuplicate::Mean => Err(Refused::Overflow),
            OnDuplicate::Error => Err(Refused::Duplicate),
        }
    }

    /// The value under `key`, if there is one.
    pub(super) fn get(&self, key: u32) -> Option<f64> {
        let count = self.counts.get(key as usize).copied().filter(|count| *count > 0)?;
        let value = self.values[key as usize];
        Some(if self.policy == OnDuplicate::Mean { value / f64::from(count) } else { value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(policy: OnDuplicate, values: &[f64]) -> Result<f64, Refused> {
        let mut column = Column::new(policy);
        for value in values {
            column.add(3, *value)?;
        }
        assert_eq!((column.keys(), column.duplicates()), (1, values.len() as u64 - 1));
        assert_eq!(column.get(2), None);
        assert_eq!(column.get(4), None);
        Ok(column.get(3).unwrap())
    }

    #[test]
    fn each_policy_does_what_it_says() {
        let values = [2.0, -1.0, 5.0];
        for (policy, expected) in [
            (OnDuplicate::Last, 5.0),
            (OnDuplicate::First, 2.0),
            (OnDuplicate::Min, -1.0),
            (OnDuplicate::Max, 5.0),
            (OnDuplicate::Sum, 6.0),
            (OnDuplicate::Mean, 2.0),
        ] {
            assert_eq!(merged(policy, &values), Ok(expected), "{policy:?}");
        }
        assert_eq!(merged(OnDuplicate::Error, &values), Err(Refused::Duplicate));
        assert_eq!(merged(OnDuplicate::Error, &[7.0]), Ok(7.0));
    }

    #[test]
    fn a_sum_beyond_all_numbers_is_refused() {
        assert_eq!(merged(OnDuplicate::Sum, &[f64::MAX, f64::MAX]), Err(Refused::Overflow));
        assert_eq!(merged(OnDuplicate::Mean, &[f64::MIN, f64::MIN]), Err(Refused::Overflow));
    }
}
