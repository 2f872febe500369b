//! Sessions as hashes: one readable field for each part.

use std::collections::HashMap;

use redis::ScriptInvocation;
use tower_jwt_auth_core::{
    ClientInfo, Ended, LateRetryRun, Revocation, SecretHash, Session, SessionId, SessionRecord,
    StoreError, Timestamp,
};

use crate::convert::{malformed, parse, parse_time};

/// The fields of a hash or of a stream entry.
pub(crate) type Fields = HashMap<String, String>;

/// The issuer, ID and `access_until` of a session that a script has ended.
pub(crate) type EndedSession = (String, String, String);

/// Converts a secret hash to its field.
pub(crate) fn hash_text(hash: &SecretHash) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(hash.as_bytes())
}

/// Adds the fields of a session to the arguments of a script, each after its name.
pub(crate) fn bind_session(call: &mut ScriptInvocation<'_>, record: &SessionRecord) {
    // Names all fields, so that a new field of sessions breaks the build here.
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
    } = record;
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

/// Reads a session from its fields. Returns `None` if there are no fields, which means that the session does not exist.
pub(crate) fn read_session(id: SessionId, fields: Fields) -> Result<Option<Session>, StoreError> {
    if fields.is_empty() {
        return Ok(None);
    }
    let mut row = Row(fields);
    Ok(Some(Session::from_record(SessionRecord {
        id,
        issuer: row.text("issuer")?,
        subject: row.text("subject")?,
        secret_hash: row.secret_hash()?,
        generation: parse("generation", &row.text("generation")?)?,
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
        client_info: row.client_info(),
    })))
}

/// Reads the log entry of a session that a script has ended.
pub(crate) fn read_ended_session(ended: EndedSession) -> Result<Revocation, StoreError> {
    let (issuer, sid, access_until) = ended;
    let until = parse_time("access_until", &access_until)?;
    Ok(Revocation::Session { issuer, sid, until })
}

struct Row(Fields);

impl Row {
    fn optional(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    fn text(&mut self, name: &str) -> Result<String, StoreError> {
        self.optional(name).ok_or_else(|| malformed(name))
    }

    fn time(&mut self, name: &str) -> Result<Timestamp, StoreError> {
        parse_time(name, &self.text(name)?)
    }

    fn secret_hash(&mut self) -> Result<SecretHash, StoreError> {
        let text = self.text("secret_hash")?;
        let bytes = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(text).ok();
        let bytes: Option<[u8; 32]> = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes.map(SecretHash::from_bytes).ok_or_else(|| malformed("secret_hash"))
    }

    fn late_retry(&mut self) -> Result<Option<LateRetryRun>, StoreError> {
        let length = self.optional("late_retry_length");
        let Some(generation) = self.optional("late_retry") else { return Ok(None) };
        let generation = parse("late_retry", &generation)?;
        // Early releases wrote no length.
        let length = length.map_or(Ok(1), |length| parse("late_retry_length", &length))?;
        Ok(Some(LateRetryRun { generation, length }))
    }

    fn ended(&mut self) -> Result<Option<Ended>, StoreError> {
        let Some(at) = self.optional("ended_at") else { return Ok(None) };
        let at = parse_time("ended_at", &at)?;
        let reason = parse("end_reason", &self.text("end_reason")?)?;
        Ok(Some(Ended { at, reason }))
    }

    fn client_info(&mut self) -> ClientInfo {
        let mut client_info = ClientInfo::default();
        if let Some(user_agent) = self.optional("user_agent") {
            client_info = client_info.with_user_agent(user_agent);
        }
        if let Some(address) = self.optional("address") {
            client_info = client_info.with_address(address);
        }
        client_info
    }
}
