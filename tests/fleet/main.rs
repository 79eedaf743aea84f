//! The coordinator's own logic with virtual drones in virtual time: they join, fall silent, are cut off, come back with
//! wrong clocks, and the coordinator restarts. Every history follows from its seed, and what must hold is checked at
//! each step. `CHARTLY_FLEET_SEED=n` plays one history again; `CHARTLY_FLEET=100000x1000000` plays a large fleet.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod chance;
mod invariants;
mod world;

use world::{Size, World};

/// Small fleets, each with another seed.
const SEEDS: std::ops::Range<u64> = 1..9;

fn play(seed: u64, size: Size) {
    let mut world = World::new(seed, size);
    for step in 0..size.steps {
        world.step();
        if let Err(broken) = invariants::check(&world) {
            panic!("seed {seed}, step {step}, {size:?}: {broken}\nplay it again with CHARTLY_FLEET_SEED={seed}");
        }
    }
    world.calm();
    if let Err(broken) = invariants::at_rest(&mut world) {
        panic!("seed {seed}, at rest, {size:?}: {broken}\nplay it again with CHARTLY_FLEET_SEED={seed}");
    }
}

#[test]
fn whatever_happens_to_a_fleet_its_leases_keep_their_promises() {
    let asked = std::env::var("CHARTLY_FLEET_SEED").ok().map(|seed| seed.parse::<u64>().unwrap());
    match asked {
        Some(seed) => play(seed, Size::SMALL),
        None => SEEDS.for_each(|seed| play(seed, Size::SMALL)),
    }
}

#[test]
fn a_fleet_of_any_size_can_be_played() {
    let Ok(asked) = std::env::var("CHARTLY_FLEET") else { return };
    let (drones, profiles) = asked.split_once('x').unwrap();
    let size = Size { drones: drones.parse().unwrap(), profiles: profiles.parse().unwrap(), ..Size::LARGE };
    play(1, size);
}

#[test]
fn one_seed_gives_one_history() {
    let told = |seed| {
        let mut world = World::new(seed, Size::SMALL);
        (0..60).for_each(|_| world.step());
        world.leases()
    };
    assert_eq!(told(5), told(5));
    assert_ne!(told(5), told(6));
}
