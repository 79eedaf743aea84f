//! Profiles: read, written, checked, paused and run. What is fixed (`schema`, `:pause`) stands before `{id}`, which
//! would take it for an id.

mod actions;
mod read;
mod text;
mod write;

use crate::http::area::area;

area!(
    read::show_schema,
    write::validate_profile,
    actions::pause_profile,
    actions::resume_profile,
    actions::run_profile,
    actions::roll_back_profile,
    read::list_versions,
    read::list_profiles,
    write::create_profile,
    read::show_profile,
    write::replace_profile,
    write::delete_profile,
);
