//! What the reporter answers.

use chartly::domain::ids::TenantId;
use chartly::domain::report::{Answer, ReportSpec};
use chartly::protocol::aggregator::{Batch, StoreBatch};
use chartly::protocol::fault::Code;
use chartly::protocol::paging::PageRequest;
use chartly::protocol::reporter::{GetReport, ListReports, ReportView, RunReportSpec};
use serde_json::{Value, json};

use crate::answers::Answers;
use crate::registry::put;
use crate::sides::Side;

fn tenant() -> TenantId {
    TenantId::default()
}

/// Two profiles that share three keys; `right` has a fourth, and one twice.
async fn fill(side: &Side, said: &mut Answers) {
    for (profile, values) in [("left", vec![1.0, 2.0, 4.0]), ("right", vec![3.0, 5.0, 9.5, 1e300, 3.5])] {
        put(side, said, profile).await;
        let data = values
            .iter()
            .enumerate()
            .map(|(n, v)| json!({"dims": {"n": format!("n{}", n % 4), "nth": n.to_string()}, "measures": {"v": v}}));
        let body = json!({"drone_id": "d", "profile_id": profile, "run_id": profile, "seq": 0,
                          "data": data.collect::<Vec<Value>>()});
        let batch = Batch::from_json(body.to_string().as_bytes()).unwrap();
        said.ask(&side.clients.aggregator, StoreBatch { tenant: tenant(), batch }).await.unwrap();
    }
}

fn spec(output: &Value) -> Value {
    json!({"join": ["dims.n"], "output": output, "inputs": [
        {"profile_id": "left", "measure": "measures.v"},
        {"profile_id": "right", "measure": "measures.v"},
    ]})
}

fn message(spec: Value) -> RunReportSpec {
    RunReportSpec { tenant: tenant(), spec: serde_json::from_value::<ReportSpec>(spec).unwrap() }
}

async fn run(side: &Side, said: &mut Answers, spec: Value) -> ReportView {
    said.ask(&side.clients.reporter, message(spec)).await.unwrap()
}

pub async fn run_report(side: &Side, said: &mut Answers) {
    fill(side, said).await;
    let inner = run(side, said, spec(&json!({"type": "table"}))).await;
    assert_eq!((inner.result.matched, inner.result.inputs[1].duplicates), (3, 1));
    let Answer::Table { rows, .. } = inner.result.answer else { panic!("asked for a table") };
    assert_eq!((rows[0].key.as_slice(), &rows[0].values), (["n0".to_owned()].as_slice(), &vec![Some(1.0), Some(3.5)]));

    let outer = run(side, said, spec(&json!({"type": "table", "keep": "outer"}))).await;
    let Answer::Table { rows, .. } = outer.result.answer else { panic!("asked for a table") };
    assert_eq!(rows[3].values, [None, Some(1e300)]);

    let correlation = run(side, said, spec(&json!({"type": "correlation", "method": "pearson"}))).await;
    let Answer::Correlation { pairs, .. } = correlation.result.answer else { panic!("asked for a correlation") };
    assert!(pairs[0].n == 3 && pairs[0].r.is_some_and(|r| r > 0.9), "{pairs:?}");
    let mut too_few = spec(&json!({"type": "correlation"}));
    too_few["join"] = json!(["dims.n", "dims.nowhere"]);
    let too_few = run(side, said, too_few).await;
    let Answer::Correlation { pairs, .. } = too_few.result.answer else { panic!("asked for a correlation") };
    assert!(pairs[0].n == 0 && pairs[0].r.is_none() && pairs[0].note.is_some(), "{pairs:?}");
    refusals(side, said).await;
}

async fn refusals(side: &Side, said: &mut Answers) {
    let reporter = &side.clients.reporter;
    let mut wrong = spec(&json!({"type": "table"}));
    wrong["inputs"][1]["measure"] = json!("dims.v");
    wrong["window"] = json!({"limit": 100_001});
    let fault = said.ask(reporter, message(wrong)).await.unwrap_err();
    assert_eq!(fault.code, Code::InvalidReport);
    assert!(fault.places.iter().any(|place| place.at == "inputs[1].measure"), "{fault:?}");
    assert!(fault.places.len() >= 2, "{fault:?}");

    let mut twice = spec(&json!({"type": "table"}));
    twice["inputs"][1]["on_duplicate"] = json!("error");
    let fault = said.ask(reporter, message(twice)).await.unwrap_err();
    assert_eq!(fault.code, Code::InvalidReport, "{fault:?}");
    let mut unknown = spec(&json!({"type": "table"}));
    unknown["inputs"][0]["profile_id"] = json!("nobody");
    said.refused(reporter, message(unknown), Code::UnknownProfile, &["profile_id"]).await;
}

pub async fn get_report(side: &Side, said: &mut Answers) {
    let reporter = &side.clients.reporter;
    let get = |report_id: &str| GetReport { tenant: tenant(), report_id: report_id.into() };
    let fault = said.refused(reporter, get("no-such"), Code::UnknownReport, &[]).await;
    assert!(fault.detail.contains("no-such"), "{fault}");
    fill(side, said).await;
    let made = run(side, said, spec(&json!({"type": "table", "keep": "outer"}))).await;
    assert_eq!(said.ask(reporter, get(&made.report_id)).await.unwrap(), made);
    let elsewhere = GetReport { tenant: TenantId::parse("other").unwrap(), ..get("no-such") };
    said.refused(reporter, elsewhere, Code::UnknownReport, &[]).await;
}

pub async fn list_reports(side: &Side, said: &mut Answers) {
    let reporter = &side.clients.reporter;
    let list = |limit, cursor| ListReports { tenant: tenant(), page: PageRequest { limit, cursor } };
    assert_eq!(said.ask(reporter, list(None, None)).await.unwrap().items, []);
    fill(side, said).await;
    let mut made = Vec::new();
    for output in [json!({"type": "table"}), json!({"type": "correlation"}), json!({"type": "table", "keep": "outer"})]
    {
        made.push(run(side, said, spec(&output)).await.report_id);
    }
    let first = said.ask(reporter, list(Some(2), None)).await.unwrap();
    let second = said.ask(reporter, list(Some(2), first.next.clone())).await.unwrap();
    let shown: Vec<_> = first.items.iter().chain(&second.items).map(|one| one.report_id.clone()).collect();
    made.reverse();
    assert_eq!((shown, second.next), (made, None), "the newest first");
    said.refused(reporter, list(None, Some("no cursor".into())), Code::InvalidRequest, &["cursor"]).await;
}
