//! The OpenAPI document, put together from the areas: the same lists that serve the routes.

use std::sync::OnceLock;

use utoipa::OpenApi as _;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{Content, OpenApi, Ref, RefOr, Response};

use super::problem::PROBLEM_JSON;
use super::{docs, health, routes};
use crate::protocol::fault::Problem;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Chartly",
        description = "HTTP data sources as joinable, deduplicated records. Reads are open, writes need a key \
            (`X-API-Key` or a bearer token). Errors are problem+json with a stable `code`; see `/api/docs/errors`."
    ),
    components(schemas(Problem)),
    tags(
        (name = "node", description = "The node itself"),
        (name = "profiles", description = "Sources, each described by a YAML text, every version kept"),
        (name = "drones", description = "The workers that fetch"),
        (name = "results", description = "Batches in; records, results and runs out"),
        (name = "reports", description = "Joined tables and correlations"),
        (name = "live", description = "What happens now"),
    )
)]
struct Root;

/// The document of all public routes.
pub fn document() -> &'static OpenApi {
    static DOCUMENT: OnceLock<OpenApi> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        let areas = [health::Docs::openapi(), docs::Docs::openapi()].into_iter().chain(routes::documents());
        let mut whole = areas.fold(Root::openapi(), |whole, area| whole.merge_from(area));
        add_security(&mut whole);
        for item in whole.paths.paths.values_mut() {
            for (method, operation) in operations_mut(item) {
                complete(method, operation);
            }
        }
        whole
    })
}

/// The methods that `pattern` takes, as documented; none where there is no such route.
pub fn methods_of(pattern: &str) -> Vec<&'static str> {
    let Some(item) = document().paths.paths.get(pattern) else { return Vec::new() };
    let operations =
        [("GET", &item.get), ("HEAD", &item.get), ("POST", &item.post), ("PUT", &item.put), ("DELETE", &item.delete)];
    operations.into_iter().filter(|(_, operation)| operation.is_some()).map(|(method, _)| method).collect()
}

fn operations_mut(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let operations =
        [("GET", &mut item.get), ("POST", &mut item.post), ("PUT", &mut item.put), ("DELETE", &mut item.delete)];
    operations.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// What holds for all: any error is a problem, and what is no GET needs a key.
fn complete(method: &str, operation: &mut Operation) {
    let problem = Content::builder().schema(Some(Ref::from_schema_name("Problem"))).build();
    let default = Response::builder().description("What went wrong").content(PROBLEM_JSON, problem).build();
    operation.responses.responses.insert("default".into(), RefOr::T(default));
    if method != "GET" {
        let key = |name| SecurityRequirement::new(name, Vec::<String>::new());
        operation.security = Some(vec![key("key"), key("bearer")]);
    }
}

fn add_security(document: &mut OpenApi) {
    let components = document.components.get_or_insert_default();
    let key = ApiKey::Header(ApiKeyValue::with_description("X-API-Key", "the key that REGISTRY_API_KEY sets"));
    components.add_security_scheme("key", SecurityScheme::ApiKey(key));
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
}
