//! How to come to the next page, and when to stop.

use crate::profiles::node::{At, document, words};
use crate::profiles::scalar::{Scalar, Texts};

document! {
    /// How to come to the next page, and when to stop. Without an end test: `page` and `offset` stop at a page
    /// with fewer rows than `size` (without a size: at an empty one), the others when there is no next.
    pub struct Paging {
        /// How pages are asked for.
        #[schemars(required)]
        kind: PagingKind,
        /// Query parameter that takes the page number, the offset or the token; a JSON Pointer such as `/page` puts it
        /// into the JSON body.
        param: At<String>,
        /// Number of the first page, or the first offset. Default: 1 for `page`, 0 for `offset`.
        first: At<u64>,
        /// Query parameter (or JSON Pointer into the body) that takes the page size.
        size_param: At<String>,
        /// Rows to ask for in one page.
        size: At<u64>,
        /// What an `offset` grows by: `size` (default) or the rows `received`.
        step: OffsetStep,
        /// Path of the next URL (absolute, relative, or a query fragment `&page=2`), of the token, or of the object whose
        /// members become parameters; or a header: `header.X-Next`. A JSONPath with a filter takes the first that it finds:
        /// `$.links[?@.rel=='next'].href`; the answer is then read as a whole tree once more.
        next: At<String>,
        /// The token of the first page, such as `*`, where the source wants one.
        start: At<Scalar>,
        /// When to stop: `short` (a page with fewer rows than size), `empty` (a page without rows), or a
        /// condition on the answer such as `$.has_more == false`. A list: any of them.
        until: At<Texts>,
        /// Path of the total number of rows, or a header of the answer (`header.X-Total-Count`): stop when they are there.
        total: At<String>,
        /// Path of the number of the last page, or a header.
        last_page: At<String>,
    }
}

words! {
    pub enum PagingKind {
        /// A page number.
        Page "page",
        /// The number of rows to skip.
        Offset "offset",
        /// A token that the answer gives.
        Token "token",
        /// An object that the answer gives: each of its members becomes a query parameter.
        Keyset "keyset",
        /// A URL that the answer gives.
        Next "next",
        /// The `Link` header, rel="next" (RFC 8288).
        Link "link",
    }
}

words! {
    pub enum OffsetStep {
        Size "size",
        Received "received",
    }
}
