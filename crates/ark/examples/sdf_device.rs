//! A library of GM/T 0018-2012 for the tests: the standard's C interface over keys made of their index, and faults.
//!
//! It is loaded as a vendor's would be. Signing and verifying stand here over the curve's arithmetic, apart from the
//! crate's; ciphers are the soft provider's. Faults come from the environment (`SDF_DEVICE_FAULTS`) or from a file beside
//! the library (`….so.faults`), read at each call, so that a test can break one copy and heal it:
//!
//! | word | |
//! |---|---|
//! | `dead` | every call answers `SDR_COMMFAIL` |
//! | `comm_after=N` | after N calls they answer `SDR_COMMFAIL`, until the device is opened again |
//! | `unsupported=NAME` | that function answers `SDR_NOTSUPPORT` |
//! | `sessions=N` | the session table has so many places |
//! | `length=N` | every length given back is N |
//! | `bits=N` | public keys say that they have N bits |
#![expect(clippy::too_many_arguments, reason = "the standard's functions have so many")]
#![expect(unsafe_code, reason = "a C interface, called by whoever loads the library")]

use std::{
    collections::{HashMap, HashSet},
    ffi::c_void,
    fs, ptr, slice,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use ark::{
    Provider as _, Sm3, Soft,
    provider::{Cipher, KeyHandle, KeyKind, PublicKey, PublicKeyEncryption},
};
use sm2::{
    AffinePoint, FieldBytes, ProjectivePoint, Scalar,
    elliptic_curve::{Group as _, PrimeField as _, ops::Reduce as _, point::AffineCoordinates as _},
};

const OK: u32 = 0;
const NOT_SUPPORTED: u32 = 0x0100_0002;
const COMM_FAIL: u32 = 0x0100_0003;
const OPEN_SESSION: u32 = 0x0100_0006;
const NO_RIGHT: u32 = 0x0100_0007;
const NO_KEY: u32 = 0x0100_0008;
const ALGORITHM: u32 = 0x0100_000a;
const VERIFY: u32 = 0x0100_000e;
const STEP: u32 = 0x0100_0010;
const DATA: u32 = 0x0100_0016;
const WRONG_RIGHT: u32 = 0x0100_0018;
const ARGUMENT: u32 = 0x0100_001d;

/// Indices 1 to 4 have pairs and key-encryption keys.
const INDICES: std::ops::RangeInclusive<u32> = 1..=4;
const PASSWORD: &[u8] = b"let-me-in-7";
/// `a ‖ b ‖ x ‖ y` of the curve (GB/T 32918.5).
const CURVE: &str = "fffffffeffffffffffffffffffffffffffffffff00000000fffffffffffffffc\
    28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93\
    32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7\
    bc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0";

#[derive(Default)]
struct Session {
    rights: HashSet<u32>,
    keys: HashMap<usize, KeyHandle>,
    hash: Option<Sm3>,
}

struct Device {
    soft: Soft,
    calls: u32,
    next: usize,
    sessions: HashMap<usize, Session>,
}

type Answer = Result<(), u32>;
type Handle = *mut c_void;

fn device() -> MutexGuard<'static, Device> {
    static DEVICE: OnceLock<Mutex<Device>> = OnceLock::new();
    let new =
        || Mutex::new(Device { soft: Soft::new().expect("self-tests"), calls: 0, next: 1, sessions: HashMap::new() });
    DEVICE.get_or_init(new).lock().unwrap_or_else(PoisonError::into_inner)
}

/// The file this code was loaded from.
fn own_path() -> &'static str {
    static PATH: OnceLock<String> = OnceLock::new();
    PATH.get_or_init(|| {
        let here = own_path as *const () as usize;
        let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
        let holds = |line: &&str| {
            let range = line.split(' ').next().and_then(|range| range.split_once('-'));
            let numbers = range.map(|(from, to)| (usize::from_str_radix(from, 16), usize::from_str_radix(to, 16)));
            matches!(numbers, Some((Ok(from), Ok(to))) if (from..to).contains(&here))
        };
        let line = maps.lines().find(holds).unwrap_or_default();
        line.find('/').map_or_else(String::new, |place| line[place..].to_owned())
    })
}

