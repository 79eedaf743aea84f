//! Results: batches in; records, results, runs and a summary out.

mod lines;
mod post;
mod quarantine;
mod records;
mod runs;
mod shapes;

use crate::http::area::area;

area!(
    post::post_results,
    runs::show_summary,
    records::list_results,
    records::list_records,
    records::record_history,
    runs::list_runs,
    runs::show_run,
    quarantine::list_rejects,
    quarantine::release_run,
    quarantine::discard_run,
);
