//! What the aggregator answers.

use chartly::domain::drift::Fate;
use chartly::domain::ids::{DroneId, ProfileId, RunId, TenantId};
use chartly::domain::retention::Retention;
use chartly::domain::run::RunState;
use chartly::protocol::aggregator::{
    Batch, GetHistory, GetRetention, GetRun, GetSummary, ListRecords, ListRejects, ListResults, ListRuns, Receipt,
    RecordFilter, RecordRow, RetentionPlan, RunFilter, SettleRun, StoreBatch,
};
use chartly::protocol::fault::Code;
use chartly::protocol::paging::{Page, PageRequest};
use serde_json::{Value, json};

use crate::answers::Answers;
use crate::registry::{id, put, put_text};
use crate::sides::Side;

fn tenant() -> TenantId {
    TenantId::default()
}

fn row(n: &str, v: f64) -> Value {
    json!({"dims": {"n": n}, "measures": {"v": v}})
}

/// A batch as it is posted.
fn batch(profile: &str, run: &str, seq: u32, data: &[Value]) -> StoreBatch {
    let body = json!({"drone_id": "d1", "profile_id": profile, "run_id": run, "seq": seq, "data": data});
    message(&body)
}

fn message(body: &Value) -> StoreBatch {
    StoreBatch { tenant: tenant(), batch: Batch::from_json(body.to_string().as_bytes()).unwrap() }
}

async fn store(side: &Side, said: &mut Answers, run: &str, seq: u32, data: &[Value]) -> Receipt {
    said.ask(&side.clients.aggregator, batch("p", run, seq, data)).await.unwrap()
}

pub async fn store_batch(side: &Side, said: &mut Answers) {
    let aggregator = &side.clients.aggregator;
    let two = [row("a", 1.0), row("b", 2.0)];
    said.refused(aggregator, batch("p", "r1", 0, &two), Code::UnknownProfile, &["profile_id"]).await;
    put(side, said, "p").await;
    put(side, said, "q").await;
    let first = store(side, said, "r1", 0, &two).await;
    assert_eq!((first.inserted, first.known, first.rejected, first.replayed), (2, 0, 0, false));
    let again = store(side, said, "r1", 0, &two).await;
    assert_eq!(again, Receipt { replayed: true, ..first });
    let known = store(side, said, "r2", 0, &[row("a", 1.0), row("c", 3.0), row("c", 3.0)]).await;
    assert_eq!((known.inserted, known.known), (1, 2));

    let other = batch("p", "r1", 0, &[row("z", 9.0)]);
    said.refused(aggregator, other, Code::BatchConflict, &["seq"]).await;
    let fault = said.refused(aggregator, batch("q", "r1", 1, &two), Code::RunConflict, &["run_id"]).await;
    assert!(fault.detail.contains("\"p\""), "it names the owner: {fault}");
    store_rejects(side, said).await;
}

/// Bad records are named by their place in the post, also where all are bad.
async fn store_rejects(side: &Side, said: &mut Answers) {
    let aggregator = &side.clients.aggregator;
    let mixed = store(side, said, "r3", 0, &[json!(7), row("d", 4.0), json!({"dims": {}, "measures": {}})]).await;
    assert_eq!((mixed.inserted, mixed.known, mixed.rejected), (1, 0, 2));
    let named: Vec<_> = mixed.rejects.iter().map(|reject| reject.index).collect();
    assert_eq!(named, [0, 2], "{mixed:?}");
    let again = store(side, said, "r3", 0, &[json!(7), row("d", 4.0), json!({"dims": {}, "measures": {}})]).await;
    assert_eq!(again, Receipt { replayed: true, ..mixed });
    let one_less = batch("p", "r3", 0, &[json!(7), row("d", 4.0)]);
    said.refused(aggregator, one_less, Code::BatchConflict, &["seq"]).await;

    let all_bad = store(side, said, "r4", 0, &[json!("no"), json!("record")]).await;
    assert_eq!((all_bad.inserted, all_bad.rejected, all_bad.rejects.len()), (0, 2, 2));
    let run = said.ask(aggregator, get_run_message("r4")).await.unwrap();
    assert_eq!((run.rejected, run.inserted), (2, 0));
}

/// Three runs: two that saw the same record, one that failed.
async fn three_runs(side: &Side, said: &mut Answers) {
    put(side, said, "p").await;
    store(side, said, "r1", 0, &[row("a", 1.0), row("b", 2.0)]).await;
    store(side, said, "r1", 1, &[row("c", 3.0)]).await;
    store(side, said, "r2", 0, &[row("a", 1.0)]).await;
    let report = json!({"state": "failed", "started_ms": 5, "finished_ms": 9, "requests": 3, "error": "no route"});
    let failed = json!({"drone_id": "d2", "profile_id": "p", "run_id": "r3", "run": report});
    said.ask(&side.clients.aggregator, message(&failed)).await.unwrap();
}

