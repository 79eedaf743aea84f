//! A node on a free port and a throw-away folder, and a client that speaks to it.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use awc::http::{Method, StatusCode, header::HeaderMap};
use chartly::node::Node;
use chartly::settings;
use serde_json::Value;
use tempfile::TempDir;

/// The admin key of every node here.
pub const KEY: &str = "not-so-secret";

/// Speaks to one node, which lives as long as this.
pub struct Api {
    pub url: String,
    http: awc::Client,
    _nodes: Vec<Node>,
    _folder: TempDir,
}

/// Where the roles run.
#[derive(Debug, Clone, Copy)]
pub enum Topology {
    /// All in one process.
    Together,
    /// The gateway in one, the other roles in another; between them HTTP.
    Split,
}

/// Runs each scenario on both topologies: which roles are local is settings, and no caller may tell.
macro_rules! on_both {
    ($($scenario:ident),+ $(,)?) => {
        mod together {
            $(#[actix_web::test]
            async fn $scenario() {
                super::$scenario(crate::client::Api::start(crate::client::Topology::Together).await).await;
            })+
        }
        mod split {
            $(#[actix_web::test]
            async fn $scenario() {
                super::$scenario(crate::client::Api::start(crate::client::Topology::Split).await).await;
            })+
        }
    };
}
pub(crate) use on_both;

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The value at a JSON pointer, of an answer that must be a success.
    pub fn at(&self, pointer: &str) -> Value {
        assert!(self.status.is_success(), "{} {}", self.status, self.body);
        self.json().pointer(pointer).cloned().unwrap_or(Value::Null)
    }

    /// The problem's code.
    pub fn code(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        self.json()["code"].as_str().unwrap().to_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Api {
    /// All roles and no drone.
    pub async fn start(topology: Topology) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("profiles")).unwrap();
        let nodes = match topology {
            Topology::Together => vec![start_node(folder.path(), "all", vec![]).await],
            Topology::Split => {
                let roles = start_node(folder.path(), "registry,aggregator,coordinator,reporter", vec![]).await;
                let keys =
                    ["peers.registry_url", "peers.aggregator_url", "peers.coordinator_url", "peers.reporter_url"];
                let peers = keys.map(|key| (key, roles.url())).to_vec();
                let gateway = start_node(&folder.path().join("gateway"), "gateway", peers).await;
                vec![gateway, roles]
            }
        };
        let http = awc::Client::builder().timeout(Duration::from_secs(30)).disable_redirects().finish();
        Self { url: nodes[0].url(), http, _nodes: nodes, _folder: folder }
    }

    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Answer {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.insert_header((*name, *value));
        }
        let mut response = request.send_body(body.into()).await.unwrap();
        let body = response.body().limit(64 << 20).await.unwrap();
        Answer {
            status: response.status(),
            headers: response.headers().clone(),
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    /// Waits until every role has loaded its state and is found.
    pub async fn all_well(&self) {
        for _ in 0..100 {
            let is_ready = self.get("/ready").await.status.is_success();
            if is_ready && self.get("/health").await.at("/status") == "ok" {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("not well within five seconds: {}", self.get("/health").await.body);
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], "").await
    }

    pub async fn get_as(&self, path: &str, accept: &str) -> Answer {
        self.send(Method::GET, path, &[("accept", accept)], "").await
    }

    /// Posts with the key.
    pub async fn post(&self, path: &str, body: impl Into<Vec<u8>>) -> Answer {
        self.send(Method::POST, path, &[("x-api-key", KEY)], body).await
    }

    pub async fn post_json(&self, path: &str, body: &Value) -> Answer {
        self.post(path, body.to_string()).await
    }
}

async fn start_node(folder: &Path, roles: &str, mut overrides: settings::Overrides) -> Node {
    overrides.extend([
        ("node.roles", roles.to_owned()),
        ("node.data_dir", folder.join("data").display().to_string()),
        ("node.drones", "0".into()),
        ("node.profiles_dir", folder.join("profiles").display().to_string()),
        ("http.port", "0".into()),
        ("http.workers", "1".into()),
    ]);
    let variables = HashMap::from([("REGISTRY_API_KEY".to_owned(), KEY.to_owned())]);
    let settings = settings::load(Path::new("config"), &variables, overrides).unwrap();
    Node::start(settings).await.unwrap()
}
