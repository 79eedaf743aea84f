//! What is kept comes back, or is seen to be torn; what is bounded stays in its bounds; no secret reaches the disk.

use proptest::prelude::*;
use url::Url;

use super::*;
use crate::pipeline::request::PlacedSecret;
use crate::pipeline::testing;
use crate::profiles::plan::Method;
use crate::profiles::{Profile, load};

const SECRET: &str = "s3cr+t/of\"35 &c";

fn request(target: &str, secret: Option<(&str, SecretPlace)>) -> Outgoing {
    let url = Url::parse(&format!("https://h.example{target}")).unwrap();
    let secret = secret.map(|(value, place)| PlacedSecret {
        value: value.into(),
        place,
        name: "key".into(),
        home: url.origin(),
    });
    Outgoing { method: Method::Get, url, headers: Vec::new(), body: None, secret, hidden: Vec::new(), home_only: false }
}

fn answer(body: &[u8]) -> Answer {
    let headers = vec![
        ("content-type".to_owned(), "application/json".to_owned()),
        ("set-cookie".to_owned(), "session=1".to_owned()),
        ("link".to_owned(), format!("<https://h.example/x?key={SECRET}>; rel=next")),
    ];
    Answer {
        status: 200,
        body: body.to_vec(),
        content_type: None,
        etag: None,
        last_modified: None,
        next_link: None,
        retry_after: None,
        headers,
        url: Url::parse("https://h.example/").unwrap(),
    }
}

fn profile(keep: &str) -> Profile {
    let text = format!(
        "id: p\nsource: {{url: 'https://h/'}}\nrows: {{each: $}}\nmeasures: {{v: v}}\nkeep: {{answers: {keep}}}\n"
    );
    load(&text).unwrap_or_else(|problems| panic!("{problems}"))
}

fn head(number: i64) -> KeptHead {
    KeptHead {
        run_id: RunId::parse(&format!("run-{number}")).unwrap(),
        profile_id: ProfileId::parse("p").unwrap(),
        profile_digest: *profile("true").digest(),
        started_ms: number,
        cursor: None,
    }
}

fn end(finished_ms: i64) -> KeptEnd {
    KeptEnd { state: RunState::Succeeded, finished_ms }
}

/// Keeps a run of these bodies through the keeper, as a run does.
async fn keep(runs: &KeptRuns, profile: &Profile, number: i64, bodies: &[&[u8]]) -> Result<(), KeepError> {
    let writer = runs.begin(profile, head(number)).unwrap().expect("the profile keeps answers");
    let keeper = Keeper::new(Shelf::Run(writer));
    for (page, body) in bodies.iter().enumerate() {
        let asked = request(&format!("/x?page={page}"), Some((SECRET, SecretPlace::Query)));
        let back = keeper.keep(&asked, answer(body), number).await;
        assert_eq!(back.body, *body, "the run gets the answer as it came");
    }
    let Shelf::Run(writer) = keeper.end()? else { panic!("it was a run") };
    runs.keep(writer, end(number))
}

fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        b"abcdefghijklmnopqrstuvwxyz0123456789"[(state >> 33) as usize % 36]
    };
    (0..bytes).map(|_| next()).collect()
}