fn names(page: &Page<RecordRow>) -> String {
    let name =
        |row: &RecordRow| serde_json::from_str::<Value>(row.0.get()).unwrap()["dims"]["n"].as_str().unwrap().to_owned();
    page.items.iter().map(name).collect()
}

fn of_run(run: &str) -> RecordFilter {
    RecordFilter { run_id: Some(RunId::parse(run).unwrap()), ..RecordFilter::default() }
}

pub async fn list_records(side: &Side, said: &mut Answers) {
    let aggregator = &side.clients.aggregator;
    let list = |filter: RecordFilter, limit, cursor| ListRecords {
        tenant: tenant(),
        filter,
        page: PageRequest { limit, cursor },
    };
    assert!(said.ask(aggregator, list(RecordFilter::default(), None, None)).await.unwrap().items.is_empty());
    three_runs(side, said).await;
    let first = said.ask(aggregator, list(RecordFilter::default(), Some(2), None)).await.unwrap();
    let second = said.ask(aggregator, list(RecordFilter::default(), Some(2), first.next.clone())).await.unwrap();
    let mut all: Vec<char> = (names(&first) + &names(&second)).chars().collect();
    all.sort_unstable();
    assert_eq!((all.as_slice(), second.next.is_none()), (['a', 'b', 'c'].as_slice(), true));

    let by_dim = RecordFilter { dims: vec![("dims.n".into(), "b".into())], ..RecordFilter::default() };
    assert_eq!(names(&said.ask(aggregator, list(by_dim, None, None)).await.unwrap()), "b");
    assert_eq!(names(&said.ask(aggregator, list(of_run("r1"), None, None)).await.unwrap()).len(), 3);
    let brought = said.ask(aggregator, list(of_run("r2"), None, None)).await.unwrap();
    assert_eq!(names(&brought), "", "records belong to the run that brought them");
    let nobody = RecordFilter { drone_id: Some(DroneId::parse("d9").unwrap()), ..RecordFilter::default() };
    assert_eq!(names(&said.ask(aggregator, list(nobody, None, None)).await.unwrap()), "");
    let foreign = list(RecordFilter::default(), None, Some("no cursor".into()));
    said.refused(aggregator, foreign, Code::InvalidRequest, &["cursor"]).await;
    let greedy = list(RecordFilter::default(), Some(5_001), None);
    said.refused(aggregator, greedy, Code::InvalidRequest, &["limit"]).await;
}

pub async fn list_results(side: &Side, said: &mut Answers) {
    let aggregator = &side.clients.aggregator;
    let list = |filter: RecordFilter, limit, cursor| ListResults {
        tenant: tenant(),
        filter,
        page: PageRequest { limit, cursor },
    };
    three_runs(side, said).await;
    let all = said.ask(aggregator, list(RecordFilter::default(), None, None)).await.unwrap();
    assert_eq!(all.items.len(), 4, "a record seen by two runs is two results");
    let first = said.ask(aggregator, list(of_run("r1"), Some(2), None)).await.unwrap();
    let second = said.ask(aggregator, list(of_run("r1"), Some(2), first.next.clone())).await.unwrap();
    assert_eq!((first.items.len(), second.items.len(), second.next.is_none()), (2, 1, true));
    let foreign = list(RecordFilter::default(), None, Some("no cursor".into()));
    said.refused(aggregator, foreign, Code::InvalidRequest, &["cursor"]).await;
}

