//! Drones: they join, beat and ask for their work; operators look at them and drain them.

mod join;
mod read;
mod work;

use crate::http::area::area;

area!(
    join::register_drone,
    join::beat,
    read::show_stats,
    join::drain_drone,
    work::show_work,
    read::list_drones,
    read::show_drone,
);