fn faults() -> String {
    let beside = fs::read_to_string(format!("{}.faults", own_path())).unwrap_or_default();
    format!("{beside} {}", std::env::var("SDF_DEVICE_FAULTS").unwrap_or_default())
}

fn fault(name: &str) -> Option<u32> {
    let faults = faults();
    faults.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
}

/// What a call answers before it does anything.
fn enter(device: &mut Device, function: &str) -> Answer {
    let faults = faults();
    device.calls += 1;
    let dead = fault("comm_after").is_some_and(|calls| device.calls > calls);
    if dead || faults.split_whitespace().any(|word| word == "dead") {
        return Err(COMM_FAIL);
    }
    let unsupported = format!("unsupported={function}");
    if faults.split_whitespace().any(|word| word == unsupported) { Err(NOT_SUPPORTED) } else { Ok(()) }
}

/// Functions of a session, with the names and arguments of the standard.
macro_rules! session_functions {
    ($(fn $name:ident($device:ident, $session:ident $(, $argument:ident: $type:ty)*) $body:block)*) => { $(
        /// See the standard.
        ///
        /// # Safety
        /// Pointers are to what the standard says.
        // SAFETY: the name is the standard's, and nothing else of this library has it
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(session: Handle $(, $argument: $type)*) -> u32 { // SAFETY: see above
            fn work($device: &mut Device, $session: &mut Session $(, $argument: $type)*) -> Answer $body
            let mut guard = device();
            if let Err(code) = enter(&mut guard, stringify!($name)) {
                return code;
            }
            let Some(mut inside) = guard.sessions.remove(&(session as usize)) else { return ARGUMENT };
            let done = work(&mut guard, &mut inside $(, $argument)*);
            guard.sessions.insert(session as usize, inside);
            done.err().unwrap_or(OK)
        }
    )* };
}

/// So many bytes from the caller.
fn read(from: *const u8, length: u32) -> Vec<u8> {
    if from.is_null() {
        return Vec::new();
    }
    // SAFETY: the caller gives a pointer to so many bytes
    unsafe { slice::from_raw_parts(from, length as usize) }.to_vec()
}

fn write(to: *mut u8, bytes: &[u8]) {
    // SAFETY: the caller gives a buffer that the standard says is long enough
    unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
}

fn write_length(to: *mut u32, length: usize) {
    // SAFETY: the caller gives a pointer to a length
    unsafe { *to = fault("length").unwrap_or(length as u32) };
}

fn write_handle(to: *mut Handle, handle: usize) {
    // SAFETY: the caller gives a pointer to a handle
    unsafe { *to = handle as Handle };
}

fn next(device: &mut Device) -> usize {
    device.next += 1;
    device.next
}

fn secret(label: &str, index: u32) -> Result<[u8; 32], u32> {
    if INDICES.contains(&index) { Ok(ark::sm3(format!("{label} {index}").as_bytes())) } else { Err(NO_KEY) }
}

fn pair(soft: &Soft, label: &str, index: u32) -> Result<KeyHandle, u32> {
    soft.import(KeyKind::Sm2, &secret(label, index)?).map_err(|_| NO_KEY)
}

fn sm4(soft: &Soft, key: &[u8]) -> Result<KeyHandle, u32> {
    soft.import(KeyKind::Sm4, key).map_err(|_| DATA)
}

fn kek(soft: &Soft, index: u32) -> Result<KeyHandle, u32> {
    sm4(soft, &secret("key-encryption key", index)?[..16])
}

/// The last 32 of each 64 bytes.
fn narrow(wide: &[u8]) -> Vec<u8> {
    wide.chunks(64).flat_map(|number| &number[32..]).copied().collect()
}

fn wide(numbers: &[u8]) -> Vec<u8> {
    numbers.chunks(32).flat_map(|number| [[0; 32].as_slice(), number].concat()).collect()
}

fn write_public(soft: &Soft, label: &str, index: u32, to: *mut u8) -> Answer {
    let public = soft.public_key(pair(soft, label, index)?).map_err(|_| NO_KEY)?;
    write(to, &fault("bits").unwrap_or(256).to_ne_bytes());
    write(to.wrapping_add(4), &wide(&public.bytes[1..]));
    Ok(())
}

