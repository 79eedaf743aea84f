//! `chartly drone`: an operator's hold on a running fleet: what each drone does, its work, tokens to join with, and keys.
//! Asks the gateway, like everyone else; the key is the shared one.

mod words;

use std::path::PathBuf;
use std::time::Duration;

use awc::http::Method;
use bytes::Bytes;
use clap::Subcommand;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{config_dir, gateway_key, moment, on_actix, settings};
use crate::clients::{Peer, decode};
use crate::domain::ids::{DroneId, ProfileId};
use crate::node::StartError;
use crate::protocol::coordinator::{DroneView, PlacementView};
use crate::protocol::enrolment::{DroneKeyView, InviteView, Invited};
use crate::protocol::paging::Page;

const DEADLINE: Duration = Duration::from_secs(20);
const GATEWAY: &str = "http://127.0.0.1:8090";

#[derive(Debug, clap::Args)]
#[command(after_help = "The key is REGISTRY_API_KEY or REGISTRY_API_KEY_FILE, else that of the data folder.\n\
                        Exit codes: 0 done; 1 the control plane refused it or cannot be reached; 2 flags; 78 settings.")]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
    /// URL of the gateway [default: CONTROL_PLANE, else http://127.0.0.1:8090].
    #[arg(long, global = true)]
    control_plane: Option<String>,
    /// Data folder of the node, where its key lies when none is set [default: data].
    #[arg(long, global = true)]
    data_dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Makes a token that drones join with, and prints it alone on stdout. It is shown this once.
    Invite {
        /// Drones that may join with it.
        #[arg(long, default_value_t = 1)]
        uses: u32,
        /// How long it is good, such as 30m or 24h; 90 days at most.
        #[arg(long, default_value = "1h", value_parser = seconds)]
        life: u32,
        /// For people, such as the place the drones are for.
        #[arg(long, default_value = "")]
        note: String,
    },
    /// Lists tokens, without the tokens themselves.
    Invites,
    /// Withdraws a token; drones that have joined with it keep their keys.
    Withdraw { invite_id: i64 },
    /// Lists drones with what they run and the state of their keys.
    List,
    /// Gives a drone's work to others and gives it no new one, so that it can be stopped.
    Drain {
        drone_id: DroneId,
        /// Takes the drone back into service.
        #[arg(long)]
        undo: bool,
    },
    /// Keeps a profile on one drone, whatever its placement says.
    Pin { profile_id: ProfileId, drone_id: DroneId },
    /// Ends that.
    Unpin { profile_id: ProfileId },
    /// Asks a drone for a new key; the one before is good until the new one is used.
    Rotate { drone_id: DroneId },
    /// Revokes a drone's key: the drone ends, and its work goes to others.
    Revoke { drone_id: DroneId },
}

fn seconds(text: &str) -> Result<u32, String> {
    let expected = "expected a time such as 30m or 24h";
    let life: jiff::SignedDuration = text.parse().map_err(|_| expected)?;
    u32::try_from(life.as_secs()).map_err(|_| expected.to_owned())
}

pub(super) fn run(args: Args) -> Result<u8, StartError> {
    let gateway = Gateway::of(&args)?;
    let done = on_actix(async { gateway.carry_out(args.verb).await });
    Ok(done.map_or_else(
        |reason| {
            eprintln!("chartly: {reason}");
            1
        },
        |()| 0,
    ))
}

struct Gateway(Peer);

impl Gateway {
    fn of(args: &Args) -> Result<Self, StartError> {
        let mut flags = Vec::new();
        flags.extend(args.control_plane.clone().map(|url| ("drone.control_plane", url)));
        flags.extend(args.data_dir.as_ref().map(|path| ("node.data_dir", path.to_string_lossy().into_owned())));
        let settings = settings(&config_dir(), flags)?;
        let url = settings.drone.control_plane.as_deref().unwrap_or(GATEWAY);
        Ok(Self(Peer::new(url, gateway_key(&settings), DEADLINE)))
    }