/// A profile whose observations are named by `dims.n`.
const KEYED: &str = "id: keyed
source: {url: \"https://example.org/\"}
rows: {each: $.rows}
dims: {n: name}
measures: {v: value}
key: [n]
";

pub async fn get_history(side: &Side, said: &mut Answers) {
    let aggregator = &side.clients.aggregator;
    let ask = |profile: &str, dims: &[(&str, &str)], limit, cursor| GetHistory {
        tenant: tenant(),
        profile_id: id(profile),
        dims: dims.iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned())).collect(),
        page: PageRequest { limit, cursor },
    };
    said.refused(aggregator, ask("keyed", &[], None, None), Code::UnknownProfile, &["profile_id"]).await;
    put_text(side, said, KEYED).await;
    put(side, said, "p").await;
    for (run, value) in [("k1", 1.0), ("k2", 2.0), ("k3", 1.0)] {
        let started_ms = value_of(run) * 10;
        let body = json!({"drone_id": "d1", "profile_id": "keyed", "run_id": run, "data": [row("a", value)],
            "run": {"state": "succeeded", "started_ms": started_ms}});
        said.ask(aggregator, message(&body)).await.unwrap();
    }
    let first = said.ask(aggregator, ask("keyed", &[("dims.n", "a")], Some(2), None)).await.unwrap();
    let second = said.ask(aggregator, ask("keyed", &[("n", "a")], Some(2), first.next.clone())).await.unwrap();
    let versions: Vec<Value> =
        first.items.iter().chain(&second.items).map(|row| serde_json::from_str(row.0.get()).unwrap()).collect();
    let told = |row: &Value| (row["measures"]["v"].as_f64(), row["from_ms"].as_i64(), row["until_ms"].as_i64());
    let told: Vec<_> = versions.iter().map(told).collect();
    let expected = [(Some(1.0), Some(10), Some(20)), (Some(2.0), Some(20), Some(30)), (Some(1.0), Some(30), None)];
    assert_eq!((told.as_slice(), second.next), (expected.as_slice(), None));
    said.refused(aggregator, ask("keyed", &[], None, None), Code::InvalidRequest, &["dims.n"]).await;
    said.refused(aggregator, ask("p", &[], None, None), Code::InvalidRequest, &["profile_id"]).await;
}

fn value_of(run: &str) -> i64 {
    run[1..].parse().unwrap()
}

pub async fn list_runs(side: &Side, said: &mut Answers) {
    let aggregator = &side.clients.aggregator;
    let list =
        |filter: RunFilter, limit, cursor| ListRuns { tenant: tenant(), filter, page: PageRequest { limit, cursor } };
    three_runs(side, said).await;
    let first = said.ask(aggregator, list(RunFilter::default(), Some(2), None)).await.unwrap();
    let second = said.ask(aggregator, list(RunFilter::default(), Some(2), first.next.clone())).await.unwrap();
    let runs: Vec<_> = first.items.iter().chain(&second.items).map(|run| run.run_id.as_str()).collect();
    assert_eq!((runs, second.next), (vec!["r3", "r2", "r1"], None), "the newest first");
    let failed = RunFilter { state: Some(RunState::Failed), ..RunFilter::default() };
    assert_eq!(said.ask(aggregator, list(failed, None, None)).await.unwrap().items.len(), 1);
    let elsewhere = RunFilter { profile_id: Some(id("q")), ..RunFilter::default() };
    assert_eq!(said.ask(aggregator, list(elsewhere, None, None)).await.unwrap().items, []);
    said.refused(aggregator, list(RunFilter::default(), Some(0), None), Code::InvalidRequest, &["limit"]).await;
}

fn get_run_message(run: &str) -> GetRun {
    GetRun { tenant: tenant(), run_id: RunId::parse(run).unwrap() }
}

pub async fn get_run(side: &Side, said: &mut Answers) {
    let aggregator = &side.clients.aggregator;
    said.refused(aggregator, get_run_message("r1"), Code::UnknownRun, &[]).await;
    three_runs(side, said).await;
    let open = said.ask(aggregator, get_run_message("r1")).await.unwrap();
    assert_eq!((open.state, open.batches, open.inserted), (RunState::Running, 2, 3));
    let failed = said.ask(aggregator, get_run_message("r3")).await.unwrap();
    assert_eq!((failed.state, failed.started_ms, failed.finished_ms), (RunState::Failed, 5, Some(9)));
    assert_eq!((failed.requests, failed.error.as_deref(), failed.drone_id.as_str()), (3, Some("no route"), "d2"));
    assert_eq!(failed.replay_of, None);
    let replay = json!({"drone_id": "d1", "profile_id": "p", "run_id": "r4", "seq": 0, "data": [row("a", 1.0)],
        "run": {"state": "succeeded", "started_ms": 6, "finished_ms": 9, "replay_of": "r3"}});
    for _ in 0..2 {
        said.ask(aggregator, message(&replay)).await.unwrap();
    }
    let replayed = said.ask(aggregator, get_run_message("r4")).await.unwrap();
    assert_eq!((replayed.replay_of, replayed.started_ms), (Some(RunId::parse("r3").unwrap()), 6));
    let odd = "a run/with %odd? \"characters\" ü";
    said.refused(aggregator, get_run_message(odd), Code::UnknownRun, &[]).await;
}

pub async fn get_summary(side: &Side, said: &mut Answers) {
    let aggregator = &side.clients.aggregator;
    let summary = || GetSummary { tenant: tenant() };
    let empty = said.ask(aggregator, summary()).await.unwrap();
    assert_eq!((empty.records, empty.runs, empty.last_received_ms), (0, 0, None));
    three_runs(side, said).await;
    let full = said.ask(aggregator, summary()).await.unwrap();
    assert_eq!((full.records, full.results, full.runs), (3, 4, 3));
    assert_eq!(full.runs_by_state.get("failed"), Some(&1));
    let profile = &full.profiles[0];
    assert_eq!((profile.profile_id.as_str(), profile.records, profile.results), ("p", 3, 4));
    let elsewhere = GetSummary { tenant: TenantId::parse("other").unwrap() };
    assert_eq!(said.ask(aggregator, elsewhere).await.unwrap().records, 0);
}

