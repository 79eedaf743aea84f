//! One list per area of the API gives both its routes and their documentation, so that neither can be without the
//! other.

/// `area!(list::list, create::create)` defines `routes`, which serves them in this order, and `Docs`.
macro_rules! area {
    ($($($part:ident)::+),+ $(,)?) => {
        /// Serves the routes of this area.
        pub fn routes(config: &mut actix_web::web::ServiceConfig) {
            $(config.service($($part)::+);)+
        }

        /// Documents the routes of this area.
        #[derive(Debug, utoipa::OpenApi)]
        #[openapi(paths($($($part)::+),+))]
        pub struct Docs;
    };
}
pub(crate) use area;