#[tokio::test]
async fn what_was_kept_comes_back_without_the_secret() {
    let folder = tempfile::tempdir().unwrap();
    let runs = KeptRuns::open(folder.path(), u64::MAX);
    let echo = format!("{{\"asked\":{}}}", serde_json::Value::from(SECRET));
    keep(&runs, &profile("true"), 7, &[b"[1]", echo.as_bytes()]).await.unwrap();
    let files = runs.runs(&head(7).profile_id, &RunFilter::default());
    assert_eq!((files.len(), files[0].started_ms, files[0].run_id.as_str()), (1, 7, "run-7"));
    assert!(KeptRuns::text_of(&files[0]).unwrap().contains("keep: {answers: true}"));

    let run = KeptRun::open(&files[0].path).unwrap();
    assert_eq!((run.head(), run.end(), run.len()), (&head(7), end(7), 2));
    let asked = identity(&request("/x?page=1", None));
    assert_eq!(run.answers_to(&asked), [(1, 200)], "who asks without the secret asks the same");
    let (kept, body) = run.answer(1, 1_000).unwrap();
    assert_eq!(body, b"{\"asked\":\"[secret]\"}");
    assert_eq!(kept.url, "https://h.example/x?page=1");
    let names: Vec<&str> = kept.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["content-type", "link"]);
    assert!(kept.headers[1].1.contains("key=[secret]"), "{kept:?}");
    assert_eq!(runs.totals(), KeptTotals { runs: 1, bytes: std::fs::metadata(&files[0].path).unwrap().len() });
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_own_user_reads_what_is_kept() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let runs = KeptRuns::open(&folder.path().join("kept"), u64::MAX);
    keep(&runs, &profile("true"), 7, &[b"[1]"]).await.unwrap();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder.path().join("kept/p")), 0o700);
    for entry in std::fs::read_dir(folder.path().join("kept/p")).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[tokio::test]
async fn a_torn_file_is_seen_wherever_it_is_torn() {
    let folder = tempfile::tempdir().unwrap();
    let runs = KeptRuns::open(folder.path(), u64::MAX);
    keep(&runs, &profile("true"), 7, &[&noise(1, 300), &noise(2, 300)]).await.unwrap();
    let path = runs.runs(&head(7).profile_id, &RunFilter::default())[0].path.clone();
    let whole = std::fs::read(&path).unwrap();
    for length in 0..whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        assert!(KeptRun::open(&path).is_err(), "cut at {length} of {}", whole.len());
    }
    for place in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[place] ^= 0x10;
        std::fs::write(&path, &damaged).unwrap();
        let Ok(run) = KeptRun::open(&path) else { continue };
        for page in [0, 1] {
            // A bit that says nothing may be any.
            let harmless = |(_, body): (KeptAnswer, Vec<u8>)| body == noise(page + 1, 300);
            let read = run.answer(usize::try_from(page).unwrap(), 1_000);
            assert!(read.is_err() || read.is_ok_and(harmless), "byte {place} of {} went unseen", whole.len());
        }
    }
}

#[tokio::test]
async fn a_run_that_was_never_finished_is_cleared_away() {
    let folder = tempfile::tempdir().unwrap();
    let runs = KeptRuns::open(folder.path(), u64::MAX);
    let writer = runs.begin(&profile("true"), head(3)).unwrap().unwrap();
    std::mem::forget(writer);
    assert!(runs.runs(&head(3).profile_id, &RunFilter::default()).is_empty());
    let parts = || std::fs::read_dir(folder.path().join("p")).unwrap().flatten().filter(|one| has_part(&one.path()));
    assert_eq!(parts().count(), 1);
    drop(runs);
    KeptRuns::open(folder.path(), u64::MAX);
    assert_eq!(parts().count(), 0);
    // One that is given up leaves nothing either.
    let runs = KeptRuns::open(folder.path(), u64::MAX);
    drop(runs.begin(&profile("true"), head(3)).unwrap().unwrap());
    assert_eq!(parts().count(), 0);
}

