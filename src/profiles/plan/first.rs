//! Parameters that another request gives, and values that share one. Pure.

use std::collections::HashMap;

use super::{Plan, Scalar};

/// The request whose rows are parameters.
#[derive(Debug)]
pub struct First {
    /// Complete but for the parameter sets. Its records are the rows: texts below [`FIRST_GROUP`] in dims, numbers in
    /// measures.
    pub plan: Plan,
    /// The parameters, in the order of [`Plan::params`] behind those of `for_each`.
    pub names: Vec<String>,
}

/// Under which name the values of a row stand, so that none of them is taken for a time.
pub const FIRST_GROUP: &str = "first";
/// The measure that every row has.
pub const FIRST_MARK: &str = "row";

/// Several values of one parameter in one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Index into [`Plan::params`].
    pub index: usize,
    pub size: usize,
    pub separator: Box<str>,
    /// A query parameter that is nothing else is repeated.
    pub repeat: bool,
}

/// Values of a parameter that share a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Several {
    pub values: Vec<Scalar>,
    pub separator: Box<str>,
    pub repeat: bool,
}

impl Batch {
    /// The sets with their values put together: each at the place of its first value, in order.
    pub fn batched(&self, sets: Vec<Vec<Scalar>>) -> Vec<Vec<Scalar>> {
        let mut made: Vec<Vec<Scalar>> = Vec::new();
        let mut open: HashMap<String, usize> = HashMap::new();
        for mut set in sets {
            let value = std::mem::replace(&mut set[self.index], Scalar::Null);
            // Sets that differ elsewhere are other requests.
            let others = format!("{set:?}");
            if let Some(Scalar::Several(list)) = open.get(&others).map(|at| &mut made[*at][self.index])
                && list.values.len() < self.size
            {
                list.values.push(value);
                continue;
            }
            let (separator, repeat) = (self.separator.clone(), self.repeat);
            set[self.index] = Scalar::Several(Box::new(Several { values: vec![value], separator, repeat }));
            open.insert(others, made.len());
            made.push(set);
        }
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_value_is_asked_for_once_and_beside_its_own_parameters(
            sets in prop::collection::vec((0..3_i64, any::<i64>()), 0..60), size in 1..7_usize,
        ) {
            let batch = Batch { index: 1, size, separator: ",".into(), repeat: false };
            let given = sets.iter().map(|(other, value)| vec![Scalar::Integer(*other), Scalar::Integer(*value)]);
            let made = batch.batched(given.collect());
            let mut back = Vec::new();
            for set in &made {
                let [Scalar::Integer(other), Scalar::Several(list)] = set.as_slice() else { panic!("{set:?}") };
                prop_assert!((1..=size).contains(&list.values.len()));
                back.extend(list.values.iter().map(|value| (*other, value.text().parse::<i64>().unwrap())));
            }
            let of = |other: i64| {
                let own = |pair: &&(i64, i64)| pair.0 == other;
                (sets.iter().filter(own).copied().collect::<Vec<_>>(), back.iter().filter(own).copied().collect::<Vec<_>>())
            };
            for other in 0..3 {
                let (given, made) = of(other);
                prop_assert_eq!(given, made);
            }
            let full = made.iter().filter(|set| matches!(&set[1], Scalar::Several(list) if list.values.len() == size));
            prop_assert!(made.len() - full.count() <= 3, "no more than one is not full for each");
        }
    }
}
