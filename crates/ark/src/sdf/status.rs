//! The error codes of GM/T 0018-2012 (appendix A) by their names.

use crate::device::DeviceError;

pub(super) const OK: u32 = 0;
const BASE: u32 = 0x0100_0000;

/// In the order of their numbers, from `BASE + 1`.
const NAMES: [&str; 30] = [
    "SDR_UNKNOWERR",
    "SDR_NOTSUPPORT",
    "SDR_COMMFAIL",
    "SDR_HARDFAIL",
    "SDR_OPENDEVICE",
    "SDR_OPENSESSION",
    "SDR_PARDENY",
    "SDR_KEYNOTEXIST",
    "SDR_ALGNOTSUPPORT",
    "SDR_ALGMODNOTSUPPORT",
    "SDR_PKOPERR",
    "SDR_SKOPERR",
    "SDR_SIGNERR",
    "SDR_VERIFYERR",
    "SDR_SYMOPERR",
    "SDR_STEPERR",
    "SDR_FILESIZEERR",
    "SDR_FILENOEXIST",
    "SDR_FILEOFSERR",
    "SDR_KEYTYPEERR",
    "SDR_KEYERR",
    "SDR_ENCDATAERR",
    "SDR_RANDERR",
    "SDR_PRKRERR",
    "SDR_MACERR",
    "SDR_FILEEXSITS",
    "SDR_FILEWERR",
    "SDR_NOBUFFER",
    "SDR_INARGERR",
    "SDR_OUTARGERR",
];

pub(super) const VERIFY: u32 = BASE + 0x0e;
const NOT_SUPPORTED: [u32; 3] = [BASE + 2, BASE + 9, BASE + 10];
const LOST: [u32; 3] = [BASE + 3, BASE + 4, BASE + 5];
const OPEN_SESSION: u32 = BASE + 6;
const NO_RIGHT: u32 = BASE + 7;
const NO_KEY: u32 = BASE + 8;
const WRONG_RIGHT: u32 = BASE + 0x18;
const NO_BUFFER: u32 = BASE + 0x1c;

/// `SDR_COMMFAIL (0x01000003)`.
pub(super) fn name(status: u32) -> String {
    let place = status.checked_sub(BASE + 1).and_then(|place| usize::try_from(place).ok());
    let name = place.and_then(|place| NAMES.get(place)).unwrap_or(&"a code of the vendor's own");
    format!("{name} (0x{status:08x})")
}

/// What a code means for `operation`, which is about `what` (a key, mostly).
pub(super) fn error(device: &str, operation: &'static str, what: &str, status: u32) -> DeviceError {
    let (device, what, text) = (device.to_owned(), what.to_owned(), name(status));
    if LOST.contains(&status) {
        DeviceError::Lost { device, operation, status: text }
    } else if NOT_SUPPORTED.contains(&status) {
        DeviceError::Unsupported { device, operation, reason: text }
    } else if operation == "SDF_OpenSession" && [OPEN_SESSION, NO_BUFFER].contains(&status) {
        DeviceError::Full { device, status: text }
    } else if [NO_RIGHT, WRONG_RIGHT].contains(&status) {
        DeviceError::Password { device, what }
    } else if status == NO_KEY {
        DeviceError::NoKey { device, what }
    } else {
        DeviceError::Refused { device, operation, status: text }
    }
}

#[cfg(test)]
mod tests {
    use super::{error, name};

    #[test]
    fn codes_have_names_and_meanings() {
        assert_eq!(name(0x0100_0002), "SDR_NOTSUPPORT (0x01000002)");
        assert_eq!(name(0x0100_001e), "SDR_OUTARGERR (0x0100001e)");
        for unknown in [0x0100_0000, 0x0100_001f, 7, u32::MAX] {
            assert_eq!(name(unknown), format!("a code of the vendor's own (0x{unknown:08x})"));
        }
        let code = |operation, status| error("a", operation, "pair 1", status).code();
        assert_eq!(code("SDF_OpenSession", 0x0100_0006), "device_busy");
        assert_eq!(code("SDF_Encrypt", 0x0100_0006), "device_refused");
        assert_eq!(code("SDF_Encrypt", 0x0100_0003), "device_lost");
        assert_eq!(code("SDF_Encrypt", 0x0100_000a), "device_unsupported");
        assert_eq!(code("SDF_GetPrivateKeyAccessRight", 0x0100_0018), "device_password");
        assert_eq!(code("SDF_ExportSignPublicKey_ECC", 0x0100_0008), "device_key_missing");
    }
}
