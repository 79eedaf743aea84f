//! The records a batch named, as a few bytes: ids in the batch's order, each run of consecutive ids one entry. What a
//! source yields again and again is nearly always such runs, so a set of thousands takes tens of bytes. Pure.
//!
//! An entry is a variable-length number `jump << 1 | is_run`, where `jump` is the distance (zigzag) from the id that
//! would have come next; a run is followed by a variable-length number of further ids.

use thiserror::Error;

/// A packed set did not read back: the database holds bytes that were never written by this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a record set does not read back at byte {0}")]
pub(super) struct BrokenSet(usize);

/// Packs ids in their order.
pub(super) fn pack(ids: &[i64]) -> Vec<u8> {
    let mut out = Vec::with_capacity(16);
    let mut expected = 0;
    let mut rest = ids;
    while let Some(&first) = rest.first() {
        let length = 1 + rest.windows(2).take_while(|pair| pair[1] == pair[0].wrapping_add(1)).count();
        let jump = zigzag(first.wrapping_sub(expected));
        push_number(&mut out, u128::from(jump) << 1 | u128::from(length > 1));
        if length > 1 {
            push_number(&mut out, (length - 1) as u128);
        }
        expected = rest[length - 1].wrapping_add(1);
        rest = &rest[length..];
    }
    out
}

/// The runs of consecutive ids of a packed set, each as first and last id, in order; at most `limit` ids in all, so
/// that broken bytes cannot ask for all memory.
pub(super) fn unpack_ranges(bytes: &[u8], limit: usize) -> Result<Vec<(i64, i64)>, BrokenSet> {
    let mut ranges = Vec::new();
    let (mut at, mut expected, mut left) = (0, 0_i64, limit as u64);
    while at < bytes.len() {
        let entry = take_number(bytes, &mut at)?;
        let jump = u64::try_from(entry >> 1).map_err(|_| BrokenSet(at))?;
        let first = expected.wrapping_add(unzigzag(jump));
        let further = if entry & 1 == 1 { take_number(bytes, &mut at)? } else { 0 };
        let further = u64::try_from(further).ok().filter(|further| *further < left).ok_or(BrokenSet(at))?;
        let last = first.checked_add_unsigned(further).ok_or(BrokenSet(at))?;
        left -= further + 1;
        ranges.push((first, last));
        expected = last.wrapping_add(1);
    }
    Ok(ranges)
}

/// The ids of a packed set, in order; at most `limit`.
pub(super) fn unpack(bytes: &[u8], limit: usize) -> Result<Vec<i64>, BrokenSet> {
    Ok(unpack_ranges(bytes, limit)?.into_iter().flat_map(|(first, last)| first..=last).collect())
}

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

fn push_number(out: &mut Vec<u8>, mut number: u128) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn take_number(bytes: &[u8], at: &mut usize) -> Result<u128, BrokenSet> {
    let mut number = 0;
    for shift in (0..70).step_by(7) {
        let byte = *bytes.get(*at).ok_or(BrokenSet(*at))?;
        *at += 1;
        number |= u128::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(BrokenSet(*at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn thousands_in_a_row_take_a_few_bytes() {
        let ids: Vec<i64> = (5_000_000..5_005_000).collect();
        let packed = pack(&ids);
        assert!(packed.len() <= 6, "{} bytes", packed.len());
        assert_eq!(unpack(&packed, 5_000).unwrap(), ids);
        assert!(pack(&[]).is_empty());
    }

    #[test]
    fn broken_bytes_are_refused_and_ask_for_no_memory() {
        assert!(unpack(&[0x80], 10).is_err());
        assert!(unpack(&[0xff; 16], 10).is_err());
        assert!(unpack(&pack(&(0..11).collect::<Vec<_>>()), 10).is_err());
    }

    proptest! {
        #[test]
        fn any_order_comes_back(ids in prop::collection::vec(prop_oneof![0..50_i64, 1..i64::MAX], 0..200)) {
            prop_assert_eq!(unpack(&pack(&ids), 200).unwrap(), ids);
        }

        #[test]
        fn any_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(unpack(&bytes, 1_000).map_or(true, |ids| ids.len() <= 1_000));
        }
    }
}
