use proptest::prelude::*;

use super::*;

const GOOD: &str = r#"{"dims":{"a":"x"},"measures":{"v":1}}"#;

/// The chunks of a body that arrives in pieces of so many bytes.
fn chunks(body: &[u8], piece_bytes: usize) -> Vec<Chunk> {
    let (mut lines, mut found) = (Lines::default(), Vec::new());
    for mut piece in body.chunks(piece_bytes.max(1)) {
        while !piece.is_empty() {
            found.extend(lines.take(&mut piece));
        }
    }
    found.extend(lines.end());
    found
}

#[test]
fn a_bad_line_is_named_and_the_others_stay() {
    let body = format!("{GOOD}\r\n\n  \n7\n{GOOD}\n\u{fffd}");
    let mut bytes = body.into_bytes();
    bytes.extend_from_slice(&[0xff, b'\n']);
    let found = chunks(&bytes, 3);
    assert_eq!(found.len(), 1);
    let Chunk { records, rejects, rejected, last_line, .. } = &found[0];
    assert_eq!((records.len(), *rejected, *last_line), (2, 2, 6));
    assert_eq!(rejects.iter().map(|reject| reject.index + 1).collect::<Vec<_>>(), [4, 6]);
    assert_eq!(rejects[1].reason, "the line is not UTF-8");
}

#[test]
fn an_endless_line_is_read_over_and_takes_no_memory() {
    let mut lines = Lines::default();
    for _ in 0..100 {
        assert!(lines.take(&mut &[b'x'; 64 << 10][..]).is_none());
        assert!(lines.begun.capacity() <= 2 * MAX_LINE_BYTES + (64 << 10));
    }
    assert!(lines.take(&mut format!("\n{GOOD}").as_bytes()).is_none());
    let chunk = lines.end().unwrap();
    assert_eq!((chunk.records.len(), chunk.rejected, chunk.last_line), (1, 1, 2));
    assert_eq!(chunk.rejects[0].reason, "the line has 6553600 bytes; at most 262144 are taken");
}

#[test]
fn nothing_but_blanks_gives_no_chunk() {
    assert!(chunks(b"", 1).is_empty());
    assert!(chunks(b"\n \r\n\n", 2).is_empty());
}

fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        5 => (0..9_u32).prop_map(|v| format!(r#"{{"dims":{{}},"measures":{{"v":{v}}}}}"#)),
        1 => Just(String::new()),
        1 => "[ -~]{0,12}",
        1 => Just("y".repeat(MAX_LINE_BYTES + 1)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn chunks_do_not_depend_on_how_the_body_arrives(
        lines in prop::collection::vec(line(), 0..40), times in 1..80_usize, pieces in 1..200_000_usize, ended in any::<bool>(),
    ) {
        let mut body = lines.join("\n");
        // Short lines often, so that chunks get full.
        body.push_str(&format!("\n{GOOD}\n7").repeat(times * 40));
        body.push_str(if ended { "\n" } else { "" });
        let found = chunks(body.as_bytes(), pieces);
        prop_assert_eq!(&found, &chunks(body.as_bytes(), 1 << 30));
        let asked = body.lines().filter(|line| !line.trim_ascii().is_empty()).count();
        let told: usize = found.iter().map(|chunk| chunk.records.len() + chunk.rejected as usize).sum();
        prop_assert_eq!(told, asked);
        prop_assert_eq!(found.last().map_or(0, |chunk| chunk.last_line), body.lines().count() as u64);
        let full = &found[..found.len().saturating_sub(1)];
        prop_assert!(full.iter().all(|chunk| chunk.lines <= CHUNK_LINES && chunk.bytes < CHUNK_BYTES + MAX_LINE_BYTES));
    }
}
