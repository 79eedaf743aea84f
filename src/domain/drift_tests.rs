use super::*;
use proptest::prelude::*;

const RULE: DriftRule = DriftRule { then: Then::Keep, fewer_rows: Some(0.5), new_fields: NewFields::Note };

fn a_field(name: &str, present: u64, missing: u64, unread: u64, types: &[JsonType]) -> FieldShape {
    FieldShape { name: name.into(), present, missing, unread, types: types.to_vec() }
}

/// A run of `rows` rows, all with `name` and `value`.
fn plain(rows: u64) -> RunShape {
    RunShape {
        rows,
        looked_at: rows,
        names: [("name".to_owned(), rows), ("value".to_owned(), rows)].into(),
        fields: vec![
            a_field("dims.name", rows, 0, 0, &[JsonType::Text]),
            a_field("measures.value", rows, 0, 0, &[JsonType::Number]),
        ],
    }
}

fn kinds(changes: &[Change]) -> Vec<(&str, ChangeKind)> {
    changes.iter().map(|change| (change.field.as_str(), change.kind)).collect()
}

#[test]
fn the_first_run_has_nothing_to_be_compared_with() {
    assert_eq!(judge(&RULE, &[], &plain(5), true), []);
}

#[test]
fn each_change_is_named_with_before_and_after() {
    let history = [plain(100), plain(100)];
    let mut gone = plain(100);
    gone.names = [("name".to_owned(), 100), ("val".to_owned(), 100)].into();
    gone.fields[1] = a_field("measures.value", 0, 100, 0, &[]);
    assert_eq!(
        kinds(&judge(&RULE, &history, &gone, true)),
        [("measures.value", ChangeKind::Gone), ("rows.value", ChangeKind::Gone), ("rows.val", ChangeKind::New)]
    );

    let mut quoted = plain(100);
    quoted.fields[1].types = vec![JsonType::Text];
    let changes = judge(&RULE, &history, &quoted, true);
    assert_eq!((changes[0].before.as_str(), changes[0].after.as_str()), ("number", "text"));

    let mut empty = plain(100);
    empty.fields[1] = a_field("measures.value", 0, 100, 0, &[JsonType::Null]);
    assert_eq!(kinds(&judge(&RULE, &history, &empty, true)), [("measures.value", ChangeKind::Missing)]);
    empty.fields[1] = a_field("measures.value", 0, 0, 100, &[JsonType::Text]);
    assert_eq!(kinds(&judge(&RULE, &history, &empty, true)), [("measures.value", ChangeKind::Unread)]);
    empty.fields[1] = a_field("measures.value", 40, 0, 60, &[JsonType::Number]);
    assert_eq!(kinds(&judge(&RULE, &history, &empty, true)), [("measures.value", ChangeKind::Unread)]);
}

#[test]
fn far_fewer_rows_are_told_and_a_few_less_are_not() {
    let history = [plain(100), plain(90), plain(500)];
    assert_eq!(kinds(&judge(&RULE, &history, &plain(49), true)), [("rows", ChangeKind::Rows)]);
    assert_eq!(judge(&RULE, &history, &plain(50), true), []);
    assert_eq!(judge(&RULE, &history, &plain(1), false), [], "a run that was cut short is not compared");
    let off = DriftRule { fewer_rows: None, ..RULE };
    assert_eq!(judge(&off, &history, &plain(1), true), []);
    let few = [plain(3), plain(1), plain(2)];
    assert_eq!(judge(&RULE, &few, &plain(1), true), [], "small counts vary by themselves");
    assert_eq!(kinds(&judge(&RULE, &few, &plain(0), true)), [("rows", ChangeKind::Rows)]);
    assert_eq!(judge(&RULE, &few[..2], &plain(0), true), []);
}

#[test]
fn a_rare_field_may_be_absent_by_chance() {
    let mut before = plain(1_000);
    before.fields.push(a_field("measures.rare", 1, 999, 0, &[JsonType::Number]));
    let mut after = plain(1_000);
    after.fields.push(a_field("measures.rare", 0, 1_000, 0, &[]));
    assert_eq!(judge(&RULE, &[before.clone()], &after, true), []);
    before.fields[2] = a_field("measures.rare", 20, 980, 0, &[JsonType::Number]);
    assert_eq!(kinds(&judge(&RULE, &[before], &after, true)), [("measures.rare", ChangeKind::Gone)]);
}

