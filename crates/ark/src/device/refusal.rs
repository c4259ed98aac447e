//! The financial commands of a provider that has none: refused in a production because the host would see clear PINs,
//! and elsewhere because the device's interface does not know them.

use super::{DeviceError, Profile};
use crate::provider::KeyError;

/// Why `provider` does no financial command.
pub(crate) fn no_financial(profile: Profile, provider: &'static str) -> KeyError {
    profile.allows_financial(provider).err().unwrap_or_else(|| {
        let reason = "its interface has no financial commands; the soft provider has them, for development";
        DeviceError::Unsupported {
            device: provider.to_owned(),
            operation: "do financial commands",
            reason: reason.to_owned(),
        }
        .into()
    })
}

/// [`crate::Financial`] for a provider with a field `profile`, every command refused.
macro_rules! refuse_financial {
    ($provider:ty, $name:literal) => {
        impl crate::Financial for $provider {
            fn generate_terminal_key(
                &self,
                _: crate::financial::Purpose,
                _: crate::financial::TerminalCipher,
            ) -> Result<crate::financial::TerminalKey, KeyError> {
                Err($crate::device::no_financial(self.profile, $name))
            }

            fn form_terminal_key(
                &self,
                _: crate::financial::Purpose,
                _: crate::financial::TerminalCipher,
                _: &[&[u8]],
            ) -> Result<crate::financial::TerminalKey, KeyError> {
                Err($crate::device::no_financial(self.profile, $name))
            }

            fn import_terminal_key(
                &self,
                _: crate::financial::Purpose,
                _: crate::financial::TerminalCipher,
                _: &[u8],
                _: &[u8],
                _: crate::financial::TerminalKey,
            ) -> Result<crate::financial::TerminalKey, KeyError> {
                Err($crate::device::no_financial(self.profile, $name))
            }

            fn export_terminal_key(
                &self,
                _: crate::financial::TerminalKey,
                _: crate::financial::TerminalKey,
            ) -> Result<Vec<u8>, KeyError> {
                Err($crate::device::no_financial(self.profile, $name))
            }

            fn wrap_terminal_key(
                &self,
                _: crate::financial::TerminalKey,
                _: crate::provider::KeyHandle,
            ) -> Result<Vec<u8>, KeyError> {
                Err($crate::device::no_financial(self.profile, $name))
            }

            fn unwrap_terminal_key(
                &self,
                _: crate::financial::Purpose,
                _: crate::financial::TerminalCipher,
                _: &[u8],
                _: &[u8; crate::provider::CHECK_VALUE_LENGTH],
                _: crate::provider::KeyHandle,
            ) -> Result<crate::financial::TerminalKey, KeyError> {
                Err($crate::device::no_financial(self.profile, $name))
            }

            fn destroy_terminal_key(&self, _: crate::financial::TerminalKey) {}

            fn terminal_check_value(
                &self,
                _: crate::financial::TerminalKey,
            ) -> Result<[u8; crate::provider::CHECK_VALUE_LENGTH], KeyError> {
                Err($crate::device::no_financial(self.profile, $name))
            }

            fn terminal_mac(
                &self,
                _: crate::financial::TerminalKey,
                _: crate::financial::TerminalMac,
                _: &[u8],
            ) -> Result<[u8; 8], KeyError> {
                Err($crate::device::no_financial(self.profile, $name))
            }

            fn check_terminal_mac(
                &self,
                _: crate::financial::TerminalKey,
                _: crate::financial::TerminalMac,
                _: &[u8],
                _: &[u8],
            ) -> Result<(), KeyError> {
                Err($crate::device::no_financial(self.profile, $name))
            }

            fn translate_pin(
                &self,
                _: crate::financial::PinSide<'_>,
                _: crate::financial::PinSide<'_>,
                _: &[u8],
            ) -> Result<Vec<u8>, KeyError> {
                Err($crate::device::no_financial(self.profile, $name))
            }

            fn encrypt_track(
                &self,
                _: crate::financial::TrackSide,
                _: crate::financial::Track,
                _: &crate::Secret,
            ) -> Result<String, KeyError> {
                Err($crate::device::no_financial(self.profile, $name))
            }

            fn translate_track(
                &self,
                _: crate::financial::TrackSide,
                _: crate::financial::TrackSide,
                _: crate::financial::Track,
                _: &str,
            ) -> Result<crate::financial::TranslatedTrack, KeyError> {
                Err($crate::device::no_financial(self.profile, $name))
            }

            fn derive_terminal_key(
                &self,
                _: crate::financial::Purpose,
                _: crate::financial::TerminalKey,
                _: &[u8; 8],
            ) -> Result<crate::financial::TerminalKey, KeyError> {
                Err($crate::device::no_financial(self.profile, $name))
            }
        }
    };
}

pub(crate) use refuse_financial;