#[tokio::test]
async fn packed_answers_behind_a_sign_in_are_kept_and_their_secrets_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let runs = KeptRuns::open(folder.path(), u64::MAX);
    let echo = format!("asked with {SECRET}, 1,2");
    let bodies = [
        testing::gzip(b"a,b\n1,2\n"),
        testing::zip(&[("read.me", false, b"hello"), ("data.csv", true, b"a,b\n1,2\n")]),
        testing::gzip(echo.as_bytes()),
    ];
    let bodies: Vec<&[u8]> = bodies.iter().map(Vec::as_slice).collect();
    keep(&runs, &profile("true"), 7, &bodies).await.unwrap();
    let run = KeptRun::open(&runs.runs(&head(7).profile_id, &RunFilter::default())[0].path).unwrap();
    assert_eq!(run.answer(0, 10_000).unwrap().1, bodies[0]);
    assert_eq!(run.answer(1, 10_000).unwrap().1, bodies[1]);
    assert_eq!(run.answer(2, 10_000).unwrap().1, testing::gzip(b"asked with [secret], 1,2"));
    for (number, files) in [(8, ("data.csv", true)), (9, ("data.csv", false))] {
        let zip = testing::zip(&[("read.me", true, b"hello"), (files.0, files.1, echo.as_bytes())]);
        let refused = keep(&runs, &profile("true"), number, &[&zip]).await.unwrap_err();
        assert!(refused.to_string().contains("zip file that holds the secret"), "{refused}");
    }
}

fn has_part(path: &std::path::Path) -> bool {
    path.extension().is_some_and(|ending| ending == super::runs::PART)
}

#[tokio::test]
async fn what_cannot_be_kept_safely_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let runs = KeptRuns::open(folder.path(), u64::MAX);
    let tried = async |profile: &Profile, body: &[u8], secret: Option<(&str, SecretPlace)>| {
        let keeper = Keeper::new(Shelf::Run(runs.begin(profile, head(1)).unwrap().unwrap()));
        keeper.keep(&request("/", secret), answer(body), 1).await;
        keeper.keep(&request("/", secret), answer(b"[]"), 1).await;
        let kept = keeper.end().map(|_| ()).map_err(|error| error.to_string());
        assert_eq!(
            std::fs::read_dir(folder.path().join("p")).unwrap().flatten().filter(|one| has_part(&one.path())).count(),
            0
        );
        kept.err().unwrap_or_default()
    };
    let query = |value| Some((value, SecretPlace::Query));
    assert_eq!(tried(&profile("true"), b"[2024]", query("2025")).await, "");
    assert!(tried(&profile("true"), b"[2024]", query("2024")).await.contains("too short"));
    assert!(tried(&profile("true"), b"PK\x03\x04", query(SECRET)).await.contains("packed"));
    assert_eq!(tried(&profile("true"), b"PK\x03\x04", None).await, "");
    assert!(tried(&profile("{max_bytes: 900}"), &noise(1, 4_000), None).await.contains("900 bytes"));
    let basic = Some(("somebody:hunter22", SecretPlace::Basic));
    let keeper = Keeper::new(Shelf::Run(runs.begin(&profile("true"), head(2)).unwrap().unwrap()));
    keeper.keep(&request("/", basic), answer(b"hunter22 c29tZWJvZHk6aHVudGVyMjI="), 1).await;
    let Shelf::Run(writer) = keeper.end().unwrap() else { panic!("it was a run") };
    runs.keep(writer, end(2)).unwrap();
    let kept = KeptRun::open(&runs.runs(&head(2).profile_id, &RunFilter::default())[0].path).unwrap();
    assert_eq!(kept.answer(0, 100).unwrap().1, b"[secret] [secret]");
}

#[test]
fn what_a_request_may_give_back_is_taken_out_wherever_it_came_from() {
    let signed = request("/", Some(("a-token-of-today", SecretPlace::Bearer)));
    let signed = Outgoing { hidden: vec!["client-secret/9".into(), "another-key-1".into()], ..signed };
    let body = b"a-token-of-today client-secret\\/9 client-secret%2F9 another-key-1";
    let clean = Redactor::of(&signed).body(body).unwrap().into_owned();
    assert_eq!(String::from_utf8(clean).unwrap(), "[secret] [secret] [secret] [secret]");
}