#[test]
fn new_members_are_noted_ignored_or_a_drift() {
    let mut more = plain(100);
    more.names.insert("extra".into(), 100);
    let noted = judge(&RULE, &[plain(100)], &more, true);
    assert_eq!(kinds(&noted), [("rows.extra", ChangeKind::New)]);
    assert!(!is_drift(&RULE, &noted));
    let strict = DriftRule { new_fields: NewFields::Drift, ..RULE };
    assert!(is_drift(&strict, &judge(&strict, &[plain(100)], &more, true)));
    let deaf = DriftRule { new_fields: NewFields::Ignore, ..RULE };
    assert_eq!(judge(&deaf, &[plain(100)], &more, true), []);
    more.names.insert("extra".into(), 3);
    assert_eq!(judge(&RULE, &[plain(100)], &more, true), [], "a member that few rows have is no news");
}

#[test]
fn an_answer_without_rows_does_not_make_the_fields_forgotten() {
    let history = vec![plain(100); 3];
    let nothing = RunShape::default();
    let changes = judge(&RULE, &history, &nothing, true);
    let history = accepted(&RULE, history, nothing.clone(), &changes);
    assert_eq!(judge(&RULE, &history, &nothing, true), [], "told once");
    let mut back = plain(100);
    back.fields[1].types = vec![JsonType::Text];
    assert_eq!(kinds(&judge(&RULE, &history, &back, true)), [("measures.value", ChangeKind::Type)]);
}

fn any_field() -> impl Strategy<Value = FieldShape> {
    let types = prop::collection::vec(prop::sample::select(JsonType::ALL.to_vec()), 0..3);
    ("[a-c]", 0_u64..200, 0_u64..200, 0_u64..200, types)
        .prop_map(|(name, present, missing, unread, types)| FieldShape { name, present, missing, unread, types })
}

fn any_shape() -> impl Strategy<Value = RunShape> {
    let names = prop::collection::btree_map("[a-f]", 0_u64..100, 0..6);
    let fields = prop::collection::vec(any_field(), 0..4);
    (0_u64..300, 0_u64..100, names, fields).prop_map(|(rows, looked_at, names, mut fields)| {
        fields.sort_by(|left, right| left.name.cmp(&right.name));
        fields.dedup_by(|left, right| left.name == right.name);
        RunShape { rows, looked_at, names, fields }.bounded()
    })
}

fn any_rule() -> impl Strategy<Value = DriftRule> {
    let new = prop::sample::select(vec![NewFields::Note, NewFields::Ignore, NewFields::Drift]);
    (prop::option::of(0.0..1.0), new).prop_map(|(fewer_rows, new_fields)| DriftRule {
        then: Then::Keep,
        fewer_rows,
        new_fields,
    })
}

proptest! {
    /// A model in small: what is told of any run is told once, whatever came before.
    #[test]
    fn what_was_told_and_accepted_is_not_told_again(
        rule in any_rule(),
        runs in prop::collection::vec(any_shape(), 1..20),
        times in 1_usize..4,
    ) {
        let mut history = Vec::new();
        for shape in runs {
            for time in 0..times {
                let changes = judge(&rule, &history, &shape, true);
                prop_assert!(time == 0 || !is_drift(&rule, &changes), "told again: {changes:?}");
                history = accepted(&rule, history, shape.clone(), &changes);
                prop_assert!((1..=HISTORY).contains(&history.len()));
            }
        }
    }

    #[test]
    fn a_run_like_all_before_it_never_drifts(rule in any_rule(), shape in any_shape(), runs in 1_usize..12) {
        prop_assert_eq!(judge(&rule, &vec![shape.clone(); runs], &shape, true), []);
    }

    /// Every field that all rows had and none has is found, however the rest varies.
    #[test]
    fn a_field_that_vanishes_is_always_told(rows in 1_u64..10_000, runs in 1_usize..10, kind in 0_u8..3) {
        let mut after = plain(rows);
        after.fields[1] = match kind {
            0 => a_field("measures.value", 0, rows, 0, &[]),
            1 => a_field("measures.value", 0, rows, 0, &[JsonType::Null]),
            _ => a_field("measures.value", 0, 0, rows, &[JsonType::Text]),
        };
        let changes = judge(&RULE, &vec![plain(rows); runs], &after, true);
        prop_assert_eq!(changes.iter().filter(|change| change.field == "measures.value").count(), 1);
    }
}