    async fn carry_out(&self, verb: Verb) -> Result<(), String> {
        match verb {
            Verb::Invite { uses, life, note } => self.invite(uses, life, &note).await,
            Verb::Invites => self.list_invites().await,
            Verb::Withdraw { invite_id } => {
                let path = format!("/api/drones/invites/{invite_id}");
                let view: InviteView = self.ask(Method::DELETE, &path, "").await?;
                println!("{}", words::invite(&view));
                Ok(())
            }
            Verb::List => self.list_drones().await,
            Verb::Drain { drone_id, undo } => self.drain(&drone_id, !undo).await,
            Verb::Pin { profile_id, drone_id } => self.pin(&profile_id, Some(&drone_id)).await,
            Verb::Unpin { profile_id } => self.pin(&profile_id, None).await,
            Verb::Rotate { drone_id } => self.change(&drone_id, "rotate-key").await,
            Verb::Revoke { drone_id } => self.change(&drone_id, "revoke-key").await,
        }
    }

    async fn invite(&self, uses: u32, life_s: u32, note: &str) -> Result<(), String> {
        let body = json!({"uses": uses, "life_s": life_s, "note": note}).to_string();
        let invited: Invited = self.ask(Method::POST, "/api/drones/invites", &body).await?;
        println!("{}", invited.token);
        eprintln!(
            "token {} is good for {uses} drones until {}; give it to them as ENROL_TOKEN, it is not shown again",
            invited.invite.invite_id,
            moment(invited.invite.expires_ms)
        );
        Ok(())
    }

    async fn list_invites(&self) -> Result<(), String> {
        let all: Vec<InviteView> = self.ask(Method::GET, "/api/drones/invites", "").await?;
        all.iter().for_each(|view| println!("{}", words::invite(view)));
        Ok(())
    }

    async fn list_drones(&self) -> Result<(), String> {
        let mut cursor = String::new();
        loop {
            let page: Page<DroneView> = self.ask(Method::GET, &format!("/api/drones?limit=1000{cursor}"), "").await?;
            page.items.iter().for_each(|drone| println!("{}", words::drone(drone)));
            let Some(next) = page.next else { return Ok(()) };
            cursor = format!("&cursor={next}");
        }
    }

    async fn drain(&self, drone: &DroneId, draining: bool) -> Result<(), String> {
        let body = json!({ "draining": draining }).to_string();
        let view: DroneView = self.ask(Method::POST, &format!("/api/drones/{drone}:drain"), &body).await?;
        println!("{}", words::drone(&view));
        Ok(())
    }

    async fn pin(&self, profile: &ProfileId, drone: Option<&DroneId>) -> Result<(), String> {
        let body = json!({ "drone_id": drone }).to_string();
        let view: PlacementView = self.ask(Method::POST, &format!("/api/profiles/{profile}:pin"), &body).await?;
        println!("{}", words::placement(profile, &view));
        Ok(())
    }

    async fn change(&self, drone: &DroneId, verb: &str) -> Result<(), String> {
        let view: DroneKeyView = self.ask(Method::POST, &format!("/api/drones/{drone}:{verb}"), "{}").await?;
        println!("{drone}  {}", words::key(Some(&view)));
        if verb == "revoke-key" {
            let token = view.invite_id;
            eprintln!(
                "it had joined with token {token}; chartly drone withdraw {token} closes that way for others, too"
            );
        }
        Ok(())
    }

    async fn ask<T: DeserializeOwned>(&self, method: Method, path: &str, body: &str) -> Result<T, String> {
        let headers = [("content-type", "application/json")];
        let reply = self.0.send(method, path, &headers, Bytes::copy_from_slice(body.as_bytes()), DEADLINE).await;
        reply.and_then(|reply| decode(&reply)).map_err(|fault| fault.to_string())
    }
}
