//! All that a side answered in the course of a contract, as data, so that two sides can be compared.

use actix::{Actor, Context, Handler};
use chartly::clients::Client;
use chartly::protocol::call::Call;
use chartly::protocol::fault::{Code, Fault, Problem};
use serde_json::{Value, json};

/// What differs between two runs of the same contract: stamps of the clock, ids that are made.
const PASSING: &[&str] = &[
    "created_ms",
    "updated_ms",
    "first_seen_ms",
    "seen_ms",
    "received_ms",
    "last_received_ms",
    "registered_ms",
    "last_seen_ms",
    "server_ms",
    "store_id",
    "clock_skew_ms",
    "revision",
    "epoch",
    "report_id",
];

/// 2001: what the contracts tell themselves is before it.
const LONG_AGO_MS: i64 = 1_000_000_000_000;

/// One question and what came of it.
#[derive(Debug, PartialEq)]
pub struct Line {
    pub route: &'static str,
    pub question: Value,
    pub answer: Value,
}

/// Asks, and keeps what was answered.
#[derive(Debug, Default)]
pub struct Answers(Vec<Line>);

impl Answers {
    pub async fn ask<A, M>(&mut self, client: &Client<A>, message: M) -> Result<M::Reply, Fault>
    where
        A: Actor<Context = Context<A>> + Handler<M>,
        M: Call,
    {
        let mut question = serde_json::to_value(&message).expect("a message is plain data");
        let result = client.ask(message).await;
        let mut answer = match &result {
            Ok(reply) => json!({"reply": serde_json::to_value(reply).expect("a reply is plain data")}),
            Err(fault) => json!({"fault": told(fault)}),
        };
        hide_passing(&mut question);
        hide_passing(&mut answer);
        self.0.push(Line { route: M::ROUTE, question, answer });
        result
    }

    /// Asks for what must be refused with this code, naming these places.
    pub async fn refused<A, M>(&mut self, client: &Client<A>, message: M, code: Code, places: &[&str]) -> Fault
    where
        A: Actor<Context = Context<A>> + Handler<M>,
        M: Call<Reply: std::fmt::Debug>,
    {
        let fault = self.ask(client, message).await.expect_err(code.name());
        assert_eq!(fault.code, code, "{fault:?}");
        let found: Vec<&str> = fault.places.iter().map(|place| place.at.as_str()).collect();
        assert_eq!(found, places, "{fault:?}");
        fault
    }

    pub fn into_lines(self) -> Vec<Line> {
        self.0
    }
}

/// A fault as it stands in an answer, the request's id left out.
fn told(fault: &Fault) -> Value {
    serde_json::to_value(Problem::from(fault)).expect("a problem is plain data")
}

/// A run that did not tell when it began has the time of its arrival for it.
fn is_passing(name: &str, value: &Value) -> bool {
    let arrived = name == "started_ms" && value.as_i64().is_some_and(|ms| ms > LONG_AGO_MS);
    arrived || (PASSING.contains(&name) && !value.is_null())
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