#[tokio::test]
async fn the_operator_bounds_all_profiles_together() {
    let folder = tempfile::tempdir().unwrap();
    let runs = KeptRuns::open(folder.path(), 8_000);
    for number in 1..=6 {
        keep(&runs, &profile("true"), number, &[&noise(number.unsigned_abs(), 2_500)]).await.unwrap();
    }
    assert!(runs.totals().bytes <= 8_000, "{:?}", runs.totals());
    assert!(runs.totals().runs >= 2);
    assert!(KeptRuns::open(folder.path(), 0).begin(&profile("true"), head(9)).unwrap().is_none());
    assert!(runs.begin(&profile("false"), head(9)).unwrap().is_none());
}

/// Takes whatever comes.
#[derive(Default)]
struct Taken(Vec<String>);

impl crate::pipeline::Sink for Taken {
    async fn accept(&mut self, records: crate::domain::batch::Records) -> Result<(), crate::pipeline::SinkError> {
        self.0.extend(records.iter().map(|(_, text)| String::from_utf8_lossy(text).into_owned()));
        Ok(())
    }
}

/// A kept run with these answers: target, status, body.
async fn kept(folder: &std::path::Path, answers: &[(&str, u16, &str)]) -> std::sync::Arc<KeptRun> {
    let runs = KeptRuns::open(folder, u64::MAX);
    let keeper = Keeper::new(Shelf::Run(runs.begin(&profile("true"), head(1)).unwrap().unwrap()));
    for (target, status, body) in answers {
        let mut given = Answer { status: *status, ..answer(body.as_bytes()) };
        given.headers = vec![("retry-after".into(), "3600".into())];
        keeper.keep(&request(target, None), given, 1).await;
    }
    let Shelf::Run(writer) = keeper.end().unwrap() else { panic!("it was a run") };
    runs.keep(writer, end(1)).unwrap();
    KeptRun::open(&runs.runs(&head(1).profile_id, &RunFilter::default())[0].path).unwrap().into()
}

#[tokio::test]
async fn a_replay_goes_on_behind_a_missing_answer_and_waits_for_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let row = |value: u32| format!("[{{\"v\":{value}}}]");
    let (one, two) = (row(1), row(2));
    let answers = [("/x?s=a", 429, "busy"), ("/x?s=a", 200, one.as_str()), ("/x?s=c", 503, ""), ("/x?s=c", 200, &two)];
    let run = kept(folder.path(), &answers).await;
    let replayed = async |sets: &str| {
        let text = format!(
            "id: p\nsource: {{url: 'https://h.example/x', query: {{s: '{{s}}'}}, for_each: {{s: {sets}}}, \
             auth: {{secret: TOKEN, in: bearer}}}}\nrows: {{each: $}}\nmeasures: {{v: v}}\n"
        );
        let (mended, mut taken) = (load(&text).unwrap_or_else(|problems| panic!("{problems}")), Taken::default());
        let settings = crate::pipeline::FetchSettings::default();
        let outcome =
            crate::pipeline::replay::replay(&settings, std::sync::Arc::clone(&run), &mended, &mut taken).await;
        (outcome.state, outcome.error.unwrap_or_default(), taken.0.len())
    };
    assert_eq!(replayed("[a, c]").await, (RunState::Succeeded, String::new(), 2));
    let (state, error, records) = replayed("[a, b, c, d]").await;
    assert_eq!((state, records), (RunState::Partial, 2));
    assert_eq!(error, "2 of its requests have no kept answer; the first: GET https://h.example/x?s=b");
}

