//! A day in the life, by HTTP at the gateway alone. Returns every answer, with what differs from run to run hidden.

use serde_json::{Value, json};

use crate::support::{Answer, KEY, send};

/// Ids and numbers that are made.
const PASSING: &[&str] = &["report_id", "revision", "epoch", "uptime_s"];
/// Settings: the same in every run.
const SET_MS: &[&str] = &["heartbeat_ms", "lease_ms"];

/// Speaks to one gateway and writes down what it says.
struct Scenario<'a> {
    base: &'a str,
    said: Vec<(String, Value)>,
}

pub fn yaml(id: &str, version: &str) -> String {
    format!(
        "id: {id}\nname: About {id}\nversion: {version}\n\
         source: {{ type: http_rest, url: \"http://127.0.0.1:9/\", auth: none }}\n\
         schedule: {{ enabled: true, interval: 1h }}\nmapping:\n  n: dims.n\n  v: measures.v\n"
    )
}

pub fn batch(profile: &str, run: &str, seq: u32, data: &[Value]) -> Value {
    json!({"drone_id": "d1", "profile_id": profile, "run_id": run, "seq": seq, "data": data})
}

pub fn row(n: usize, v: f64) -> Value {
    json!({"dims": {"n": format!("n{n:05}")}, "measures": {"v": v}})
}

pub fn report(output: &Value) -> Value {
    json!({"join": ["dims.n"], "output": output, "window": {"limit": 3}, "inputs": [
        {"profile_id": "left", "measure": "measures.v"}, {"profile_id": "right", "measure": "measures.v"}]})
}

/// Plays all of it.
pub async fn play(base: &str) -> Vec<(String, Value)> {
    let mut scenario = Scenario { base, said: Vec::new() };
    scenario.profiles().await;
    scenario.fleet().await;
    scenario.batches().await;
    scenario.lists().await;
    scenario.reports().await;
    scenario.operations().await;
    scenario.said
}