pub async fn list_rejects(side: &Side, said: &mut Answers) {
    let aggregator = &side.clients.aggregator;
    let list = |run: &str, limit, cursor| ListRejects {
        tenant: tenant(),
        run_id: RunId::parse(run).unwrap(),
        page: PageRequest { limit, cursor },
    };
    said.refused(aggregator, list("r1", None, None), Code::UnknownRun, &[]).await;
    put(side, said, "p").await;
    store(side, said, "r1", 0, &[json!(7), row("a", 1.0), json!({"dims": {}, "measures": {}})]).await;
    let first = said.ask(aggregator, list("r1", Some(1), None)).await.unwrap();
    assert_eq!((first.total, first.kept, first.items[0].index), (2, 2, Some(0)));
    let second = said.ask(aggregator, list("r1", Some(1), first.next)).await.unwrap();
    assert_eq!((second.items[0].index, second.next), (Some(2), None));
    let run = said.ask(aggregator, get_run_message("r1")).await.unwrap();
    assert_eq!((run.failed_rows, run.rejects.as_deref()), (2, Some("/api/runs/r1/rejects")));
    said.refused(aggregator, list("r1", Some(0), None), Code::InvalidRequest, &["limit"]).await;
}

/// The report of a run whose rows all have this member.
fn shaped(member: &str) -> Value {
    json!({"state": "succeeded", "started_ms": 5, "rows": 20, "drift": {"then": "quarantine"},
        "shape": {"rows": 20, "looked_at": 20, "names": {member: 20}, "fields": []}})
}

pub async fn settle_run(side: &Side, said: &mut Answers) {
    let aggregator = &side.clients.aggregator;
    let settle = |run: &str, release| SettleRun { tenant: tenant(), run_id: RunId::parse(run).unwrap(), release };
    said.refused(aggregator, settle("r1", true), Code::UnknownRun, &[]).await;
    put(side, said, "p").await;
    for (run, member) in [("r1", "a"), ("r2", "b"), ("r3", "c")] {
        let body = json!({"drone_id": "d1", "profile_id": "p", "run_id": run, "seq": 0, "data": [row(run, 1.0)],
            "run": shaped(member)});
        let receipt = said.ask(aggregator, message(&body)).await.unwrap();
        assert_eq!(receipt.drift.and_then(|drift| drift.fate), (run != "r1").then_some(Fate::Waiting));
    }
    said.refused(aggregator, settle("r1", true), Code::NotQuarantined, &[]).await;
    for _ in 0..2 {
        let released = said.ask(aggregator, settle("r2", true)).await.unwrap();
        assert_eq!((released.quarantine, released.inserted), (Some(Fate::Released), 1));
        let discarded = said.ask(aggregator, settle("r3", false)).await.unwrap();
        assert_eq!((discarded.quarantine, discarded.inserted), (Some(Fate::Discarded), 0));
    }
    said.refused(aggregator, settle("r2", false), Code::NotQuarantined, &[]).await;
    said.refused(aggregator, settle("r3", true), Code::NotQuarantined, &[]).await;
    let summary = said.ask(aggregator, GetSummary { tenant: tenant() }).await.unwrap();
    assert_eq!((summary.records, summary.findings.drifted_runs, summary.findings.waiting_runs), (2, 2, 0));
}

pub async fn get_retention(side: &Side, said: &mut Answers) {
    let aggregator = &side.clients.aggregator;
    let ask =
        |rule: Option<Retention>| GetRetention { tenant: tenant(), profile_id: ProfileId::parse("p").unwrap(), rule };
    said.refused(aggregator, ask(None), Code::UnknownProfile, &["profile_id"]).await;
    three_runs(side, said).await;
    let kept = said.ask(aggregator, ask(None)).await.unwrap();
    assert!(kept.rule.keeps_all() && kept.would_remove == RetentionPlan::default(), "nothing goes unasked");
    let few = Retention { max_records: Some(1), ..Retention::default() };
    let asked = said.ask(aggregator, ask(Some(few))).await.unwrap();
    assert_eq!((asked.rule, asked.expired, asked.horizon_ms), (few, 0, None));
    assert_eq!(
        said.ask(aggregator, GetSummary { tenant: tenant() }).await.unwrap().records,
        3,
        "asking removes nothing"
    );
}