#[tokio::test]
async fn a_list_that_is_asked_for_first_is_replayed_too() {
    let (list, one, two) = ("[{\"id\":\"a\"},{\"id\":\"b\"}]", "[{\"v\":1}]", "[{\"v\":2}]");
    let text = "id: p\nsource:\n  url: https://h.example/x/{id}\n  first: {url: 'https://h.example/list', rows: {each: $}, values: {id: id}}\n\
        rows: {each: $}\nmeasures: {v: v}\n";
    let mended = load(text).unwrap_or_else(|problems| panic!("{problems}"));
    for (answers, state, records) in [
        (vec![("/list", 200, list), ("/x/a", 200, one), ("/x/b", 200, two)], RunState::Succeeded, 2),
        (vec![("/list", 200, list), ("/x/b", 200, two)], RunState::Partial, 1),
        (vec![("/x/a", 200, one), ("/x/b", 200, two)], RunState::Partial, 0),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (run, mut taken) = (kept(folder.path(), &answers).await, Taken::default());
        let settings = crate::pipeline::FetchSettings::default();
        let outcome = crate::pipeline::replay::replay(&settings, run, &mended, &mut taken).await;
        assert_eq!((outcome.state, taken.0.len()), (state, records), "{:?}", outcome.error);
    }
}

#[test]
fn requests_are_the_same_whatever_the_secret_is() {
    let with = |value| identity(&request("/x?b=2&a=1", Some((value, SecretPlace::Query))));
    assert_eq!(with("one-secret"), with("another-secret"));
    assert_eq!(with("one-secret"), identity(&request("/x?a=1&b=2", None)));
    // A link of the answer that carries the secret leads to the same request as its redacted form.
    let followed = identity(&request("/x?page=2&key=one-secret", Some(("one-secret", SecretPlace::Query))));
    let replayed = identity(&request("/x?page=2&key=[secret]", Some(("stand-in", SecretPlace::Query))));
    assert_eq!(followed, replayed);
    for other in ["/x?a=1&b=3", "/x?a=1", "/y?a=1&b=2", "/x?a=1&b=2&b=2"] {
        assert_ne!(with("one-secret"), identity(&request(other, None)), "{other}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn no_spelling_of_a_secret_stays(before in ".{0,20}", after in ".{0,20}", secret in "[ -~]{8,20}") {
        prop_assume!(!"[secret]".contains(secret.as_str()));
        let redactor = Redactor::of(&request("/", Some((secret.as_str(), SecretPlace::Query))));
        let json = serde_json::Value::from(secret.as_str()).to_string();
        let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        for spelt in [secret.clone(), json, encoded] {
            let body = format!("{before}{spelt}{after}");
            let clean = redactor.body(body.as_bytes()).unwrap();
            let text = String::from_utf8_lossy(&clean);
            prop_assert!(!text.contains(&secret), "{text:?} holds {secret:?}");
        }
    }

    /// The newest runs stay, as many as fit and are young enough; the others go, each as a whole.
    #[test]
    fn bounds_hold_after_every_run(steps in prop::collection::vec((1_i64..40, 100_usize..3_000), 1..25)) {
        let folder = tempfile::tempdir().unwrap();
        let runs = KeptRuns::open(folder.path(), u64::MAX);
        let bounded = profile("{max_bytes: 6000, max_age: 0.1s}");
        let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (mut now, mut model) = (0, Vec::<(i64, u64)>::new());
        for (pause, bytes) in steps {
            now += pause;
            tokio.block_on(keep(&runs, &bounded, now, &[&noise(now.unsigned_abs(), bytes)])).unwrap();
            let kept = runs.runs(&head(1).profile_id, &RunFilter::default());
            let last = kept.last().expect("the run that was just kept is there");
            model.push((now, std::fs::metadata(&last.path).unwrap().len()));
            model.retain(|(started, _)| *started >= now - 100);
            while model.iter().map(|(_, bytes)| bytes).sum::<u64>() > 6_000 {
                model.remove(0);
            }
            let found: Vec<i64> = kept.iter().map(|file| file.started_ms).collect();
            prop_assert_eq!(found, model.iter().map(|(started, _)| *started).collect::<Vec<_>>());
            prop_assert_eq!(runs.totals().bytes, model.iter().map(|(_, bytes)| bytes).sum::<u64>());
        }
        runs.sweep(now + 101);
        prop_assert_eq!(runs.totals(), KeptTotals::default());
        prop_assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none(), "nothing is left behind");
    }
}
