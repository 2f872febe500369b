//! Sessions as hashes: one field for each part, as a text that can be read.

use std::collections::HashMap;

use redis::ScriptInvocation;
use tower_jwt_auth_core::{
    ClientInfo, Ended, LateRetryRun, SecretHash, Session, SessionId, SessionRecord, StoreError,
    Timestamp,
};

/// The fields of a hash as the server gives them.
pub(crate) type Fields = HashMap<String, String>;

pub(crate) fn hash_text(hash: &SecretHash) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(hash.as_bytes())
}

/// Gives a script all parts of a session, each after its name.
pub(crate) fn write(call: &mut ScriptInvocation<'_>, parts: &SessionRecord) {
    // All of them by name, so that a part which is added to sessions is not forgotten here.
    let SessionRecord {
        id: _,
        issuer,
        subject,
        secret_hash,
        generation,
        created_at,
        rotated_at,
        idle_until,
        expires_at,
        access_until,
        late_retry,
        ended,
        auth_time,
        client_id,
        scope,
        claims,
        client_info,
    } = parts;
    call.arg("issuer").arg(issuer).arg("subject").arg(subject);
    call.arg("secret_hash").arg(hash_text(secret_hash));
    call.arg("generation").arg(generation);
    for (name, time) in [
        ("created_at", created_at),
        ("rotated_at", rotated_at),
        ("idle_until", idle_until),
        ("expires_at", expires_at),
        ("access_until", access_until),
        ("auth_time", auth_time),
    ] {
        call.arg(name).arg(time.unix_millis());
    }
    if let Some(LateRetryRun { generation, length }) = late_retry {
        call.arg("late_retry").arg(generation).arg("late_retry_length").arg(length);
    }
    if let Some(Ended { at, reason }) = ended {
        call.arg("ended_at").arg(at.unix_millis()).arg("end_reason").arg(reason.as_str());
    }
    call.arg("client_id").arg(client_id).arg("scope").arg(scope).arg("claims").arg(claims);
    if let Some(user_agent) = client_info.user_agent() {
        call.arg("user_agent").arg(user_agent);
    }
    if let Some(address) = client_info.address() {
        call.arg("address").arg(address);
    }
}

/// The session of this name that has these fields.
pub(crate) fn read(id: SessionId, fields: Fields) -> Result<Session, StoreError> {
    let mut row = Row(fields);
    let mut client_info = ClientInfo::default();
    if let Some(user_agent) = row.optional("user_agent") {
        client_info = client_info.with_user_agent(user_agent);
    }
    if let Some(address) = row.optional("address") {
        client_info = client_info.with_address(address);
    }
    Ok(Session::from_record(SessionRecord {
        id,
        issuer: row.text("issuer")?,
        subject: row.text("subject")?,
        secret_hash: row.hash("secret_hash")?,
        generation: row.number("generation")?,
        created_at: row.time("created_at")?,
        rotated_at: row.time("rotated_at")?,
        idle_until: row.time("idle_until")?,
        expires_at: row.time("expires_at")?,
        access_until: row.time("access_until")?,
        late_retry: row.late_retry()?,
        ended: row.ended()?,
        auth_time: row.time("auth_time")?,
        client_id: row.text("client_id")?,
        scope: row.text("scope")?,
        claims: row.text("claims")?,
        client_info,
    }))
}

struct Row(Fields);

impl Row {
    fn optional(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    fn text(&mut self, name: &str) -> Result<String, StoreError> {
        self.optional(name).ok_or_else(|| senseless(name))
    }

    fn number(&mut self, name: &str) -> Result<u64, StoreError> {
        parse(name, &self.text(name)?)
    }

    fn time(&mut self, name: &str) -> Result<Timestamp, StoreError> {
        time(name, &self.text(name)?)
    }

    fn hash(&mut self, name: &str) -> Result<SecretHash, StoreError> {
        let text = self.text(name)?;
        let bytes = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(text).ok();
        let bytes: Option<[u8; 32]> = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes.map(SecretHash::from_bytes).ok_or_else(|| senseless(name))
    }

    fn late_retry(&mut self) -> Result<Option<LateRetryRun>, StoreError> {
        let length = self.optional("late_retry_length");
        let Some(generation) = self.optional("late_retry") else { return Ok(None) };
        let generation = parse("late_retry", &generation)?;
        // A node of the release before knows no runs.
        let length = length.map_or(Ok(1), |length| parse("late_retry_length", &length))?;
        Ok(Some(LateRetryRun { generation, length }))
    }

    fn ended(&mut self) -> Result<Option<Ended>, StoreError> {
        let Some(at) = self.optional("ended_at") else { return Ok(None) };
        let at = time("ended_at", &at)?;
        let reason = self.text("end_reason")?.parse().map_err(|_| senseless("end_reason"))?;
        Ok(Some(Ended { at, reason }))
    }
}

/// A time as the server keeps it: milliseconds.
pub(crate) fn time(name: &str, text: &str) -> Result<Timestamp, StoreError> {
    parse(name, text).map(Timestamp::from_unix_millis)
}

/// A number as the server keeps it.
pub(crate) fn parse<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|_| senseless(name))
}

/// Without what is there: it may be secret.
pub(crate) fn senseless(name: &str) -> StoreError {
    StoreError::corrupt(format!("there is no {name}, or it makes no sense"))
}
