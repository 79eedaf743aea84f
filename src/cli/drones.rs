//! `chartly drones`: an operator's view of a running fleet. Asks the gateway, like everyone else.

use std::process::ExitCode;

use clap::Subcommand;
use secrecy::SecretString;

use super::on_actix;
use crate::clients::ControlPlane;
use crate::domain::fleet::DroneState;
use crate::domain::ids::{DroneId, ProfileId};
use crate::protocol::coordinator::{DroneView, PlacementView};
use crate::protocol::fault::Fault;

/// Drones that one look asks for at once.
const PAGE: u32 = 1_000;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// URL of the gateway. The key is taken from REGISTRY_API_KEY.
    #[arg(long, global = true, env = "CONTROL_PLANE", default_value = "http://127.0.0.1:8090")]
    control_plane: String,
    #[command(subcommand)]
    deed: Deed,
}

#[derive(Debug, Subcommand)]
enum Deed {
    /// Lists the drones with what they run.
    List,
    /// Gives a drone's work to others and gives it no new one, so that it can be stopped.
    Drain {
        drone: DroneId,
        /// Takes the drone back into service.
        #[arg(long)]
        undo: bool,
    },
    /// Keeps a profile on one drone, whatever its placement says.
    Pin { profile: ProfileId, drone: DroneId },
    /// Ends that.
    Unpin { profile: ProfileId },
}

pub fn run(args: Args) -> ExitCode {
    let key = std::env::var("REGISTRY_API_KEY").ok().filter(|key| !key.is_empty()).map(SecretString::from);
    let done = on_actix(async move {
        let control_plane = ControlPlane::new(args.control_plane.trim_end_matches('/'), key);
        carry_out(&control_plane, args.deed).await
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("chartly: {fault}");
            ExitCode::FAILURE
        }
    }
}

async fn carry_out(control_plane: &ControlPlane, deed: Deed) -> Result<(), Fault> {
    match deed {
        Deed::List => return list(control_plane).await,
        Deed::Drain { drone, undo } => tell_drone(&control_plane.drain(&drone, !undo).await?),
        Deed::Pin { profile, drone } => tell_placement(&profile, &control_plane.pin(&profile, Some(&drone)).await?),
        Deed::Unpin { profile } => tell_placement(&profile, &control_plane.pin(&profile, None).await?),
    }
    Ok(())
}

async fn list(control_plane: &ControlPlane) -> Result<(), Fault> {
    let mut cursor = None;
    loop {
        let page = control_plane.drones(PAGE, cursor.as_deref()).await?;
        page.items.iter().for_each(tell_drone);
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(()),
        }
    }
}

fn tell_drone(drone: &DroneView) {
    let state = match drone.state {
        DroneState::Online => "online",
        DroneState::Draining => "draining",
        DroneState::Offline => "offline",
    };
    let labels: Vec<String> = drone.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    println!(
        "{}\t{state}\tprofiles {}\trunning {}\tspooled {}\tversion {}\t{}",
        drone.drone_id,
        drone.assigned,
        drone.running,
        drone.spooled,
        drone.version,
        labels.join(",")
    );
}

fn tell_placement(profile: &ProfileId, placement: &PlacementView) {
    let drones: Vec<&str> = placement.leases.iter().map(|lease| lease.drone_id.as_str()).collect();
    let reason = placement.reason.as_deref().map(|reason| format!("; {reason}")).unwrap_or_default();
    println!("{profile}\tdrones: {}{reason}", if drones.is_empty() { "none".into() } else { drones.join(", ") });
}
