//! What to ask a source, and how its answers are judged.

pub mod answer;
pub mod auth;
pub mod first;
pub mod form;
pub mod moment;
pub mod paging;
pub mod politeness;
pub mod request;

use answer::{AnswerRule, Failure, RateReset, Statuses};
use auth::Auth;
use first::{Batch, First};
use form::{Archive, ColumnsDoc, Compression, Csv, Format};
use moment::Moment;
use paging::Paging;
use politeness::RateDoc;
use request::{Body, Cursor, ForEach, Method, Window};

use crate::profiles::node::{At, Entries, document, words};
use crate::profiles::scalar::{Scalars, Texts};

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
        /// What answers mean, beyond what their status says: rules in order, of which the first that matches decides.
        /// `success`, `failure`, `empty_on`, `empty_if`, `retry_if` and `rate_reset` are short forms of rules and come
        /// behind these. Without a matching rule 2xx counts, 408, 425, 429 and 5xx are asked again, all else fails.
        answers: Vec<At<AnswerRule>>,
        /// A condition that a good answer meets, such as `$.status == 'REQUEST_SUCCEEDED'`.
        success: At<Texts>,
        /// A path that exists only in an answer which reports a failure.
        failure: At<Failure>,
        /// Path of the source's own words, for every failure whose rule names none.
        message: At<String>,
        /// Statuses that mean "no data", such as `[204, 404]`; `no_body`: a good answer without a body, which fails
        /// otherwise, whatever the format.
        empty_on: At<Statuses>,
        /// A condition on the answer that means "no data": `$.error matches No data was found`.
        empty_if: At<Texts>,
        /// A condition on the answer that asks for another try: `$.message matches daily threshold`.
        retry_if: At<Texts>,
        /// When to ask again after `retry_if`, such as `next_day`.
        not_before: At<Moment>,
        /// The header that says when to ask again once the rate is used up.
        rate_reset: At<RateReset>,
        /// Where the answer says how long it stays as it is: a path such as `$.ttl` (seconds), or `{header: Expires,
        /// as: http_date}`. The next run does not come before.
        ttl: At<Moment>,
        /// At most so many requests in any such time, over all profiles of this drone with the same host and key: a run
        /// waits for its turn. `{requests: 10, per: PT1S}`.
        rate: At<RateDoc>,
        /// At most so many requests in a longer time, over all profiles of this drone with the same host and key; a run
        /// that uses it up ends as `partial`, and the next comes when it begins anew. Counted in windows from multiples
        /// of `per` on: `{requests: 500, per: P1D}` begins anew at 00:00 UTC. Requests of a sign-in do not count.
        quota: At<RateDoc>,
        /// Put before the drone's own User-Agent; some sources want a contact here.
        user_agent: At<String>,
    }
}

words! {
    pub enum Kind {
        HttpRest "http_rest",
    }
}
