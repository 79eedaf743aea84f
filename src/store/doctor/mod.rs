//! Looks a store over without changing it: the file, the layout, ids against contents, counts against what they count,
//! rows that belong to nothing. One moment is looked at, also while others write. The same for every engine; each says
//! how its rows are read (`Patient`).

mod contents;
mod patient;
mod questions;

use serde::Serialize;

pub(super) use patient::{Patient, ProfileRow, RecordRow, SetRow, VersionRow};
pub(super) use questions::{Count, Question};

use super::error::StoreError;
use super::settings::{Place, StoreSettings};
use super::{postgres, sqlite};

/// Faults of one kind that are told; the rest are counted.
const TOLD: usize = 10;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// The file or the database.
    pub store: String,
    pub engine: String,
    /// False: of records and versions only a sample was read.
    pub all: bool,
    pub good: bool,
    pub checks: Vec<Check>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    pub name: &'static str,
    /// Rows that were read for it, where it reads them one by one.
    pub looked_at: u64,
    pub faults: u64,
    /// The first of them, or what is to be known although nothing is wrong.
    pub told: Vec<String>,
}

impl Check {
    pub(super) fn of(name: &'static str) -> Self {
        Self { name, looked_at: 0, faults: 0, told: Vec::new() }
    }

    pub(super) fn fault(&mut self, text: impl Into<String>) {
        self.faults += 1;
        if self.told.len() < TOLD {
            self.told.push(text.into());
        }
    }

    /// A check that cannot be carried out is not a good one.
    fn ended(mut self, outcome: Result<(), StoreError>) -> Self {
        if let Err(error) = outcome {
            self.fault(error.to_string());
        }
        self
    }
}

impl Diagnosis {
    /// `all`: every record is read, not a sample. An error says that the store could not be looked at.
    pub async fn of(settings: &StoreSettings, all: bool) -> Result<Self, StoreError> {
        match &settings.place {
            Place::File(file) => match sqlite::patient::Body::open(file).await {
                Ok(body) => look_over(body, all).await,
                Err(error @ (StoreError::Damaged { .. } | StoreError::Foreign { .. })) => {
                    Ok(Self::hopeless(file.display().to_string(), &error))
                }
                Err(error) => Err(error),
            },
            Place::Server(server) => look_over(postgres::patient::Body::open(server, settings).await?, all).await,
        }
    }

    fn hopeless(store: String, error: &StoreError) -> Self {
        let mut check = Check::of("file");
        check.fault(error.to_string());
        Self { store, engine: "SQLite".into(), all: false, good: false, checks: vec![check] }
    }
}

async fn look_over(mut body: impl Patient, all: bool) -> Result<Diagnosis, StoreError> {
    let (store, engine) = (body.name(), body.engine().await?);
    let mut file = Check::of("file");
    let outcome = body.look_at_file(&mut file).await;
    let mut layout = Check::of("layout");
    let is_newest = body.look_at_layout(&mut layout).await;
    let mut checks = vec![file.ended(outcome)];
    let newest = matches!(is_newest, Ok(true));
    checks.push(layout.ended(is_newest.map(drop)));
    if newest {
        checks.push(contents::versions(&mut body).await);
        checks.push(contents::records(&mut body, all).await);
        checks.push(contents::sets(&mut body, all).await);
        checks.extend(questions::ask(&mut body).await);
    }
    body.close().await;
    let good = checks.iter().all(|check| check.faults == 0);
    Ok(Diagnosis { store, engine, all, good, checks })
}
