//! Tokens and drones' keys. Both engines take the same text of SQL here, so it is written once; what a token or a key
//! is worth is decided in one place, apart from any row.

use super::error::StoreError;
use crate::domain::digest::Digest;
use crate::domain::ids::DroneId;

/// Tokens that are kept, for each tenant.
pub(super) const MAX_INVITES: usize = 1_000;
/// A token is forgotten this long after it ended.
pub(super) const KEPT_MS: i64 = 30 * 86_400_000;

/// A token that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewInvite {
    pub token: Digest,
    pub note: String,
    pub uses: u32,
    pub created_ms: i64,
    pub expires_ms: i64,
}

/// A drone that asks to join with a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolment {
    pub token: Digest,
    pub drone_id: DroneId,
    pub key: Digest,
}

/// What a key is worth, and whether it is the next one of its drone, not in force yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownKey {
    pub drone_id: DroneId,
    pub is_revoked: bool,
    pub is_next: bool,
    /// The drone is asked for a new key.
    pub rotate: bool,
}

/// What may become of a drone's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyChange {
    /// The next key is in force from this time on.
    UseNext(Digest, i64),
    SetNext(Digest),
    AskRotation(i64),
    Revoke(i64),
    /// It was shown after it was revoked.
    Refused(i64),
}

/// A token's row.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) id: i64,
    pub(super) uses: i64,
    pub(super) used: i64,
    pub(super) expires_ms: i64,
    pub(super) withdrawn_ms: Option<i64>,
}

/// The row of a key: one of the drone's own, or one with the same digest.
#[derive(Debug)]
pub(super) struct HeldKey {
    pub(super) drone_id: DroneId,
    pub(super) is_same_key: bool,
    pub(super) is_revoked: bool,
    /// The token that the drone joined with.
    pub(super) invite: i64,
}

/// What becomes of an enrolment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It was done before, and its answer was lost.
    Known,
    /// Takes one use of this token.
    Joins(i64),
}

pub(super) fn judge(
    asked: &Enrolment,
    held: &[HeldKey],
    token: Option<&Token>,
    now_ms: i64,
) -> Result<Verdict, StoreError> {
    let refused = |reason: &str| Err(StoreError::TokenRefused(reason.to_owned()));
    for key in held {
        match (key.drone_id == asked.drone_id, key.is_same_key, key.is_revoked) {
            (true, true, false) => return Ok(Verdict::Known),
            (true, false, false) => return Err(StoreError::DroneEnrolled(asked.drone_id.clone())),
            (true, false, true) if token.is_some_and(|token| token.id == key.invite) => {
                return refused("its key was revoked after it joined with this very token; give it a new one");
            }
            (true, false, true) => {}
            (_, true, _) => {
                return refused("the key was in use before; remove the drone's key file, it makes a new one");
            }
            (false, false, _) => {}
        }
    }
    match token {
        None => refused("there is no such token; ask for a new one (chartly drone invite)"),
        Some(token) if token.withdrawn_ms.is_some() => refused("the token was withdrawn"),
        Some(token) if token.expires_ms <= now_ms => {
            refused("the token's time is over; ask for a new one (chartly drone invite)")
        }
        Some(token) if token.used >= token.uses => {
            refused("the token is used up; ask for a new one (chartly drone invite --uses N)")
        }
        Some(token) => Ok(Verdict::Joins(token.id)),
    }
}

