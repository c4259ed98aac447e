//! Codes and statuses of the key service. What failed inside goes to the log; the answer names only its code.

use ark::keys::Error;
use ark::provider::KeyError;

use crate::http::error::ApiError;
use crate::shell::key_service::Ark;

/// Codes of the key service: name, status, meaning. A name is for ever.
pub(crate) const CODES: &[(&str, u16, &str)] = &[
    ("ark_not_made", 409, "There is no key service yet: `lintel ark init` makes it."),
    ("ark_elsewhere", 409, "The key service is a process of its own; the message says where."),
    ("caller_malformed", 401, "The certificate, or the header in its place, names no caller."),
    ("sealed", 503, "The key service is sealed: custodians bring their shares."),
    ("root_wrong", 422, "The shares make another root key than this key service's."),
    ("root_in_device", 409, "The root key lies in a device; there are no shares."),
    ("share_form", 400, "This is not a share of a root key."),
    ("share_mistyped", 400, "A share's check does not fit."),
    ("share_other_set", 422, "The share is of another set than those before it."),
    ("share_duplicate", 422, "This share was given already."),
    ("shares_too_few", 422, "Fewer shares are here than it takes."),
    ("key_not_found", 404, "No key has this name."),
    ("key_exists", 409, "A key has or had this name."),
    ("key_other", 409, "A key of this name is there, of another kind or purpose, or one that may leave."),
    ("key_name", 400, "The name of a key, or the prefix of a policy, has another form than it should."),
    ("key_version", 404, "The key has no such version."),
    ("key_state", 409, "The state of the version does not allow this."),
    ("key_needed", 409, "The vault's rows lie under this version of its key, and would open no more: they move first."),
    ("key_usage", 409, "The key was not made for this."),
    ("not_approved", 409, "The key service is in approved mode, and this kind of key is no national one."),
    ("key_not_exportable", 409, "The key was not made exportable."),
    ("key_kind", 422, "A key of this kind cannot be for this."),
    ("key_forming", 409, "A key that is formed of components cannot be, or not yet; the message says why."),
    ("profile_production", 409, "PIN and terminal keys of a production belong into a financial module."),
    ("key_purpose", 422, "The key is for another purpose."),
    ("public_key_invalid", 422, "The public key is none of its kind: not on the curve, or too short."),
    ("key_bytes_invalid", 422, "These bytes are no key of this kind."),
    ("too_large", 413, "A value, context, reason or proposal is too large."),
    ("batch_too_large", 413, "A batch has more than 1,000 values."),
    ("decryption_failed", 422, "It does not open: altered, cut, of another key, version or context."),
    ("signature_invalid", 422, "The signature is not one of this message under this key."),
    ("tag_mismatch", 422, "The tag is not the one of this message under this key."),
    ("length_invalid", 422, "A length is not one that may be asked for."),
    ("access_invalid", 422, "A change of roles or policies that cannot be."),
    ("ark_approval_required", 403, "This takes two people: ask for an approval and name it."),
    ("ark_approval_unknown", 404, "No approval of the key service has this number."),
    ("ark_approval_state", 409, "The approval does not allow this, or not any more."),
    ("audit_broken", 500, "The trail is not as it was written; the message names the first record that is wrong."),
    ("key_damaged", 500, "A row is not as it was written; put the file back from its backup."),
    ("keys_file", 500, "The keys file is another's, or in use by another process."),
    ("keys_unavailable", 503, "The keys file cannot be read or written now."),
    ("device_unavailable", 503, "A device that holds keys does not do it now; the server's log says why."),
    ("key_file", 500, "The root key's file for development does not read."),
];

/// The error as callers see it.
pub(super) fn of(error: Error) -> ApiError {
    of_ref(&error)
}

/// The error as callers see it.
pub(crate) fn of_ref(error: &Error) -> ApiError {
    let code = error.code();
    if let Error::Root { .. } = error {
        // Its own words name a file of the server.
        let message = "these shares make another root key; bring those of this key service";
        return ApiError::new(code, Some("share"), message);
    }
    if let Error::Provider(KeyError::Device(device)) = error {
        tracing::error!(error = %device, code, "a device of the key service failed");
        let message = "a device that holds keys does not do it now; the server's log says why";
        return ApiError::new("device_unavailable", None, message);
    }
    if is_inside(error) {
        tracing::error!(%error, code, "the key service failed");
        return ApiError::new(code, None, "the key service could not do it; the server's log says why");
    }
    if code == "not_permitted" || CODES.iter().any(|(known, _, _)| *known == code) {
        return ApiError::new(code, param(error), error.to_string());
    }
    ApiError::internal("the key service", error)
}

/// Whether it is about files of the server.
fn is_inside(error: &Error) -> bool {
    matches!(
        error,
        Error::Damaged { .. } | Error::File { .. } | Error::Io { .. } | Error::Database(_) | Error::KeyFile(_)
    )
}

fn param(error: &Error) -> Option<&'static str> {
    if matches!(error, Error::Name(_) | Error::Unknown(_) | Error::Exists(_)) {
        Some("name")
    } else if matches!(error, Error::Share(_)) {
        Some("share")
    } else if matches!(error, Error::ApprovalRequired(_) | Error::ApprovalUnknown(_) | Error::ApprovalState { .. }) {
        Some("approval")
    } else if matches!(error, Error::Version { .. }) {
        Some("version")
    } else {
        None
    }
}

/// Why there is no key service.
pub(super) fn absent(ark: &Ark) -> ApiError {
    if ark.has_ended() {
        return ApiError::new("unavailable", None, "the platform stops; nothing was done");
    }
    ApiError::new("ark_not_made", None, "there is no key service yet; `lintel ark init` makes it")
}

/// The key service is sealed, and with it the platform.
pub(crate) fn sealed() -> ApiError {
    of(Error::Sealed)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use domain::RefusalCode;

    use super::CODES;
    use crate::http::error::CODES as REQUEST_CODES;

    #[test]
    fn no_code_means_something_else_elsewhere() {
        let own: BTreeSet<_> = CODES.iter().map(|(code, _, _)| *code).collect();
        assert_eq!(own.len(), CODES.len());
        let others = REQUEST_CODES.iter().map(|(code, _, _)| *code);
        let others: BTreeSet<_> = others.chain(RefusalCode::ALL.iter().map(|code| code.name())).collect();
        assert_eq!(own.intersection(&others).collect::<Vec<_>>(), Vec::<&&str>::new());
    }
}
