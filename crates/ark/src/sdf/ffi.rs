//! The C interface of GM/T 0018-2012: structures, functions found in a library at run time, and safe calls of them.
//!
//! Invariants: what the device writes goes into buffers of this module that are longer than the interface asks for, and
//! a length it gives back is compared with the buffer before it is used; a session is used by one thread at a time (it
//! takes `&mut`) and keeps its library loaded; keys of a session are named by numbers of the device and used on it alone.
#![expect(unsafe_code, reason = "calls a cryptographic device's library through its C interface")]

use std::{ffi::c_void, path::Path, ptr, sync::Arc};

use libloading::Library;
use zeroize::{Zeroize as _, Zeroizing};

use super::{
    form::{ECC_BITS, EccCipher, EccPoint, EccSignature},
    status::{self, OK},
};
use crate::device::DeviceError;

pub(super) const SM3: u32 = 0x0000_0001;
pub(super) const SM2_SIGN: u32 = 0x0002_0200;
pub(super) const SM2_ENCRYPT: u32 = 0x0002_0800;
pub(super) const SM4_ECB: u32 = 0x0000_0401;
pub(super) const SM4_CBC: u32 = 0x0000_0402;
pub(super) const SM4_MAC: u32 = 0x0000_0410;

/// Behind what an answer should have: a library that writes more than it should does it here.
const SLACK: usize = 512;
/// `ECCCipher` up to its C.
const CIPHER_HEADER: usize = 164;

/// `DEVICEINFO`.
#[repr(C)]
#[derive(Clone, Copy)]
struct DeviceInfo {
    issuer: [u8; 40],
    name: [u8; 16],
    serial: [u8; 16],
    version: u32,
    standard: u32,
    asymmetric: [u32; 2],
    symmetric: u32,
    hash: u32,
    buffer: u32,
}

/// `ECCrefPublicKey`.
type PublicKey = EccPoint;
type Handle = *mut c_void;

/// The functions by their names in the standard. The required ones make a library one of this interface; another one
/// that is not there is answered as not supported when it is called.
macro_rules! functions {
    (required { $($need:ident($($need_type:ty),*);)* } optional { $($may:ident($($may_type:ty),*);)* }) => {
        #[expect(non_snake_case, reason = "the standard's names")]
        struct Functions {
            // SAFETY: function types only; each call says why it is sound
            $($need: unsafe extern "C" fn($($need_type),*) -> u32,)*
            $($may: Option<unsafe extern "C" fn($($may_type),*) -> u32>,)*
        }

        impl Functions {
            /// The name of the first required one that is not there, else all.
            fn find(library: &Library) -> Result<Self, &'static str> {
                Ok(Self {
                    // SAFETY: the types are those of GM/T 0018-2012, 6; the library stays loaded beside them (`Api`)
                    $($need: *unsafe { library.get(stringify!($need).as_bytes()) }.map_err(|_| stringify!($need))?,)*
                    // SAFETY: as above
                    $($may: unsafe { library.get(stringify!($may).as_bytes()) }.ok().map(|found| *found),)*
                })
            }
        }
    };
}

functions! {
    required {
        SDF_OpenDevice(*mut Handle);
        SDF_CloseDevice(Handle);
        SDF_OpenSession(Handle, *mut Handle);
        SDF_CloseSession(Handle);
        SDF_GetDeviceInfo(Handle, *mut DeviceInfo);
        SDF_GenerateRandom(Handle, u32, *mut u8);
    }
    optional {
        SDF_GetPrivateKeyAccessRight(Handle, u32, *mut u8, u32);
        SDF_ExportSignPublicKey_ECC(Handle, u32, *mut PublicKey);
        SDF_ExportEncPublicKey_ECC(Handle, u32, *mut PublicKey);
        SDF_GenerateKeyWithKEK(Handle, u32, u32, u32, *mut u8, *mut u32, *mut Handle);
        SDF_ImportKeyWithKEK(Handle, u32, u32, *mut u8, u32, *mut Handle);
        SDF_ImportKeyWithISK_ECC(Handle, u32, *mut u8, *mut Handle);
        SDF_DestroyKey(Handle, Handle);
        SDF_ExternalVerify_ECC(Handle, u32, *mut PublicKey, *mut u8, u32, *mut EccSignature);
        SDF_InternalSign_ECC(Handle, u32, *mut u8, u32, *mut EccSignature);
        SDF_ExternalEncrypt_ECC(Handle, u32, *mut PublicKey, *mut u8, u32, *mut u8);
        SDF_InternalDecrypt_ECC(Handle, u32, *mut u8, *mut u8, *mut u32);
        SDF_Encrypt(Handle, Handle, u32, *mut u8, *mut u8, u32, *mut u8, *mut u32);
        SDF_Decrypt(Handle, Handle, u32, *mut u8, *mut u8, u32, *mut u8, *mut u32);
        SDF_CalculateMAC(Handle, Handle, u32, *mut u8, *mut u8, u32, *mut u8, *mut u32);
        SDF_HashInit(Handle, u32, *mut PublicKey, *mut u8, u32);
        SDF_HashUpdate(Handle, *mut u8, u32);
        SDF_HashFinal(Handle, *mut u8, *mut u32);
    }
}

