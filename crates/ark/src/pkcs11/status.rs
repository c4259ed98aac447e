//! The return values of PKCS #11 by their names in the standard, and what each means for an operation.

use cryptoki::error::{Error, RvError};

use crate::device::DeviceError;

/// What a return value says about the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// The session, the token or the library is gone: another session or device may do.
    Lost,
    /// Says nothing: asked at once whether the token still answers.
    Unclear,
    Unsupported,
    Full,
    Password,
    NoKey,
    Refused,
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the standard's values; what is not listed is a refusal")]
fn meaning(value: RvError) -> Meaning {
    match value {
        RvError::SessionHandleInvalid
        | RvError::SessionClosed
        | RvError::DeviceError
        | RvError::DeviceRemoved
        | RvError::TokenNotPresent
        | RvError::TokenNotRecognized
        | RvError::SlotIdInvalid
        | RvError::UserNotLoggedIn
        | RvError::OperationActive
        | RvError::CryptokiNotInitialized => Meaning::Lost,
        RvError::GeneralError | RvError::FunctionFailed | RvError::VendorDefined(_) => Meaning::Unclear,
        RvError::FunctionNotSupported
        | RvError::MechanismInvalid
        | RvError::CurveNotSupported
        | RvError::KeyFunctionNotPermitted
        | RvError::KeyUnextractable
        | RvError::KeyNotWrappable => Meaning::Unsupported,
        RvError::SessionCount | RvError::DeviceMemory => Meaning::Full,
        RvError::PinIncorrect
        | RvError::PinInvalid
        | RvError::PinLenRange
        | RvError::PinExpired
        | RvError::PinLocked
        | RvError::UserPinNotInitialized => Meaning::Password,
        RvError::KeyHandleInvalid
        | RvError::ObjectHandleInvalid
        | RvError::WrappingKeyHandleInvalid
        | RvError::UnwrappingKeyHandleInvalid => Meaning::NoKey,
        _ => Meaning::Refused,
    }
}

/// `CKR_PIN_INCORRECT` of `PinIncorrect`.
fn constant(value: RvError) -> String {
    if let RvError::VendorDefined(number) = value {
        return format!("CKR_VENDOR_DEFINED (0x{number:08x})");
    }
    let mut name = "CKR".to_owned();
    for letter in format!("{value:?}").chars() {
        if letter.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

/// `CKR_PIN_INCORRECT in C_Login`, or what is wrong on this side of the library.
pub(super) fn text(error: &Error) -> String {
    match error {
        Error::Pkcs11(value, function) => format!("{} in C_{function:?}", constant(*value)),
        Error::LibraryLoading(_)
        | Error::NotSupported
        | Error::TryFromInt(_)
        | Error::TryFromSlice(_)
        | Error::ParseInt(_)
        | Error::Utf8(_)
        | Error::NulError(_)
        | Error::NullFunctionPointer
        | Error::MissingSymbol(_)
        | Error::InvalidValue
        | Error::PinNotSet => error.to_string(),
    }
}

/// The value of the standard, where the token answered one.
pub(super) fn value(error: &Error) -> Option<RvError> {
    if let Error::Pkcs11(value, _) = error { Some(*value) } else { None }
}

/// What an answer means for `operation`, which is about `what` (a key, mostly). `answers` says whether the token still
/// does, and is asked where the value says nothing.
pub(super) fn error(
    device: &str,
    operation: &'static str,
    what: &str,
    error: &Error,
    answers: impl FnOnce() -> bool,
) -> DeviceError {
    let (device, status) = (device.to_owned(), text(error));
    let Some(value) = value(error) else {
        let lacks = matches!(error, Error::NullFunctionPointer | Error::NotSupported);
        return if lacks {
            DeviceError::Unsupported { device, operation, reason: status }
        } else {
            DeviceError::Answer { device, operation, problem: status }
        };
    };
    match meaning(value) {
        Meaning::Lost => DeviceError::Lost { device, operation, status },
        Meaning::Unclear if !answers() => DeviceError::Lost { device, operation, status },
        Meaning::Unsupported => DeviceError::Unsupported { device, operation, reason: status },
        Meaning::Full => DeviceError::Full { device, status },
        Meaning::Password => DeviceError::Password { device, what: what.to_owned() },
        Meaning::NoKey => DeviceError::NoKey { device, what: what.to_owned() },
        Meaning::Unclear | Meaning::Refused => DeviceError::Refused { device, operation, status },
    }
}

#[cfg(test)]
mod tests {
    use cryptoki::{
        context::Function,
        error::{Error, RvError},
    };

    #[test]
    fn values_have_the_names_of_the_standard_and_meanings() {
        let error = |value| Error::Pkcs11(value, Function::EncryptInit);
        assert_eq!(super::text(&error(RvError::PinIncorrect)), "CKR_PIN_INCORRECT in C_EncryptInit");
        assert_eq!(super::text(&error(RvError::SlotIdInvalid)), "CKR_SLOT_ID_INVALID in C_EncryptInit");
        let vendors = "CKR_VENDOR_DEFINED (0x80000007) in C_EncryptInit";
        assert_eq!(super::text(&error(RvError::VendorDefined(0x8000_0007))), vendors);
        let code = |value, answers| super::error("a", "encrypt", "key k", &error(value), || answers).code();
        assert_eq!(code(RvError::DeviceRemoved, true), "device_lost");
        assert_eq!(code(RvError::GeneralError, true), "device_refused");
        assert_eq!(code(RvError::GeneralError, false), "device_lost");
        assert_eq!(code(RvError::VendorDefined(0x8000_0007), false), "device_lost");
        assert_eq!(code(RvError::EncryptedDataInvalid, false), "device_refused");
        assert_eq!(code(RvError::MechanismInvalid, true), "device_unsupported");
        assert_eq!(code(RvError::SessionCount, true), "device_busy");
        assert_eq!(code(RvError::PinLocked, true), "device_password");
        assert_eq!(code(RvError::KeyHandleInvalid, true), "device_key_missing");
        let missing = super::error("a", "encrypt", "key k", &Error::NullFunctionPointer, || true);
        assert_eq!(missing.code(), "device_unsupported");
    }
}