impl Scenario<'_> {
    /// One request with the key; the answer must have this status.
    async fn ask(&mut self, status: u16, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut all = vec![("x-api-key", KEY)];
        all.extend(headers);
        let answer = send(method, &format!("{}{path}", self.base), &all, body).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
        let shown = serde_json::from_slice(&answer.body).unwrap_or_else(|_| json!(answer.text()));
        let mut line = json!({"type": answer.content_type, "etag": answer.etag, "retry_after": answer.retry_after,
                              "body": shown});
        hide_passing(&mut line);
        self.said.push((format!("{} {method} {path} {headers:?}", self.said.len()), line));
        answer
    }

    async fn get(&mut self, status: u16, path: &str) -> Value {
        self.ask(status, "GET", path, &[], "").await.json()
    }

    async fn post(&mut self, status: u16, path: &str, body: &Value) -> Value {
        self.ask(status, "POST", path, &[("content-type", "application/json")], &body.to_string()).await.json()
    }

    async fn put(&mut self, status: u16, id: &str, version: &str, headers: &[(&str, &str)]) -> Answer {
        self.ask(status, "PUT", &format!("/api/profiles/{id}"), headers, &yaml(id, version)).await
    }

    async fn profiles(&mut self) {
        let created = self.ask(201, "POST", "/api/profiles", &[], &yaml("left", "1.0.0")).await;
        self.ask(201, "POST", "/api/profiles", &[], &yaml("right", "1.0.0")).await;
        self.ask(409, "POST", "/api/profiles", &[], &yaml("right", "2.0.0")).await;
        let broken = yaml("left", "1.0.0").replace("dims.n", "dimz.n").replace("1h", "soon");
        let problem = self.ask(422, "POST", "/api/profiles", &[], &broken).await.json();
        assert!(problem["errors"].as_array().unwrap().len() >= 2, "{problem}");
        let etag = created.etag.expect("a profile has an ETag");
        self.put(200, "left", "2.0.0", &[("if-match", &etag)]).await;
        self.put(412, "left", "3.0.0", &[("if-match", &etag)]).await;
        self.ask(400, "PUT", "/api/profiles/left", &[], &yaml("right", "1.0.0")).await;
        let shown = self.ask(200, "GET", "/api/profiles/left", &[("accept", "application/yaml")], "").await;
        let etag = shown.etag.expect("a profile has an ETag");
        self.ask(304, "GET", "/api/profiles/left", &[("if-none-match", &etag)], "").await;
        for path in ["/api/profiles", "/api/profiles?limit=1", "/api/profiles/left", "/api/profiles/left/versions"] {
            self.get(200, path).await;
        }
        self.get(404, "/api/profiles/nobody").await;
        self.get(400, "/api/profiles?limit=0").await;
        self.post(200, "/api/profiles:validate", &json!({"yaml": broken})).await;
    }

    async fn fleet(&mut self) {
        let hello = json!({"drone_id": "d1", "version": "1.0.0", "labels": {"region": "eu"}});
        self.post(200, "/api/drones/register", &hello).await;
        let many: serde_json::Map<_, _> = (0..40).map(|n| (n.to_string(), json!("x"))).collect();
        self.post(400, "/api/drones/register", &json!({"drone_id": "d2", "labels": many})).await;
        let beat = self.post(200, "/api/drones/heartbeat", &json!({"drone_id": "d1", "running": 1})).await;
        assert_eq!(beat["known"], json!(true));
        let stranger = self.post(200, "/api/drones/heartbeat", &json!({"drone_id": "d9"})).await;
        assert_eq!(stranger["known"], json!(false));
        let work = self.get(200, "/api/drones/d1/work").await;
        assert_eq!(work["assignments"].as_array().unwrap().len(), 2, "{work}");
        let asked = self.post(202, "/api/profiles/left:run", &json!({})).await;
        assert_eq!(asked["drone_id"], json!("d1"), "{asked}");
        let work = self.get(200, "/api/drones/d1/work").await;
        assert_eq!(work["run_now"][0]["request_id"], asked["request_id"], "{work}");
        let done = json!({"drone_id": "d1", "done_requests": [asked["request_id"]]});
        self.post(200, "/api/drones/heartbeat", &done).await;
        self.post(404, "/api/profiles/nobody:run", &json!({})).await;
        for path in ["/api/drones/d1/work", "/api/drones", "/api/drones/d1", "/api/drones/stats"] {
            self.get(200, path).await;
        }
        self.get(404, "/api/drones/d9").await;
        self.get(404, "/api/drones/d9/work").await;
    }

    async fn batches(&mut self) {
        let rows: Vec<Value> = (0..4_000).map(|n| row(n, n as f64 / 8.0)).collect();
        let mut mixed = vec![json!("no record"), json!({"dims": {}, "measures": {}})];
        mixed.extend_from_slice(&rows[..10]);
        let first = self.post(200, "/api/results", &batch("left", "r1", 0, &mixed)).await;
        assert_eq!((&first["inserted"], &first["rejected"]), (&json!(10), &json!(2)), "{first}");
        assert_eq!(first["rejects"][1]["index"], json!(1), "{first}");
        let again = self.post(200, "/api/results", &batch("left", "r1", 0, &mixed)).await;
        assert_eq!((&again["replayed"], &again["rejected"]), (&json!(true), &json!(2)), "{again}");
        self.post(409, "/api/results", &batch("left", "r1", 0, &rows[..3])).await;
        self.post(409, "/api/results", &batch("right", "r1", 1, &rows[..3])).await;
        self.post(404, "/api/results", &batch("nobody", "r9", 0, &rows[..3])).await;
        let all_bad = self.post(200, "/api/results", &batch("left", "r2", 0, &[json!(1), json!(2)])).await;
        assert_eq!(all_bad["rejected"], json!(2), "{all_bad}");
        self.post(200, "/api/results", &batch("left", "r3", 0, &rows)).await;
        let right: Vec<Value> = (0..4_000).map(|n| row(n, (n % 7) as f64 - n as f64 / 3.0)).collect();
        self.post(200, "/api/results", &batch("right", "r4", 0, &right)).await;
        let run = json!({"state": "failed", "started_ms": 5, "finished_ms": 9, "error": "no route to host"});
        let failed = json!({"drone_id": "d1", "profile_id": "right", "run_id": "r5", "run": run});
        self.post(200, "/api/results", &failed).await;
        let json_type = [("content-type", "application/json")];
        self.ask(400, "POST", "/api/results", &json_type, "{\n\"drone_id\": NaN}").await;
        self.ask(415, "POST", "/api/results", &[("content-type", "text/csv")], "a,b").await;
    }

    async fn lists(&mut self) {
        for path in [
            "/api/results?run_id=r1",
            "/api/results?run_id=r3&limit=5000",
            "/api/records?profile_id=left&limit=3",
            "/api/records?dims.n=n00007",
            "/api/records?drone_id=d2",
            "/api/runs",
            "/api/runs?state=failed",
            "/api/runs/r1",
            "/api/results/summary",
        ] {
            self.get(200, path).await;
        }
        let page = self.get(200, "/api/records?profile_id=right&limit=1500").await;
        let next = page["next"].as_str().expect("there is more");
        self.get(200, &format!("/api/records?profile_id=right&limit=1500&cursor={next}")).await;
        let lines = self.ask(200, "GET", "/api/records?limit=2", &[("accept", "application/x-ndjson")], "").await;
        assert_eq!(lines.text().lines().count(), 2);
        self.said.pop().expect("lines hold stamps as text");
        self.get(404, "/api/runs/r9").await;
        self.get(400, "/api/records?cursor=elsewhere").await;
    }

    async fn reports(&mut self) {
        let table = self.post(200, "/api/reports", &report(&json!({"type": "table"}))).await;
        assert_eq!(table["result"]["total_rows"], json!(4_000), "{table}");
        let pearson = self.post(200, "/api/reports", &report(&json!({"type": "correlation"}))).await;
        assert!(pearson["result"]["pairs"][0]["r"].as_f64().is_some_and(|r| r < -0.9), "{pearson}");
        let id = table["report_id"].as_str().expect("it was kept").to_owned();
        let kept = send("GET", &format!("{}/api/reports/{id}", self.base), &[], "").await;
        assert_eq!(kept.json(), table);
        let csv = send("GET", &format!("{}/api/reports/{id}", self.base), &[("accept", "text/csv")], "").await;
        self.said.push(("the table as CSV".into(), json!(csv.text())));
        self.get(200, "/api/reports").await;
        self.get(404, "/api/reports/nothing").await;
        let mut wrong = report(&json!({"type": "table"}));
        wrong["inputs"][0]["measure"] = json!("dims.v");
        wrong["inputs"][1]["profile_id"] = json!("nobody");
        self.post(422, "/api/reports", &wrong).await;
    }

    async fn operations(&mut self) {
        let drained = self.ask(200, "POST", "/api/drones/d1:drain", &[], "").await.json();
        assert_eq!((&drained["state"], &drained["assigned"]), (&json!("draining"), &json!(0)), "{drained}");
        self.post(200, "/api/drones/d1:drain", &json!({"draining": false})).await;
        self.ask(404, "POST", "/api/drones/d9:drain", &[], "").await;
        self.post(200, "/api/profiles/left:pause", &json!({})).await;
        let work = self.get(200, "/api/drones/d1/work").await;
        assert_eq!(work["assignments"].as_array().unwrap().len(), 1, "{work}");
        self.post(404, "/api/profiles/left:run", &json!({})).await;
        self.post(200, "/api/profiles/left:resume", &json!({})).await;
        let back = self.post(200, "/api/profiles/left:rollback", &json!({})).await;
        assert_eq!(back["version"], json!("1.0.0"), "{back}");
        self.post(404, "/api/profiles/right:rollback", &json!({})).await;
        let work = self.get(200, "/api/drones/d1/work").await;
        assert_eq!(work["assignments"].as_array().unwrap().len(), 2, "{work}");
        self.ask(204, "DELETE", "/api/profiles/left", &[], "").await;
        self.get(404, "/api/profiles/left").await;
        self.post(404, "/api/results", &batch("left", "r8", 0, &[row(1, 1.0)])).await;
        self.get(200, "/api/drones/stats").await;
        let open = send("POST", &format!("{}/api/results", self.base), &[], "{}").await;
        assert_eq!((open.status, open.code().as_str()), (401, "unauthenticated"));
    }
}

fn hide_passing(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if is_passing(name, member) {
                    *member = json!(format!("<{name}>"));
                } else {
                    hide_passing(member);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(hide_passing),
        _ => {}
    }
}

/// Stamps of the clock, a request's id in a problem, the name of a store; the number of a run request stays.
fn is_passing(name: &str, value: &Value) -> bool {
    let stamp = name.ends_with("_ms") && !SET_MS.contains(&name) && value.as_i64().is_some_and(|ms| ms > 1_000);
    stamp
        || (matches!(name, "request_id" | "store_id") && value.is_string())
        || (PASSING.contains(&name) && !value.is_null())
}