/// `SDF_InternalDecrypt_ECC` as many vendors have it: with the algorithm in third place.
type DecryptWithAlgorithm = unsafe extern "C" fn(Handle, u32, u32, *mut u8, *mut u8, *mut u32) -> u32; // SAFETY: a type

/// A loaded library under the device's name.
pub(super) struct Api {
    device: String,
    decrypt_takes_algorithm: bool,
    functions: Functions,
    /// After the functions, which it holds.
    _library: Library,
}

/// An opened device, closed when its last session is.
struct Opened {
    api: Arc<Api>,
    handle: Handle,
}

// SAFETY: the standard lets any thread use a device's handle (GM/T 0018-2012, 6.2); only sessions are one thread's
unsafe impl Send for Opened {}
// SAFETY: as above; the handle is only read
unsafe impl Sync for Opened {}

/// An open session. Dropping closes it.
pub(super) struct Session {
    opened: Arc<Opened>,
    handle: Handle,
}

// SAFETY: a session may move between threads; that two use it at once is kept out by `&mut`
unsafe impl Send for Session {}

/// A key inside a session, until the session ends or the key is destroyed.
pub(super) struct SessionKey(Handle);

// SAFETY: a name of the device's, used only in calls on its session
unsafe impl Send for SessionKey {}

/// What a device says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// Who made it.
    pub issuer: String,
    /// Its model.
    pub name: String,
    /// Its serial number.
    pub serial: String,
    /// Version of its firmware.
    pub version: u32,
    /// Version of the interface it follows.
    pub standard: u32,
}

impl Api {
    /// Loads a library and finds its functions.
    pub(super) fn load(device: &str, path: &Path, decrypt_takes_algorithm: bool) -> Result<Arc<Self>, DeviceError> {
        let fail =
            |problem| DeviceError::Library { device: device.to_owned(), path: path.display().to_string(), problem };
        // SAFETY: loading runs the library's own initialisers; the operator named it as their device's library
        let library = unsafe { Library::new(path) };
        let library = library.map_err(|error| fail(format!("{error}; name the vendor's library for this machine")))?;
        let functions = Functions::find(&library)
            .map_err(|symbol| fail(format!("it has no function {symbol}, so it is no GM/T 0018 library")))?;
        Ok(Arc::new(Self { device: device.to_owned(), decrypt_takes_algorithm, functions, _library: library }))
    }

    fn done(&self, operation: &'static str, what: &str, status: u32) -> Result<(), DeviceError> {
        if status == OK { Ok(()) } else { Err(status::error(&self.device, operation, what, status)) }
    }

    fn missing(&self, operation: &'static str) -> DeviceError {
        let reason = "its library has no such function".to_owned();
        DeviceError::Unsupported { device: self.device.clone(), operation, reason }
    }

    fn answer(&self, operation: &'static str, problem: String) -> DeviceError {
        DeviceError::Answer { device: self.device.clone(), operation, problem }
    }

    /// Opens the device anew, and a session: after a loss the old handle of a device is worth nothing.
    pub(super) fn open(self: &Arc<Self>) -> Result<Session, DeviceError> {
        let mut handle = ptr::null_mut();
        // SAFETY: the pointer is to a live variable
        let status = unsafe { (self.functions.SDF_OpenDevice)(&raw mut handle) };
        self.done("SDF_OpenDevice", "device", status)?;
        let opened = Arc::new(Opened { api: Arc::clone(self), handle });
        let mut session = ptr::null_mut();
        // SAFETY: the device is open; the pointer is to a live variable
        let status = unsafe { (self.functions.SDF_OpenSession)(opened.handle, &raw mut session) };
        self.done("SDF_OpenSession", "session", status)?;
        Ok(Session { opened, handle: session })
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        // SAFETY: opened once, closed once, after its sessions, which hold this
        unsafe { (self.api.functions.SDF_CloseDevice)(self.handle) };
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // SAFETY: opened once, closed once
        unsafe { (self.opened.api.functions.SDF_CloseSession)(self.handle) };
    }
}