/// `04 ‖ C1 ‖ C3 ‖ C2` of an `ECCCipher`.
fn raw_cipher(from: *const u8) -> Vec<u8> {
    let header = read(from, 164);
    let length = u32::from_ne_bytes(header[160..].try_into().expect("4 bytes"));
    let c2 = read(from.wrapping_add(164), length);
    [[4].as_slice(), &narrow(&header[..128]), &header[128..160], &c2].concat()
}

fn scalar(bytes: &[u8]) -> Option<Scalar> {
    let bytes: [u8; 32] = bytes.try_into().ok()?;
    Scalar::from_repr(bytes.into()).into()
}

fn reduced(bytes: &[u8]) -> Scalar {
    let bytes: [u8; 32] = bytes.try_into().expect("32 bytes");
    Scalar::reduce(&FieldBytes::from(bytes))
}

/// `r ‖ s` of a digest (GB/T 32918.2, 6), with a number made of key and digest.
fn sign(key: &[u8; 32], digest: &[u8]) -> Vec<u8> {
    let k = reduced(&ark::sm3(&[key, digest].concat()));
    let d = scalar(key).expect("a key");
    let r = reduced(digest) + Scalar::reduce(&ProjectivePoint::mul_by_generator(&k).to_affine().x());
    let s = (d + Scalar::ONE).invert().expect("a key") * (k - r * d);
    [r.to_repr().as_slice(), s.to_repr().as_slice()].concat()
}

fn verifies(public: &[u8], digest: &[u8], signature: &[u8]) -> Option<bool> {
    let (x, y) = public.split_at(32);
    let point: Option<AffinePoint> = AffinePoint::from_coordinates(x.try_into().ok()?, y.try_into().ok()?).into();
    let (r, s) = (scalar(&signature[..32])?, scalar(&signature[32..])?);
    let sum = ProjectivePoint::mul_by_generator(&s) + ProjectivePoint::from(point?) * (r + s);
    Some(reduced(digest) + Scalar::reduce(&sum.to_affine().x()) == r)
}

/// ECB, CBC, or the last block of the chain, over whole blocks.
fn cipher(
    soft: &Soft,
    key: KeyHandle,
    (encrypts, algorithm): (bool, u32),
    iv: &[u8],
    data: &[u8],
) -> Result<Vec<u8>, u32> {
    let run = |mode: Cipher<'_>, data: &[u8]| {
        if encrypts {
            soft.encrypt(key, mode, data).ok()
        } else {
            soft.decrypt(key, mode, data).ok().map(|bytes| bytes.to_vec())
        }
    };
    let blocks: Option<Vec<Vec<u8>>> = match algorithm {
        0x401 => data.chunks(16).map(|block| run(Cipher::Ecb, block)).collect(),
        0x402 => run(Cipher::Cbc { iv }, data).map(|bytes| vec![bytes]),
        0x410 => run(Cipher::Cbc { iv }, data).map(|bytes| vec![bytes[bytes.len() - 16..].to_vec()]),
        _ => return Err(ALGORITHM),
    };
    blocks.map(|blocks| blocks.concat()).ok_or(DATA)
}

/// See the standard.
///
/// # Safety
/// The pointer is to a handle.
// SAFETY: the name is the standard's, and nothing else of this library has it
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SDF_OpenDevice(to: *mut Handle) -> u32 {
    // SAFETY: see above
    let mut device = device();
    device.calls = 0;
    write_handle(to, 1);
    enter(&mut device, "SDF_OpenDevice").err().unwrap_or(OK)
}

/// See the standard.
///
/// # Safety
/// The handle is an open device's.
// SAFETY: the name is the standard's, and nothing else of this library has it
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SDF_CloseDevice(_device: Handle) -> u32 {
    // SAFETY: see above
    OK
}