/// Defines the queries on an engine's connection.
macro_rules! enrolment_queries {
    ($Db:ty, $Row:ty) => {
        pub(super) const INVITES: &str =
            "SELECT id, note, uses, used, created_ms, expires_ms, withdrawn_ms FROM invites
            WHERE tenant_id = $1 ORDER BY id DESC";
        pub(super) const KEYS: &str = "SELECT drone_id, invite, enrolled_ms, rotated_ms, rotate_ms, revoked_ms, refused,
                refused_ms FROM drone_keys WHERE tenant_id = $1 AND drone_id >= $2 AND drone_id <= $3";
        pub(super) const KNOWN: &str = "SELECT drone_id, next_digest = $2 AS is_next, rotate_ms, revoked_ms
            FROM drone_keys WHERE tenant_id = $1 AND (digest = $2 OR next_digest = $2)";

        pub(super) fn invite_view(row: &$Row) -> Result<InviteView, StoreError> {
            Ok(InviteView {
                invite_id: row.try_get("id")?,
                note: row.try_get("note")?,
                uses: count(row.try_get("uses")?),
                used: count(row.try_get("used")?),
                created_ms: row.try_get("created_ms")?,
                expires_ms: row.try_get("expires_ms")?,
                withdrawn_ms: row.try_get("withdrawn_ms")?,
            })
        }

        pub(super) fn key_view(row: &$Row) -> Result<(DroneId, DroneKeyView), StoreError> {
            let view = DroneKeyView {
                invite_id: row.try_get("invite")?,
                enrolled_ms: row.try_get("enrolled_ms")?,
                rotated_ms: row.try_get("rotated_ms")?,
                rotation_asked: row.try_get::<Option<i64>, _>("rotate_ms")?.is_some(),
                revoked_ms: row.try_get("revoked_ms")?,
                refused: u64::try_from(row.try_get::<i64, _>("refused")?).unwrap_or(0),
                refused_ms: row.try_get("refused_ms")?,
            };
            Ok((stored(DroneId::parse(row.try_get("drone_id")?))?, view))
        }

        pub(super) fn known_key(row: &$Row) -> Result<KnownKey, StoreError> {
            Ok(KnownKey {
                drone_id: stored(DroneId::parse(row.try_get("drone_id")?))?,
                is_revoked: row.try_get::<Option<i64>, _>("revoked_ms")?.is_some(),
                is_next: row.try_get::<Option<bool>, _>("is_next")?.unwrap_or(false),
                rotate: row.try_get::<Option<i64>, _>("rotate_ms")?.is_some(),
            })
        }

        fn count(stored: i64) -> u32 {
            u32::try_from(stored).unwrap_or(u32::MAX)
        }

        async fn add_invite(db: &mut $Db, tenant: Tenant, invite: &NewInvite) -> Result<i64, StoreError> {
            let old = query("DELETE FROM invites WHERE tenant_id = $1 AND expires_ms < $2");
            old.bind(tenant.0).bind(invite.created_ms - KEPT_MS).execute(&mut *db).await?;
            let held = query("SELECT count(*) FROM invites WHERE tenant_id = $1").bind(tenant.0);
            if held.fetch_one(&mut *db).await?.try_get::<i64, _>(0)? >= MAX_INVITES as i64 {
                return Err(StoreError::TooManyInvites(MAX_INVITES));
            }
            let text = "INSERT INTO invites (tenant_id, digest, note, uses, created_ms, expires_ms)
                VALUES ($1, $2, $3, $4, $5, $6) RETURNING id";
            let ask = query(text).bind(tenant.0).bind(&invite.token.as_bytes()[..]).bind(invite.note.replace('\0', ""));
            let ask = ask.bind(i64::from(invite.uses)).bind(invite.created_ms).bind(invite.expires_ms);
            Ok(ask.fetch_one(db).await?.try_get(0)?)
        }

        async fn withdraw_invite(
            db: &mut $Db,
            tenant: Tenant,
            id: i64,
            now_ms: i64,
        ) -> Result<InviteView, StoreError> {
            let text = "UPDATE invites SET withdrawn_ms = coalesce(withdrawn_ms, $3) WHERE tenant_id = $1 AND id = $2
                RETURNING id, note, uses, used, created_ms, expires_ms, withdrawn_ms";
            let row = query(text).bind(tenant.0).bind(id).bind(now_ms).fetch_optional(db).await?;
            invite_view(&row.ok_or(StoreError::UnknownInvite(id))?)
        }

        async fn enrol(db: &mut $Db, tenant: Tenant, asked: &Enrolment, now_ms: i64) -> Result<(), StoreError> {
            let held = held_keys(db, tenant, asked).await?;
            let token = token(db, tenant, &asked.token).await?;
            let Verdict::Joins(invite) = judge(asked, &held, token.as_ref(), now_ms)? else { return Ok(()) };
            let used = query("UPDATE invites SET used = used + 1 WHERE tenant_id = $1 AND id = $2");
            used.bind(tenant.0).bind(invite).execute(&mut *db).await?;
            let text = "INSERT INTO drone_keys (tenant_id, drone_id, digest, invite, enrolled_ms)
                VALUES ($1, $2, $3, $4, $5)
                ON CONFLICT (tenant_id, drone_id) DO UPDATE SET digest = excluded.digest, next_digest = NULL,
                    invite = excluded.invite, enrolled_ms = excluded.enrolled_ms, rotated_ms = NULL, rotate_ms = NULL,
                    revoked_ms = NULL, refused = 0, refused_ms = NULL";
            let ask = query(text).bind(tenant.0).bind(asked.drone_id.as_str()).bind(&asked.key.as_bytes()[..]);
            ask.bind(invite).bind(now_ms).execute(db).await?;
            Ok(())
        }

        async fn held_keys(db: &mut $Db, tenant: Tenant, asked: &Enrolment) -> Result<Vec<HeldKey>, StoreError> {
            let text = "SELECT drone_id, digest = $3 OR coalesce(next_digest = $3, false) AS is_same, revoked_ms, invite
                FROM drone_keys WHERE tenant_id = $1 AND (drone_id = $2 OR digest = $3 OR next_digest = $3)";
            let ask = query(text).bind(tenant.0).bind(asked.drone_id.as_str()).bind(&asked.key.as_bytes()[..]);
            let rows = ask.fetch_all(db).await?;
            let held = rows.iter().map(|row| {
                Ok(HeldKey {
                    drone_id: stored(DroneId::parse(row.try_get("drone_id")?))?,
                    is_same_key: row.try_get("is_same")?,
                    is_revoked: row.try_get::<Option<i64>, _>("revoked_ms")?.is_some(),
                    invite: row.try_get("invite")?,
                })
            });
            held.collect()
        }

        async fn token(db: &mut $Db, tenant: Tenant, digest: &Digest) -> Result<Option<Token>, StoreError> {
            let text = "SELECT id, uses, used, expires_ms, withdrawn_ms FROM invites
                WHERE tenant_id = $1 AND digest = $2";
            let row = query(text).bind(tenant.0).bind(&digest.as_bytes()[..]).fetch_optional(db).await?;
            let Some(row) = row else { return Ok(None) };
            Ok(Some(Token {
                id: row.try_get("id")?,
                uses: row.try_get("uses")?,
                used: row.try_get("used")?,
                expires_ms: row.try_get("expires_ms")?,
                withdrawn_ms: row.try_get("withdrawn_ms")?,
            }))
        }

        /// One change of a drone's key.
        async fn change_key(
            db: &mut $Db,
            tenant: Tenant,
            drone: &DroneId,
            change: &KeyChange,
        ) -> Result<(), StoreError> {
            let ask = |text| query(text).bind(tenant.0).bind(drone.as_str());
            let ask = match change {
                KeyChange::UseNext(key, now_ms) => {
                    let text = "UPDATE drone_keys SET digest = $3, next_digest = NULL, rotated_ms = $4
                        WHERE tenant_id = $1 AND drone_id = $2 AND next_digest = $3 AND revoked_ms IS NULL";
                    ask(text).bind(key.as_bytes().to_vec()).bind(*now_ms)
                }
                KeyChange::SetNext(key) => {
                    let text = "UPDATE drone_keys SET rotate_ms = NULL,
                            next_digest = CASE WHEN digest = $3 THEN NULL ELSE $3 END
                        WHERE tenant_id = $1 AND drone_id = $2 AND revoked_ms IS NULL";
                    ask(text).bind(key.as_bytes().to_vec())
                }
                KeyChange::AskRotation(now_ms) => {
                    let text = "UPDATE drone_keys SET rotate_ms = $3
                        WHERE tenant_id = $1 AND drone_id = $2 AND revoked_ms IS NULL";
                    ask(text).bind(*now_ms)
                }
                KeyChange::Revoke(now_ms) => {
                    let text = "UPDATE drone_keys SET revoked_ms = coalesce(revoked_ms, $3), rotate_ms = NULL
                        WHERE tenant_id = $1 AND drone_id = $2";
                    ask(text).bind(*now_ms)
                }
                KeyChange::Refused(now_ms) => {
                    let text = "UPDATE drone_keys SET refused = refused + 1, refused_ms = $3
                        WHERE tenant_id = $1 AND drone_id = $2";
                    ask(text).bind(*now_ms)
                }
            };
            match (ask.execute(db).await?.rows_affected(), change) {
                // It may have come into force by another request of the same drone.
                (0, KeyChange::UseNext(..)) => Ok(()),
                (0, _) => Err(StoreError::NoOwnKey(drone.clone())),
                _ => Ok(()),
            }
        }
    };
}
pub(super) use enrolment_queries;

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Enrolment {
        let drone_id = DroneId::parse("d1").unwrap();
        Enrolment { token: Digest::of(b"token"), drone_id, key: Digest::of(b"key") }
    }

    fn held(drone: &str, is_same_key: bool, is_revoked: bool) -> HeldKey {
        HeldKey { drone_id: DroneId::parse(drone).unwrap(), is_same_key, is_revoked, invite: 6 }
    }

    fn token() -> Token {
        Token { id: 7, uses: 2, used: 1, expires_ms: 100, withdrawn_ms: None }
    }

    #[test]
    fn a_token_is_good_within_its_uses_and_its_time() {
        let judge = |token: &Token, now_ms| judge(&asked(), &[], Some(token), now_ms);
        assert_eq!(judge(&token(), 99), Ok(Verdict::Joins(7)));
        for (bad, now_ms) in
            [(token(), 100), (Token { used: 2, ..token() }, 99), (Token { withdrawn_ms: Some(1), ..token() }, 99)]
        {
            assert!(matches!(judge(&bad, now_ms), Err(StoreError::TokenRefused(_))), "{bad:?}");
        }
        assert!(matches!(super::judge(&asked(), &[], None, 0), Err(StoreError::TokenRefused(_))));
    }

    #[test]
    fn an_enrolment_that_is_repeated_costs_no_use_and_needs_no_token() {
        assert_eq!(judge(&asked(), &[held("d1", true, false)], None, 1_000), Ok(Verdict::Known));
    }

    #[test]
    fn a_drone_is_not_taken_over_and_a_key_is_not_used_twice() {
        let judge = |key: HeldKey| judge(&asked(), &[key], Some(&token()), 0);
        assert!(matches!(judge(held("d1", false, false)), Err(StoreError::DroneEnrolled(_))));
        assert_eq!(judge(held("d1", false, true)), Ok(Verdict::Joins(7)), "revoked, and invited again");
        let same_token = HeldKey { invite: 7, ..held("d1", false, true) };
        assert!(matches!(judge(same_token), Err(StoreError::TokenRefused(_))), "revoked, with the token it had");
        for taken in [held("d1", true, true), held("d2", true, false), held("d2", true, true)] {
            assert!(matches!(judge(taken), Err(StoreError::TokenRefused(_))));
        }
    }
}