/// Calls an optional function of the session: `call!(self, NAME, what; arguments)`.
macro_rules! call {
    ($session:expr, $name:ident, $what:expr; $($argument:expr),*) => {{
        let api = &$session.opened.api;
        let function = api.functions.$name.ok_or_else(|| api.missing(stringify!($name)))?;
        // SAFETY: the session is open and ours alone; pointers are to live buffers of at least the lengths given, which
        // the interface does not keep beyond the call
        let status = unsafe { function($session.handle, $($argument),*) };
        api.done(stringify!($name), $what, status)
    }};
}

/// The interface takes inputs as pointers to what could be written; a copy keeps ours from that.
fn input(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    // An empty vector points nowhere, and libraries refuse that.
    let mut copy = Zeroizing::new(Vec::with_capacity(bytes.len().max(1)));
    copy.extend_from_slice(bytes);
    copy
}

fn length(bytes: &[u8]) -> u32 {
    // Callers keep messages far below this (`super::MESSAGE_MAX`).
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

impl Session {
    pub(super) fn info(&mut self) -> Result<Info, DeviceError> {
        let api = &self.opened.api;
        let empty = DeviceInfo {
            issuer: [0; 40],
            name: [0; 16],
            serial: [0; 16],
            version: 0,
            standard: 0,
            asymmetric: [0; 2],
            symmetric: 0,
            hash: 0,
            buffer: 0,
        };
        // One is asked for; a library with a longer structure writes into the others.
        let mut infos = [empty; 4];
        // SAFETY: the session is open and ours alone; the buffer is longer than the structure
        let status = unsafe { (api.functions.SDF_GetDeviceInfo)(self.handle, infos.as_mut_ptr()) };
        api.done("SDF_GetDeviceInfo", "device", status)?;
        let [DeviceInfo { issuer, name, serial, version, standard, .. }, ..] = infos;
        let text = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            text.split('\0').next().unwrap_or_default().trim().chars().filter(|char| !char.is_control()).collect()
        };
        Ok(Info { issuer: text(&issuer), name: text(&name), serial: text(&serial), version, standard })
    }

    pub(super) fn random(&mut self, bytes: &mut [u8]) -> Result<(), DeviceError> {
        let api = &self.opened.api;
        let mut buffer = Zeroizing::new(vec![0; bytes.len() + SLACK]);
        // SAFETY: the session is open and ours alone; the buffer is longer than asked for
        let status = unsafe { (api.functions.SDF_GenerateRandom)(self.handle, length(bytes), buffer.as_mut_ptr()) };
        api.done("SDF_GenerateRandom", "random bytes", status)?;
        bytes.copy_from_slice(&buffer[..bytes.len()]);
        Ok(())
    }

    pub(super) fn access(&mut self, index: u32, password: &[u8], what: &str) -> Result<(), DeviceError> {
        let mut copy = input(password);
        call!(self, SDF_GetPrivateKeyAccessRight, what; index, copy.as_mut_ptr(), length(password))
    }

    pub(super) fn public_key(&mut self, index: u32, signs: bool, what: &str) -> Result<[u8; 64], DeviceError> {
        let mut key = [EccPoint::EMPTY; 4];
        let operation = if signs {
            call!(self, SDF_ExportSignPublicKey_ECC, what; index, key.as_mut_ptr())?;
            "SDF_ExportSignPublicKey_ECC"
        } else {
            call!(self, SDF_ExportEncPublicKey_ECC, what; index, key.as_mut_ptr())?;
            "SDF_ExportEncPublicKey_ECC"
        };
        let bits = key[0].bits;
        key[0].coordinates().ok_or_else(|| {
            let problem = format!("a public key of {bits} bits or of another layout; SM2 has {ECC_BITS}");
            self.opened.api.answer(operation, problem)
        })
    }

    /// A new SM4 key: itself in the session, and encrypted under a key-encryption key of the device.
    pub(super) fn generate_key(&mut self, kek: u32, what: &str) -> Result<(Vec<u8>, SessionKey), DeviceError> {
        let operation = "SDF_GenerateKeyWithKEK";
        let mut bytes = vec![0; SLACK];
        let (mut given, mut key) = (length(&bytes), ptr::null_mut());
        call!(self, SDF_GenerateKeyWithKEK, what; 128, SM4_ECB, kek, bytes.as_mut_ptr(), &raw mut given, &raw mut key)?;
        let key = SessionKey(key);
        match self.cut(operation, bytes, given, 16..=128) {
            Ok(bytes) => Ok((bytes.to_vec(), key)),
            Err(error) => {
                self.destroy_key(key);
                Err(error)
            }
        }
    }

    pub(super) fn import_key(&mut self, kek: u32, wrapped: &[u8], what: &str) -> Result<SessionKey, DeviceError> {
        let (mut copy, mut key) = (input(wrapped), ptr::null_mut());
        call!(self, SDF_ImportKeyWithKEK, what; SM4_ECB, kek, copy.as_mut_ptr(), length(wrapped), &raw mut key)?;
        Ok(SessionKey(key))
    }

    /// A key that came encrypted for a pair of the device.
    pub(super) fn import_sealed(
        &mut self,
        index: u32,
        sealed: &EccCipher,
        what: &str,
    ) -> Result<SessionKey, DeviceError> {
        let (mut bytes, mut key) = (sealed.to_bytes(SLACK), ptr::null_mut());
        call!(self, SDF_ImportKeyWithISK_ECC, what; index, bytes.as_mut_ptr(), &raw mut key)?;
        Ok(SessionKey(key))
    }

    /// What a device that has no such function keeps ends with its session.
    pub(super) fn destroy_key(&mut self, key: SessionKey) {
        let destroy = || call!(self, SDF_DestroyKey, "session key"; key.0);
        // Nothing can be done about a key that the device does not let go of before its session ends.
        let _ = destroy();
    }

    pub(super) fn sign(&mut self, index: u32, digest: &[u8; 32], what: &str) -> Result<EccSignature, DeviceError> {
        let (mut copy, mut signature) = (*digest, [EccSignature::EMPTY; 4]);
        call!(self, SDF_InternalSign_ECC, what; index, copy.as_mut_ptr(), 32, signature.as_mut_ptr())?;
        Ok(signature[0])
    }

    /// Whether it is a signature of the digest.
    pub(super) fn verify(
        &mut self,
        public: &[u8; 64],
        digest: &[u8; 32],
        signature: &EccSignature,
    ) -> Result<bool, DeviceError> {
        let (mut key, mut copy, mut signature) = (EccPoint::new(public), *digest, *signature);
        let api = Arc::clone(&self.opened.api);
        let operation = "SDF_ExternalVerify_ECC";
        let function = api.functions.SDF_ExternalVerify_ECC.ok_or_else(|| api.missing(operation))?;
        // SAFETY: the session is open and ours alone; pointers are to live structures and 32 bytes
        let status =
            unsafe { function(self.handle, SM2_SIGN, &raw mut key, copy.as_mut_ptr(), 32, &raw mut signature) };
        if status == status::VERIFY { Ok(false) } else { api.done(operation, "signature", status).map(|()| true) }
    }

    pub(super) fn encrypt_for(&mut self, public: &[u8; 64], message: &[u8]) -> Result<EccCipher, DeviceError> {
        let operation = "SDF_ExternalEncrypt_ECC";
        let (mut key, mut copy) = (EccPoint::new(public), input(message));
        let mut bytes = vec![0; CIPHER_HEADER + message.len() + SLACK];
        call!(self, SDF_ExternalEncrypt_ECC, "public key";
            SM2_ENCRYPT, &raw mut key, copy.as_mut_ptr(), length(message), bytes.as_mut_ptr())?;
        EccCipher::from_bytes(&bytes, message.len())
            .ok_or_else(|| self.opened.api.answer(operation, "a ciphertext of another length or layout".to_owned()))
    }

    pub(super) fn decrypt_with(
        &mut self,
        index: u32,
        cipher: &EccCipher,
        what: &str,
    ) -> Result<Zeroizing<Vec<u8>>, DeviceError> {
        let operation = "SDF_InternalDecrypt_ECC";
        let mut sealed = cipher.to_bytes(SLACK);
        let mut bytes = Zeroizing::new(vec![0; cipher.c2.len() + SLACK]);
        let mut given = length(&bytes);
        if self.opened.api.decrypt_takes_algorithm {
            let api = Arc::clone(&self.opened.api);
            let function = api.functions.SDF_InternalDecrypt_ECC.ok_or_else(|| api.missing(operation))?;
            // SAFETY: the operator says that this library's function has the algorithm in third place
            let function: DecryptWithAlgorithm = unsafe { std::mem::transmute(function) };
            let (sealed, bytes, given) = (sealed.as_mut_ptr(), bytes.as_mut_ptr(), &raw mut given);
            // SAFETY: the session is open and ours alone; pointers are to live buffers longer than the answer
            let status = unsafe { function(self.handle, index, SM2_ENCRYPT, sealed, bytes, given) };
            api.done(operation, what, status)?;
        } else {
            call!(self, SDF_InternalDecrypt_ECC, what;
                index, sealed.as_mut_ptr(), bytes.as_mut_ptr(), &raw mut given)?;
        }
        let wanted = cipher.c2.len();
        self.cut(operation, std::mem::take(&mut *bytes), given, wanted..=wanted)
    }

    /// Whole blocks, encrypted or decrypted.
    pub(super) fn cipher(
        &mut self,
        key: &SessionKey,
        (encrypts, algorithm): (bool, u32),
        iv: [u8; 16],
        message: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, DeviceError> {
        let (mut iv, mut copy) = (iv, input(message));
        let mut bytes = Zeroizing::new(vec![0; message.len() + SLACK]);
        let mut given = length(&bytes);
        let (from, to) = (copy.as_mut_ptr(), bytes.as_mut_ptr());
        let operation = if encrypts {
            call!(self, SDF_Encrypt, "session key";
                key.0, algorithm, iv.as_mut_ptr(), from, length(message), to, &raw mut given)?;
            "SDF_Encrypt"
        } else {
            call!(self, SDF_Decrypt, "session key";
                key.0, algorithm, iv.as_mut_ptr(), from, length(message), to, &raw mut given)?;
            "SDF_Decrypt"
        };
        self.cut(operation, std::mem::take(&mut *bytes), given, message.len()..=message.len())
    }

    /// The last block of the chain over whole blocks.
    pub(super) fn mac(&mut self, key: &SessionKey, message: &[u8]) -> Result<[u8; 16], DeviceError> {
        let (mut iv, mut copy, mut bytes) = ([0; 16], input(message), vec![0; SLACK]);
        let mut given = length(&bytes);
        call!(self, SDF_CalculateMAC, "session key"; key.0, SM4_MAC, iv.as_mut_ptr(), copy.as_mut_ptr(),
            length(message), bytes.as_mut_ptr(), &raw mut given)?;
        let mac = self.cut("SDF_CalculateMAC", bytes, given, 16..=16)?;
        Ok(mac.as_slice().try_into().expect("cut to 16"))
    }

    /// SM3 of a message; behind the hash of the signer's key and id if there is one.
    pub(super) fn hash(&mut self, signer: Option<(&[u8; 64], &[u8])>, message: &[u8]) -> Result<[u8; 32], DeviceError> {
        let (mut key, mut id) = (signer.map(|(key, _)| EccPoint::new(key)), signer.map(|(_, id)| input(id)));
        let id_length = id.as_ref().map_or(0, |id| length(id));
        let key = key.as_mut().map_or(ptr::null_mut(), ptr::from_mut);
        let id = id.as_mut().map_or(ptr::null_mut(), |id| id.as_mut_ptr());
        call!(self, SDF_HashInit, "hash"; SM3, key, id, id_length)?;
        let mut copy = input(message);
        call!(self, SDF_HashUpdate, "hash"; copy.as_mut_ptr(), length(message))?;
        let mut bytes = vec![0; SLACK];
        let mut given = length(&bytes);
        call!(self, SDF_HashFinal, "hash"; bytes.as_mut_ptr(), &raw mut given)?;
        let digest = self.cut("SDF_HashFinal", bytes, given, 32..=32)?;
        Ok(digest.as_slice().try_into().expect("cut to 32"))
    }

    /// The answer without what stands behind it, if its length is one that can be.
    fn cut(
        &self,
        operation: &'static str,
        mut bytes: Vec<u8>,
        given: u32,
        wanted: std::ops::RangeInclusive<usize>,
    ) -> Result<Zeroizing<Vec<u8>>, DeviceError> {
        let given = given as usize;
        if !wanted.contains(&given) || given > bytes.len() {
            bytes.zeroize();
            let (least, most) = wanted.into_inner();
            let problem = format!("{given} bytes, where it should be {least} to {most}");
            return Err(self.opened.api.answer(operation, problem));
        }
        bytes.truncate(given);
        Ok(Zeroizing::new(bytes))
    }
}
