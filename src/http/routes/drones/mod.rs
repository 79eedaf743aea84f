//! Drones: they join, beat and ask for their work; operators invite them, look at them and drain them.

mod enrol;
mod invites;
mod join;
mod keys;
mod read;
mod work;

use crate::http::area::area;

area!(
    enrol::enrol_drone,
    invites::invite_drones,
    invites::list_invites,
    invites::withdraw_invite,
    keys::ask_rotation,
    keys::revoke_key,
    keys::set_next_key,
    join::register_drone,
    join::beat,
    read::show_stats,
    join::drain_drone,
    work::show_work,
    read::list_drones,
    read::show_drone,
);