/// See the standard.
///
/// # Safety
/// The pointer is to a handle.
// SAFETY: the name is the standard's, and nothing else of this library has it
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SDF_OpenSession(_device: Handle, to: *mut Handle) -> u32 {
    // SAFETY: see above
    let mut device = device();
    if let Err(code) = enter(&mut device, "SDF_OpenSession") {
        return code;
    }
    if fault("sessions").is_some_and(|most| device.sessions.len() >= most as usize) {
        return OPEN_SESSION;
    }
    let handle = next(&mut device);
    device.sessions.insert(handle, Session::default());
    write_handle(to, handle);
    OK
}

/// See the standard.
///
/// # Safety
/// The handle is an open session's.
// SAFETY: the name is the standard's, and nothing else of this library has it
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SDF_CloseSession(session: Handle) -> u32 {
    // SAFETY: see above
    device().sessions.remove(&(session as usize));
    OK
}

session_functions! {
    fn SDF_GetDeviceInfo(_device, _session, to: *mut u8) {
        let text = |text: &str, length: usize| { let mut bytes = text.as_bytes().to_vec(); bytes.resize(length, 0); bytes };
        write(to, &[text("Lintel tests", 40), text("SDF in a file", 16), text("20260001", 16), vec![1; 28]].concat());
        Ok(())
    }
    fn SDF_GenerateRandom(device, _session, length: u32, to: *mut u8) {
        let mut bytes = vec![0; length as usize];
        device.soft.random(&mut bytes).map_err(|_| DATA)?;
        write(to, &bytes);
        Ok(())
    }
    fn SDF_GetPrivateKeyAccessRight(_device, session, index: u32, password: *const u8, length: u32) {
        if read(password, length) != PASSWORD {
            return Err(WRONG_RIGHT);
        }
        session.rights.insert(index);
        Ok(())
    }
    fn SDF_ExportSignPublicKey_ECC(device, _session, index: u32, to: *mut u8) {
        write_public(&device.soft, "signing pair", index, to)
    }
    fn SDF_ExportEncPublicKey_ECC(device, _session, index: u32, to: *mut u8) {
        write_public(&device.soft, "encryption pair", index, to)
    }
    fn SDF_GenerateKeyWithKEK(device, session, _bits: u32, _algorithm: u32, index: u32, to: *mut u8, length: *mut u32, key: *mut Handle) {
        let mut bytes = [0; 16];
        device.soft.random(&mut bytes).map_err(|_| DATA)?;
        let wrapped = cipher(&device.soft, kek(&device.soft, index)?, (true, 0x401), &[], &bytes)?;
        write(to, &wrapped);
        write_length(length, wrapped.len());
        let inside = sm4(&device.soft, &bytes)?;
        device.next += 1;
        session.keys.insert(device.next, inside);
        write_handle(key, device.next);
        Ok(())
    }
    fn SDF_ImportKeyWithKEK(device, session, _algorithm: u32, index: u32, from: *const u8, length: u32, key: *mut Handle) {
        let bytes = cipher(&device.soft, kek(&device.soft, index)?, (false, 0x401), &[], &read(from, length))?;
        let inside = sm4(&device.soft, &bytes)?;
        device.next += 1;
        session.keys.insert(device.next, inside);
        write_handle(key, device.next);
        Ok(())
    }
    fn SDF_ImportKeyWithISK_ECC(device, session, index: u32, from: *const u8, key: *mut Handle) {
        session.rights.get(&index).ok_or(NO_RIGHT)?;
        let pair = pair(&device.soft, "encryption pair", index)?;
        let opened = device.soft.decrypt_with(pair, PublicKeyEncryption::Sm2Raw, &raw_cipher(from)).map_err(|_| DATA)?;
        let inside = sm4(&device.soft, &opened)?;
        device.next += 1;
        session.keys.insert(device.next, inside);
        write_handle(key, device.next);
        Ok(())
    }
    fn SDF_DestroyKey(_device, session, key: Handle) {
        session.keys.remove(&(key as usize)).map(drop).ok_or(NO_KEY)
    }
    fn SDF_InternalSign_ECC(_device, session, index: u32, data: *const u8, length: u32, to: *mut u8) {
        let key = secret("signing pair", index)?;
        session.rights.get(&index).ok_or(NO_RIGHT)?;
        write(to, &wide(&sign(&key, &read(data, length))));
        Ok(())
    }
    fn SDF_ExternalVerify_ECC(_device, _session, _algorithm: u32, key: *const u8, data: *const u8, length: u32, signature: *const u8) {
        let public = narrow(&read(key.wrapping_add(4), 128));
        let valid = verifies(&public, &read(data, length), &narrow(&read(signature, 128))).ok_or(ARGUMENT)?;
        if valid { Ok(()) } else { Err(VERIFY) }
    }
    fn SDF_ExternalEncrypt_ECC(device, _session, _algorithm: u32, key: *const u8, data: *const u8, length: u32, to: *mut u8) {
        let bytes = [[4].as_slice(), &narrow(&read(key.wrapping_add(4), 128))].concat();
        let public = PublicKey { kind: KeyKind::Sm2, bytes };
        let raw = device.soft.encrypt_for(&public, PublicKeyEncryption::Sm2Raw, &read(data, length)).map_err(|_| ARGUMENT)?;
        let given = fault("length").unwrap_or(length).to_ne_bytes();
        write(to, &[wide(&raw[1..65]).as_slice(), &raw[65..97], &given, &raw[97..]].concat());
        Ok(())
    }
    fn SDF_InternalDecrypt_ECC(device, session, index: u32, from: *const u8, to: *mut u8, length: *mut u32) {
        session.rights.get(&index).ok_or(NO_RIGHT)?;
        let pair = pair(&device.soft, "encryption pair", index)?;
        let opened = device.soft.decrypt_with(pair, PublicKeyEncryption::Sm2Raw, &raw_cipher(from)).map_err(|_| DATA)?;
        write(to, &opened);
        write_length(length, opened.len());
        Ok(())
    }
    fn SDF_Encrypt(device, session, key: Handle, algorithm: u32, iv: *const u8, data: *const u8, length: u32, to: *mut u8, given: *mut u32) {
        let key = *session.keys.get(&(key as usize)).ok_or(NO_KEY)?;
        let bytes = cipher(&device.soft, key, (true, algorithm), &read(iv, 16), &read(data, length))?;
        write(to, &bytes);
        write_length(given, bytes.len());
        Ok(())
    }
    fn SDF_Decrypt(device, session, key: Handle, algorithm: u32, iv: *const u8, data: *const u8, length: u32, to: *mut u8, given: *mut u32) {
        let key = *session.keys.get(&(key as usize)).ok_or(NO_KEY)?;
        let bytes = cipher(&device.soft, key, (false, algorithm), &read(iv, 16), &read(data, length))?;
        write(to, &bytes);
        write_length(given, bytes.len());
        Ok(())
    }
    fn SDF_CalculateMAC(device, session, key: Handle, algorithm: u32, iv: *const u8, data: *const u8, length: u32, to: *mut u8, given: *mut u32) {
        let key = *session.keys.get(&(key as usize)).ok_or(NO_KEY)?;
        let bytes = cipher(&device.soft, key, (true, algorithm), &read(iv, 16), &read(data, length))?;
        write(to, &bytes);
        write_length(given, bytes.len());
        Ok(())
    }
    fn SDF_HashInit(_device, session, _algorithm: u32, key: *const u8, id: *const u8, id_length: u32) {
        let mut hash = Sm3::new();
        if !key.is_null() {
            let id = read(id, id_length);
            let bits = (id.len() as u16 * 8).to_be_bytes();
            let z = Sm3::new().update(&bits).update(&id).update(&hex::decode(CURVE).expect("hex"));
            hash = hash.update(&z.update(&narrow(&read(key.wrapping_add(4), 128))).finish());
        }
        session.hash = Some(hash);
        Ok(())
    }
    fn SDF_HashUpdate(_device, session, data: *const u8, length: u32) {
        let hash = session.hash.take().ok_or(STEP)?;
        session.hash = Some(hash.update(&read(data, length)));
        Ok(())
    }
    fn SDF_HashFinal(_device, session, to: *mut u8, length: *mut u32) {
        let digest = session.hash.take().ok_or(STEP)?.finish();
        write(to, &digest);
        write_length(length, digest.len());
        Ok(())
    }
}
