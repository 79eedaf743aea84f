//! Where other processes reach the roles that run here: decode, ask the mailbox, encode. Each role lists its messages
//! once; their routes are their own (`protocol`).

use actix::{Actor, Context, Handler};
use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig};

use super::extract::Json;
use super::live::{EVENTS_ROUTE, Live};
use super::problem::HttpError;
use super::routes::live::stream;
use crate::actors::{Aggregator, Clients, Coordinator, Registry, Reporter};
use crate::clients::Client;
use crate::protocol::call::Call;
use crate::protocol::hello::{HELLO_ROUTE, Hello};
use crate::protocol::{aggregator, coordinator, enrolment, registry, reporter};

/// Serves a greeting, and every role that `clients` knows to be local, and what they tell.
pub(super) fn routes(config: &mut ServiceConfig, clients: &Clients, own: &Live, hello: &Hello) {
    serve_hello(config, hello);
    serve_events(config, own);
    serve_registry(config, &clients.registry);
    serve_coordinator(config, &clients.coordinator);
    serve_enrolment(config, &clients.coordinator);
    serve_aggregator(config, &clients.aggregator);
    serve_reporter(config, &clients.reporter);
}

/// `role!(serve_x, X: A, B)` defines a function that serves the messages `A` and `B` of the actor `X`.
macro_rules! role {
    ($name:ident, $actor:ty: $($message:path),+ $(,)?) => {
        fn $name(config: &mut ServiceConfig, client: &Client<$actor>) {
            if client.is_local() {
                $(serve::<$actor, $message>(config, client);)+
            }
        }
    };
}

role!(serve_registry, Registry:
    registry::ListProfiles, registry::GetProfile, registry::PutProfile, registry::DeleteProfile,
    registry::ListVersions, registry::SetPaused, registry::RollBack, registry::ValidateProfile,
    registry::ListBrokenFiles,
);
role!(serve_coordinator, Coordinator:
    coordinator::Register, coordinator::Heartbeat, coordinator::GetWork, coordinator::ListDrones,
    coordinator::GetDrone, coordinator::GetDroneStats, coordinator::DrainDrone, coordinator::RunNow,
    coordinator::Replay, coordinator::ProfilesChanged, coordinator::PinProfile, coordinator::GetPlacement,
);
role!(serve_enrolment, Coordinator:
    enrolment::Invite, enrolment::ListInvites, enrolment::WithdrawInvite, enrolment::Enrol, enrolment::CheckKey,
    enrolment::CheckOwnKey,
    enrolment::AskRotation, enrolment::SetNextKey, enrolment::RevokeKey,
);
role!(serve_aggregator, Aggregator:
    aggregator::StoreBatch, aggregator::ListRecords, aggregator::ListResults, aggregator::GetHistory, aggregator::ListRuns,
    aggregator::GetRun, aggregator::ListRejects, aggregator::SettleRun, aggregator::GetRetention,
    aggregator::GetSummary,
);
role!(serve_reporter, Reporter: reporter::RunReportSpec, reporter::GetReport, reporter::ListReports);

fn serve_hello(config: &mut ServiceConfig, hello: &Hello) {
    let hello = hello.clone();
    let answer = move || std::future::ready(HttpResponse::Ok().json(&hello));
    config.service(web::resource(HELLO_ROUTE).route(web::get().to(answer)));
}

fn serve_events(config: &mut ServiceConfig, own: &Live) {
    let live = own.clone();
    let answer = move || {
        let live = live.clone();
        async move { stream(&live).map_err(HttpError) }
    };
    config.service(web::resource(EVENTS_ROUTE).route(web::get().to(answer)));
}

fn serve<A, M>(config: &mut ServiceConfig, client: &Client<A>)
where
    A: Actor<Context = Context<A>> + Handler<M>,
    M: Call,
{
    let client = client.clone();
    let answer = move |Json(message): Json<M>| {
        let client = client.clone();
        async move { client.ask(message).await.map(|reply| HttpResponse::Ok().json(reply)).map_err(HttpError) }
    };
    config.service(web::resource(M::ROUTE).route(web::post().to(answer)));
}
