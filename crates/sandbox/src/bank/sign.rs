//! Signatures of the wire format, both ways. See `docs/sandbox.md`.

use ark::MacKey;
use axum::http::HeaderMap;

/// The request is not signed with the shared key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unsigned;

/// The nonce of a request that carries a good signature.
pub(crate) fn check<'h>(
    key: &MacKey,
    method: &str,
    target: &str,
    headers: &'h HeaderMap,
    body: &[u8],
) -> Result<&'h str, Unsigned> {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).ok_or(Unsigned);
    let (nonce, signature) = (header("x-nonce")?, header("x-signature")?);
    header("x-institution")?;
    let mut tag = [0; 32];
    hex::decode_to_slice(signature, &mut tag).map_err(|_| Unsigned)?;
    [method, target, nonce]
        .into_iter()
        .fold(key.mac(), |mac, part| mac.update(part.as_bytes()).update(b"\n"))
        .update(body)
        .verify(&tag)
        .map_err(|_| Unsigned)?;
    Ok(nonce)
}

/// The signature of an answer.
pub(crate) fn answer(key: &MacKey, status: u16, nonce: &str, body: &[u8]) -> String {
    hex::encode(key.mac().update(format!("ANSWER\n{status}\n{nonce}\n").as_bytes()).update(body).finish())
}

/// The signature of a notification.
pub(crate) fn notification(key: &MacKey, id: &str, body: &[u8]) -> String {
    hex::encode(key.mac().update(format!("NOTIFY\n{id}\n").as_bytes()).update(body).finish())
}

/// The signature of a file.
pub(crate) fn file(key: &MacKey, bytes: &[u8]) -> String {
    hex::encode(key.mac().update(b"FILE\n").update(bytes).finish())
}
