//! What to ask a source, and how its answers are judged.

pub mod answer;
pub mod auth;
pub mod first;
pub mod form;
pub mod paging;
pub mod request;

use answer::Failure;
use auth::Auth;
use first::{Batch, First};
use form::{Archive, ColumnsDoc, Compression, Csv, Format};
use paging::Paging;
use request::{Body, Cursor, ForEach, Method, Window};

use crate::profiles::node::{At, Entries, document, words};
use crate::profiles::scalar::Scalars;

document! {
    /// One HTTP source. Texts may hold `{name}`: a parameter of `for_each`, or `{window.start}`,
    /// `{window.end:%Y-%m-%d}`, `{now:%Y}`; `{{` is a brace.
    pub struct Source {
        /// Kind of source; `http_rest` is the only one.
        kind as "type": Kind,
        /// Address, http or https. `{name}` is encoded, `{+name}` is put in as it is.
        #[schemars(required)]
        url: At<String>,
        /// Request method. Default `GET`.
        method: Method,
        /// Query parameters; a list repeats the parameter.
        query: Entries<At<Scalars>>,
        /// A query that is put in as it is written, but for `{name}` (encoded) and `{+name}` (as it is): `q=a+b`. It
        /// stands before the parameters of `query`.
        raw_query: At<String>,
        /// Request headers.
        headers: Entries<At<String>>,
        /// Body of a POST.
        body: At<Body>,
        /// Sign-in: `none`, or the name of a secret and where it goes. A profile never holds the secret itself.
        auth: At<Auth>,
        /// Form of the answers. Default `json`.
        format: At<Format>,
        /// How a csv answer is written.
        csv: At<Csv>,
        /// How an answer in columns is written.
        columns: At<ColumnsDoc>,
        /// `gzip`: the answer is a gzip file. (What HTTP compresses is unpacked without saying so.)
        compression: Compression,
        /// The answer is a zip file; `{zip: stops.txt}` names the file in it that is read.
        archive: At<Archive>,
        /// Asks only for what is new since the last run.
        cursor: At<Cursor>,
        /// Parameter sets; the request is made once for each: a list of maps, or a map of lists (every combination).
        for_each: At<ForEach>,
        /// A list that is asked for first: one request follows for each of its rows.
        first: At<First>,
        /// The most values of a parameter that go into one request, `50`, or a map. The values stand in a text with commas
        /// between them; in a JSON body a text that is exactly `{name}` becomes a list.
        batch: At<Batch>,
        /// Time windows; the request is made once for each.
        window: At<Window>,
        /// How to come to the next page.
        paging: At<Paging>,
        /// A condition that a good answer meets, such as `$.status == 'REQUEST_SUCCEEDED'`.
        success: At<String>,
        /// A path that exists only in an answer which reports a failure.
        failure: At<Failure>,
        /// Path of the source's own words on a failure.
        message: At<String>,
        /// Statuses that mean "no data", such as `[204, 404]`.
        empty_on: Vec<At<u64>>,
        /// Put before the drone's own User-Agent; some sources want a contact here.
        user_agent: At<String>,
    }
}

words! {
    pub enum Kind {
        HttpRest "http_rest",
    }
}
