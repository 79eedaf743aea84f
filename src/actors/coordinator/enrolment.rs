//! Tokens and drones' keys. All of it is in the store and nothing is remembered here, so that any coordinator tells the
//! same. A token or key in clear is seen only where a token is made.

use super::{Coordinator, Seed};
use crate::actors::answers;
use crate::domain::digest::Digest;
use crate::domain::ids::{DroneId, TenantId};
use crate::domain::secret_form::token_of;
use crate::protocol::call::Done;
use crate::protocol::coordinator::DroneView;
use crate::protocol::enrolment::{
    AskRotation, CheckKey, CheckOwnKey, DroneKeyView, Enrol, Enrolled, Invite, InviteSpec, InviteView, Invited,
    KeyStanding, ListInvites, MAX_LIFE_S, MAX_NOTE_CHARS, MAX_USES, RevokeKey, SetNextKey, WithdrawInvite,
};
use crate::protocol::fault::Fault;
use crate::store::{Enrolment, KeyChange, KnownKey, NewInvite, StoreError, TenantStore};

answers!(Coordinator {
    Invite => invite,
    ListInvites => list_invites,
    WithdrawInvite => withdraw_invite,
    Enrol => enrol,
    CheckKey => check_key,
    CheckOwnKey => check_own_key,
    AskRotation => ask_rotation,
    SetNextKey => set_next_key,
    RevokeKey => revoke_key,
});

impl Coordinator {
    async fn invite(seed: Seed, message: Invite) -> Result<Invited, Fault> {
        let Invite { tenant, spec } = message;
        check(&spec)?;
        let (token, created_ms) = (token_of(rand::random()), seed.clock.now_ms());
        let expires_ms = created_ms + i64::from(spec.life_s) * 1_000;
        let InviteSpec { uses, note, .. } = spec;
        let new = NewInvite { token: Digest::of(token.as_bytes()), note: note.clone(), uses, created_ms, expires_ms };
        let invite_id = seed.store.tenant(&tenant).add_invite(new).await?;
        tracing::info!(invite_id, uses, note, "a token for drones was made");
        let invite = InviteView { invite_id, note, uses, used: 0, created_ms, expires_ms, withdrawn_ms: None };
        Ok(Invited { token, invite })
    }

    async fn list_invites(seed: Seed, message: ListInvites) -> Result<Vec<InviteView>, Fault> {
        Ok(seed.store.tenant(&message.tenant).invites().await?)
    }

    async fn withdraw_invite(seed: Seed, message: WithdrawInvite) -> Result<InviteView, Fault> {
        let WithdrawInvite { tenant, invite_id } = message;
        let view = seed.store.tenant(&tenant).withdraw_invite(invite_id, seed.clock.now_ms()).await?;
        tracing::info!(invite_id, "a token for drones was withdrawn");
        Ok(view)
    }

    async fn enrol(seed: Seed, message: Enrol) -> Result<Enrolled, Fault> {
        let Enrol { tenant, token, drone_id, key } = message;
        let enrolment = Enrolment { token, drone_id: drone_id.clone(), key };
        match seed.store.tenant(&tenant).enrol(enrolment, seed.clock.now_ms()).await {
            Ok(()) => {
                tracing::info!(drone = %drone_id, "a drone has joined with a token and has its own key");
                Ok(Enrolled { drone_id })
            }
            Err(error) => {
                tracing::warn!(drone = %drone_id, %error, "a drone could not join");
                Err(error.into())
            }
        }
    }

    async fn check_key(seed: Seed, message: CheckKey) -> Result<KeyStanding, Fault> {
        let CheckKey { tenant, key } = message;
        let store = seed.store.tenant(&tenant);
        let Some(KnownKey { drone_id, is_revoked, is_next, rotate }) = store.known_key(&key).await? else {
            return Ok(KeyStanding::Unknown);
        };
        let now_ms = seed.clock.now_ms();
        if is_revoked {
            store.change_key(&drone_id, KeyChange::Refused(now_ms)).await?;
            tracing::warn!(drone = %drone_id, "a revoked key was shown and refused");
            return Ok(KeyStanding::Revoked { drone_id });
        }
        if is_next {
            store.change_key(&drone_id, KeyChange::UseNext(key, now_ms)).await?;
            tracing::info!(drone = %drone_id, "a drone's new key is in force; the one before is not taken any more");
        }
        Ok(KeyStanding::Good { drone_id, rotate })
    }

    async fn check_own_key(seed: Seed, message: CheckOwnKey) -> Result<bool, Fault> {
        let CheckOwnKey { tenant, drone_id } = message;
        let keys = seed.store.tenant(&tenant).drone_keys(&drone_id, &drone_id).await?;
        Ok(keys.iter().any(|(_, key)| key.revoked_ms.is_none()))
    }

    async fn ask_rotation(seed: Seed, message: AskRotation) -> Result<DroneKeyView, Fault> {
        let AskRotation { tenant, drone_id } = message;
        let asked = KeyChange::AskRotation(seed.clock.now_ms());
        changed(&seed, &tenant, &drone_id, asked).await
    }

    async fn set_next_key(seed: Seed, message: SetNextKey) -> Result<Done, Fault> {
        let SetNextKey { tenant, drone_id, key } = message;
        changed(&seed, &tenant, &drone_id, KeyChange::SetNext(key)).await?;
        Ok(Done {})
    }

    async fn revoke_key(seed: Seed, message: RevokeKey) -> Result<DroneKeyView, Fault> {
        let RevokeKey { tenant, drone_id } = message;
        let view = changed(&seed, &tenant, &drone_id, KeyChange::Revoke(seed.clock.now_ms())).await?;
        tracing::warn!(drone = %drone_id, "the key of a drone was revoked");
        Ok(view)
    }
}

async fn changed(seed: &Seed, tenant: &TenantId, drone: &DroneId, change: KeyChange) -> Result<DroneKeyView, Fault> {
    let store = seed.store.tenant(tenant);
    store.change_key(drone, change).await?;
    let found = store.drone_keys(drone, drone).await?;
    let (_, view) = found.into_iter().next().ok_or_else(|| StoreError::NoOwnKey(drone.clone()))?;
    Ok(view)
}

/// Adds to drones, which are in the order of their ids, what is known of their own keys.
pub(super) async fn add_keys(store: &TenantStore, drones: &mut [DroneView]) -> Result<(), Fault> {
    let (Some(first), Some(last)) = (drones.first(), drones.last()) else { return Ok(()) };
    for (id, key) in store.drone_keys(&first.drone_id, &last.drone_id).await? {
        if let Ok(place) = drones.binary_search_by(|drone| drone.drone_id.cmp(&id)) {
            drones[place].key = Some(key);
        }
    }
    Ok(())
}

fn check(spec: &InviteSpec) -> Result<(), Fault> {
    let InviteSpec { uses, life_s, note } = spec;
    if !(1..=MAX_USES).contains(uses) {
        return Err(Fault::invalid("uses", format!("uses is {uses}; expected 1 to {MAX_USES}")));
    }
    if !(1..=MAX_LIFE_S).contains(life_s) {
        return Err(Fault::invalid("life_s", format!("life_s is {life_s}; expected 1 to {MAX_LIFE_S} (90 days)")));
    }
    if note.chars().count() > MAX_NOTE_CHARS || note.chars().any(char::is_control) {
        let detail =
            format!("note is too long or has control characters; expected at most {MAX_NOTE_CHARS} characters");
        return Err(Fault::invalid("note", detail));
    }
    Ok(())
}
