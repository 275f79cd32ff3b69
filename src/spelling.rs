//! "Did you mean …?": the nearest known name to a misspelt one.

/// The known name with the fewest edits from `name`, if it is near enough to be what was meant: at most a third of
/// the letters differ, upper and lower case alike. Of two equally near ones, the one that begins with `name`.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    let edits_max = (name.chars().count() / 3).max(1);
    known
        .map(|candidate| (edits(&name, &candidate.to_lowercase()), candidate))
        .filter(|(edits, _)| *edits <= edits_max)
        .min_by_key(|(edits, candidate)| (*edits, !candidate.to_lowercase().starts_with(&name)))
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance in characters; both are names of ours or cut to that length by the caller.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_wins_and_a_far_one_is_none() {
        let known = ["query", "scope", "limit", "NEXTCLOUD_HOST", "NEXTCLOUD_USERNAME"];
        let nearest = |name| nearest(name, known.iter().copied());
        assert_eq!(nearest("querry"), Some("query"));
        assert_eq!(nearest("Limit"), Some("limit"));
        assert_eq!(nearest("NEXTCLUOD_HOST"), Some("NEXTCLOUD_HOST"));
        assert_eq!(nearest("NEXTCLOUD_USER"), Some("NEXTCLOUD_USERNAME"));
        assert_eq!(nearest("colour"), None);
        assert_eq!(nearest(""), None);
    }
}
