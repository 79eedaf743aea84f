//! Changes to a profile that leave it YAML: lines are left out, doubled, moved, or taken from other profiles.

use super::run::{COLUMNS, CSV, CUBE, JSON, XML, block};

/// The profile with one change; `seed` says which.
pub fn change(profile: &str, seed: u32) -> String {
    let mut lines: Vec<&str> = profile.lines().collect();
    let mut next = numbers(seed);
    if lines.is_empty() {
        return profile.to_owned();
    }
    let at = next(lines.len());
    match next(6) {
        0 => drop(lines.remove(at)),
        1 => lines.insert(at, lines[at]),
        2 => {
            let other = next(lines.len());
            lines.swap(at, other);
        }
        kind => {
            let all = [JSON, CSV, COLUMNS, XML, CUBE].concat();
            let other: Vec<&str> = block(all[next(all.len())], 1).lines().collect();
            let line = other[next(other.len())];
            if kind == 3 { lines.insert(at, line) } else { lines[at] = line }
        }
    }
    lines.join("\n")
}

/// Numbers below a bound, one after the other.
fn numbers(seed: u32) -> impl FnMut(usize) -> usize {
    let mut state = u64::from(seed) | 1 << 40;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below.max(1) as u64).unwrap_or(0)
    }
}
