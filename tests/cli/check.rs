//! `validate`, `test`, `diff`, `schema` and `reference`.

use serde_json::Value;

use crate::{File, profile};

const GOOD: &str = "\
id: good
source: {url: 'https://h.example/x'}
rows: {each: $.data}
dims: {geo.name: name}
measures: {v: v}
key: [geo.name]
";

#[test]
fn the_profiles_of_the_repository_are_valid_and_pass_their_own_tests() {
    let (code, out, err) = profile(&["validate", "profiles"]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains(" 0 with problems, 0 unreadable"), "{out}");
    let (code, out, err) = profile(&["test", "profiles"]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains(" 0 without a test"), "every profile has its own test\n{out}");
}

#[test]
fn the_examples_of_the_docs_pass_their_own_tests() {
    let (code, out, err) = profile(&["test", "docs/profiles/examples"]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("16 passed, 0 failed, 0 without a test"), "{out}");
}

#[test]
fn all_problems_of_all_files_are_told_with_their_places() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("a.yaml", &GOOD.replace("measures:", "measure:"));
    write("b.yml", &GOOD.replace("$.data", "'$.['").replace("key: [geo.name]", "key: [geo.code]"));
    write("c.yaml", GOOD);
    write("d.yaml", GOOD);
    write("e.txt", "not a profile");
    let path = folder.path().to_str().unwrap();
    let (code, out, err) = profile(&["validate", path]);
    assert_eq!(code, 1, "{out}{err}");
    assert!(out.contains("4 profiles, 3 with problems, 0 unreadable"), "{out}");
    let caret = "5 | measure: {v: v}\n  | ^\n  = did you mean \"measures\"?";
    for part in ["a.yaml:5:1: unknown key \"measure\"", caret, "b.yml:3:", "b.yml:6:", "c.yaml too; ids must be unique"]
    {
        assert!(err.contains(part), "{part}\n{err}");
    }

    let (code, out, _) = profile(&["validate", path, "--output", "json"]);
    assert_eq!(code, 1);
    let list: Value = serde_json::from_str(&out).unwrap();
    let first = list.as_array().unwrap().iter().find(|found| found["line"] == 5).unwrap();
    assert_eq!((first["line"].as_u64(), first["column"].as_u64()), (Some(5), Some(1)), "{list}");
    assert_eq!(first["hint"], "did you mean \"measures\"?");
    assert!(first["file"].as_str().unwrap().ends_with("a.yaml") && first["message"].is_string());

    assert_eq!(profile(&["validate", path, "/nowhere/x.yaml"]).0, 2);
    let (code, out, _) = profile(&["validate", &File::new("g.yaml", GOOD).path, "--output", "json"]);
    assert_eq!((code, out.trim()), (0, "[]"));
}

#[test]
fn a_test_in_the_profile_is_played_and_tells_what_differs() {
    let with = |expected: &str| {
        let test = format!(
            "{GOOD}test:\n  answers: [{{json: {{data: [{{name: a, v: 1}}, {{name: b, v: 2}}]}}}}]\n  expected:\n{expected}"
        );
        let file = File::new("p.yaml", &test);
        profile(&["test", &file.path])
    };
    let a = "    - {dims: {geo: {name: a}}, measures: {v: 1}}\n";
    let (code, out, _) = with(&format!("{a}    - {{dims: {{geo: {{name: b}}}}, measures: {{v: 2.0}}}}\n"));
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("2 records") && out.contains("1 passed, 0 failed"), "{out}");
    let (code, out, _) = with(&format!("{a}    - {{dims: {{geo: {{name: c}}}}, measures: {{v: 2}}}}\n"));
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("missing  {\"dims\":{\"geo\":{\"name\":\"c\"}}"), "{out}");
    assert!(out.contains("extra    {\"dims\":{\"geo\":{\"name\":\"b\"}}"), "{out}");

    let outside = File::new("p.yaml", &format!("{GOOD}test: {{pages: ../../etc}}\n"));
    let (code, out, _) = profile(&["test", &outside.path]);
    assert_eq!(code, 2, "{out}");
    assert!(out.contains("does not lie beside the profile"), "{out}");
    let (code, out, _) = profile(&["test", &File::new("p.yaml", GOOD).path]);
    assert_eq!(code, 0);
    assert!(out.contains("1 without a test"), "{out}");
}

#[test]
fn a_diff_says_what_it_means_by_its_exit_code() {
    let old = File::new("old.yaml", GOOD);
    for (from, to, code, words) in [
        ("dims:", "dims:", 0, "nothing changes"),
        ("{v: v}", "{v: v, w: w}", 1, "minor     measures.w is new"),
        ("{v: v}", "{v: {from: v, multiply: 1000}}", 2, "breaking  measures.v: multiply: 1000 is new"),
        ("{v: v}", "{volume: v}", 2, "measures.v is now called measures.volume"),
        ("source", "sauce", 3, ""),
    ] {
        let new = File::new("new.yaml", &GOOD.replace(from, to));
        let (found, out, err) = profile(&["diff", &old.path, &new.path]);
        assert_eq!(found, code, "{out}{err}");
        assert!(out.contains(words), "{words}\n{out}");
    }
}

#[test]
fn the_schema_and_the_reference_know_every_key() {
    let (code, out, _) = profile(&["schema"]);
    let schema: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, 0);
    let (_, reference, _) = profile(&["reference"]);
    for key in schema["properties"].as_object().unwrap().keys() {
        assert!(reference.contains(&format!("`{key}`")), "{key}");
    }
}
