//! Faults of supervision: what a mailbox answers for an actor that cannot, and that the wire carries it unchanged.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::time::Duration;

use actix::Handler;
use chartly::actors::{Clients, Events, Registry, registry};
use chartly::clients::{Client, Peer};
use chartly::domain::ids::TenantId;
use chartly::http::{Elsewhere, Phase, Surface};
use chartly::protocol::call::Call;
use chartly::protocol::fault::{Code, Fault, Retry};
use chartly::protocol::registry::{ListBrokenFiles, PutMode, PutProfile};
use chartly::runtime::{Breakpoints, Clock, Place, Policy, Root};
use chartly::store::StoreSettings;
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tokio::sync::watch;

use crate::registry::yaml;
use crate::sides::{Near, built_in, remote_clients};
use crate::support::KEY;

/// Serves these clients' local roles over real HTTP while `test` runs.
async fn serve(root: &Root, clients: &Clients, test: impl AsyncFnOnce(SocketAddr)) {
    let mut settings = built_in();
    (settings.http.port, settings.http.workers) = (Some(0), 1);
    let phase = watch::channel(Phase::Serving).0;
    let surface = Surface {
        settings: &settings,
        admin_key: &KEY.into(),
        root,
        clients,
        elsewhere: &Elsewhere::of(clients),
        events: &Events::default(),
        store: None,
        backups: None,
        phase: phase.subscribe(),
    };
    let bound = surface.bind().unwrap();
    let handle = bound.server.handle();
    tokio::select! {
        ended = bound.server => panic!("the server ended: {ended:?}"),
        () = test(bound.addresses[0]) => handle.stop(false).await,
    }
}

/// Asks the registry at its mailbox and over the wire; both must say the same.
async fn both<M: Call<Reply: Debug>>(root: &Root, clients: &Clients, message: impl Fn() -> M) -> Fault
where
    Registry: Handler<M>,
{
    let near = clients.registry.ask(message()).await.expect_err("it cannot answer");
    serve(root, clients, async |address| {
        let peer = Peer::new(&format!("http://{address}"), Some(KEY.into()), Duration::from_secs(10));
        let far = remote_clients(&peer).registry.ask(message()).await.expect_err("it cannot answer");
        assert_eq!(far, near);
    })
    .await;
    near
}

/// The same side with a registry that lives under `policy`.
fn under(policy: Policy, near: &Near) -> Clients {
    let seed =
        registry::Seed { store: near.store.clone(), clock: Clock::System, events: Events::default(), folder: None };
    let limited = near.root.start(&Place::current(), "limited", policy, || Registry::new(seed));
    Clients { registry: Client::Local(limited), ..near.side.clients.clone() }
}

fn look() -> ListBrokenFiles {
    ListBrokenFiles { tenant: TenantId::default() }
}

fn put(version: &str) -> PutProfile {
    let (tenant, yaml) = (TenantId::default(), yaml("p", version));
    PutProfile { tenant, yaml, expected_id: None, mode: PutMode::Replace, if_match: None }
}

#[actix_web::test]
async fn a_full_mailbox_says_overloaded_near_and_far() {
    let folder = tempfile::tempdir().unwrap();
    let near = Near::start(folder.path()).await;
    let clients = under(Policy { mailbox: 0, ..Policy::default() }, &near);
    let fault = both(&near.root, &clients, look).await;
    assert_eq!((fault.code, fault.code.retry(), fault.retry_after_s), (Code::Overloaded, Retry::Safe, Some(1)));
    drop(clients);
    near.stop().await;
}

#[actix_web::test]
async fn a_late_answer_says_deadline_near_and_far() {
    let folder = tempfile::tempdir().unwrap();
    let near = Near::start(folder.path()).await;
    let clients = under(Policy { deadline: Duration::from_millis(300), ..Policy::default() }, &near);
    let options = SqliteConnectOptions::new().filename(folder.path().join("results.db"));
    let mut other = SqliteConnection::connect_with(&options).await.unwrap();
    clients.registry.ask(put("1.0.0")).await.expect("nothing is in the way yet");
    let held = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let fault = both(&near.root, &clients, || put("2.0.0")).await;
    assert_eq!((fault.code, fault.code.retry()), (Code::Deadline, Retry::IfRepeatable));
    held.rollback().await.unwrap();
    drop(clients);
    near.stop().await;
}

#[actix_web::test]
async fn a_stopped_role_says_unavailable_near_and_far() {
    let folder = tempfile::tempdir().unwrap();
    let near = Near::start(folder.path()).await;
    let Client::Local(handle) = &near.side.clients.registry else { panic!("it is local") };
    handle.stop(Duration::from_secs(5)).await.unwrap();
    let fault = both(&near.root, &near.side.clients, look).await;
    assert_eq!((fault.code, fault.code.retry(), fault.retry_after_s), (Code::Unavailable, Retry::Safe, Some(5)));
    near.stop().await;
}

#[actix_web::test]
async fn a_writer_that_fails_says_crashed_near_and_far() {
    let folder = tempfile::tempdir().unwrap();
    let breakpoints = Breakpoints::armable();
    let settings =
        StoreSettings { breakpoints: breakpoints.clone(), ..StoreSettings::new(folder.path().join("results.db")) };
    let near = Near::start_with(folder.path(), settings).await;
    let clients = &near.side.clients;
    clients.registry.ask(put("1.0.0")).await.unwrap();
    breakpoints.arm("store.job", 1);
    let local = clients.registry.ask(put("2.0.0")).await.expect_err("the writer was made to fail");
    assert_eq!((local.code, local.code.retry()), (Code::Crashed, Retry::IfRepeatable));
    serve(&near.root, clients, async |address| {
        let peer = Peer::new(&format!("http://{address}"), Some(KEY.into()), Duration::from_secs(10));
        let far = remote_clients(&peer).registry;
        breakpoints.arm("store.job", 1);
        let remote = far.ask(put("2.0.0")).await.expect_err("not sent twice: putting is not repeatable");
        assert_eq!(remote, local);
        far.ask(put("2.0.0")).await.expect("the writer is back");
    })
    .await;
    near.stop().await;
}
