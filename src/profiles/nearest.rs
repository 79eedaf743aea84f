//! The nearest right word to a wrong one, for messages.

/// The word of `words` that is nearest to `wrong`, if it is near enough to be meant.
pub fn nearest<'w>(wrong: &str, words: &[&'w str]) -> Option<&'w str> {
    const MAX_CHARS: usize = 40;
    let wrong: Vec<char> = wrong.to_lowercase().chars().take(MAX_CHARS).collect();
    let allowed = (wrong.len() / 3).clamp(1, 3);
    words
        .iter()
        .map(|word| (distance(&wrong, word), *word))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// Edits between two words, a swap of neighbours counting as one.
fn distance(left: &[char], right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut rows = vec![vec![0; right.len() + 1]; left.len() + 1];
    rows[0] = (0..=right.len()).collect();
    for i in 1..=left.len() {
        rows[i][0] = i;
        for j in 1..=right.len() {
            let same = usize::from(left[i - 1] != right[j - 1]);
            let mut best = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + same);
            if i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[left.len()][right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_slips_and_leaves_strangers_alone() {
        let words = ["measures", "mapping", "missing", "limits", "url"];
        assert_eq!(nearest("measure", &words), Some("measures"));
        assert_eq!(nearest("maping", &words), Some("mapping"));
        assert_eq!(nearest("limtis", &words), Some("limits"));
        assert_eq!(nearest("URL", &words), Some("url"));
        assert_eq!(nearest("colour", &words), None);
    }
}
