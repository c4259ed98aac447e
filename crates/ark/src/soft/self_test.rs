//! Known answers: what a provider computes before it computes anything for anyone.
//!
//! One of each algorithm and direction, from the standards. Where an algorithm draws a random number, signing and
//! verifying, or encrypting and decrypting, are tried on each other (pair-wise consistency), beside a fixed signature.

use super::{modes::BlockCipher, pairs};
use crate::{
    hash::sm3,
    mac::MacKey,
    provider::{Cipher, KeyKind, PublicKey, Side},
    sm2::{
        DEFAULT_ID, derive, encrypt,
        exchange::{Sides, exchange},
        key::{PrivateKey, Signature},
        point::Point,
        verify::{Pending, VerifyingTable, digest},
    },
};

/// Whether the answer came out; `None` if the test could not be set up, which is as bad.
type KnownAnswer = fn() -> Option<bool>;

/// Names of the tests that failed; empty if all is well. About ten milliseconds in an optimised build.
#[must_use]
pub fn self_test() -> Vec<&'static str> {
    let tests: [(&'static str, KnownAnswer); 15] = [
        ("sm3", sm3_answer),
        ("hmac-sm3", hmac_answer),
        ("sm3-kdf", kdf_answer),
        ("sm4", sm4_answer),
        ("sm4-modes", sm4_modes_answer),
        ("sm4-gcm", sm4_gcm_answer),
        ("aes", aes_answer),
        ("aes-gcm", aes_gcm_answer),
        ("3des", triple_des_answer),
        ("sm2-sign", sm2_sign),
        ("sm2-encrypt", sm2_encrypt),
        ("sm2-exchange", sm2_exchange),
        ("p-256", p256_answer),
        ("ed25519", ed25519_answer),
        ("rsa", rsa_answer),
    ];
    tests.into_iter().filter(|(_, test)| test() != Some(true)).map(|(name, _)| name).collect()
}

/// Fixed bytes in hexadecimal; nothing here is secret.
fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap_or_default()
}

fn is(bytes: &[u8], text: &str) -> bool {
    hex::encode(bytes) == text
}

const SM2_KEY: &str = "3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8";
const SM4_KEY: &str = "0123456789abcdeffedcba9876543210";

fn sm3_answer() -> Option<bool> {
    Some(is(&sm3(b"abc"), "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"))
}

/// The answer is `openssl dgst -sm3 -mac HMAC -macopt hexkey:00…1f`'s.
fn hmac_answer() -> Option<bool> {
    let key = MacKey::from_bytes(std::array::from_fn(|index| index as u8));
    Some(is(&key.tag(b"abc"), "a8f95cf26f204957e7ca73c9602a25dda35f168b28103b51dfc968c810416b63"))
}

/// Two blocks: the answers are `openssl dgst -sm3` over the input and each counter.
fn kdf_answer() -> Option<bool> {
    let mut output = [0; 40];
    derive(b"abc", &mut output);
    let by_hand = [sm3(b"abc\0\0\0\x01"), sm3(b"abc\0\0\0\x02")].concat();
    Some(output == by_hand[..40] && is(&output[..4], "fe1ea80d"))
}

/// GB/T 32907, appendix A.1, both ways.
fn sm4_answer() -> Option<bool> {
    let cipher = BlockCipher::sm4(bytes(SM4_KEY).as_slice().try_into().ok()?);
    let encrypted = cipher.encrypt(KeyKind::Sm4, Cipher::Ecb, &bytes(SM4_KEY)).ok()?;
    let decrypted = cipher.decrypt(KeyKind::Sm4, Cipher::Ecb, &encrypted).ok()?;
    Some(is(&encrypted, "681edf34d206965e86b3e94f536e4246") && is(&decrypted, SM4_KEY))
}

/// RFC 8998, appendix A.1, both ways, and an altered tag.
fn sm4_gcm_answer() -> Option<bool> {
    let cipher = BlockCipher::sm4(bytes(SM4_KEY).as_slice().try_into().ok()?);
    let nonce = bytes("00001234567800000000abcd");
    let associated = bytes("feedfacedeadbeeffeedfacedeadbeefabaddad2");
    let mode = Cipher::Gcm { nonce: nonce.as_slice().try_into().ok()?, associated: &associated };
    let message = bytes(
        "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccddddddddddddddddeeeeeeeeeeeeeeeeffffffffffffffffeeeeeeeeeeeeeeee\
         aaaaaaaaaaaaaaaa",
    );
    let mut encrypted = cipher.encrypt(KeyKind::Sm4, mode, &message).ok()?;
    let right = is(
        &encrypted,
        "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397\
         b4024a2691233b8d83de3541e4c2b58177e065a9bf7b62ec",
    );
    let decrypted = cipher.decrypt(KeyKind::Sm4, mode, &encrypted).ok()?;
    *encrypted.last_mut()? ^= 1;
    Some(right && *decrypted == message && cipher.decrypt(KeyKind::Sm4, mode, &encrypted).is_err())
}

/// CBC and CTR both ways, and CMAC: the answers are `openssl enc -sm4-cbc -nopad`'s, `-sm4-ctr`'s and `openssl mac CMAC`'s.
fn sm4_modes_answer() -> Option<bool> {
    let cipher = BlockCipher::sm4(bytes(SM4_KEY).as_slice().try_into().ok()?);
    let start: [u8; 16] = std::array::from_fn(|index| index as u8);
    let message = b"SM4 in its modes, at each start.";
    let both_ways = |mode, answer| {
        let encrypted = cipher.encrypt(KeyKind::Sm4, mode, message).ok()?;
        let decrypted = cipher.decrypt(KeyKind::Sm4, mode, &encrypted).ok()?;
        Some(is(&encrypted, answer) && *decrypted == message)
    };
    let cbc = "d1ec0dd4a022fa9ad0cbfefe88bb371eff7cd3c79612d6da3df70ce36972017a";
    let ctr = "55d5a84154c848c45efed7ef8ecc9c1943276c3f60c69d62b2b16091e072d934";
    Some(
        both_ways(Cipher::Cbc { iv: &start }, cbc)?
            && both_ways(Cipher::Ctr { counter: &start }, ctr)?
            && is(&cipher.cmac(message), "cc946de179002f381e919f3b10a1d824"),
    )
}

/// FIPS 197, appendix C.1 and C.3, and CMAC of SP 800-38B, appendix D.1, example 2.
fn aes_answer() -> Option<bool> {
    let block = bytes("00112233445566778899aabbccddeeff");
    let key: [u8; 32] = std::array::from_fn(|index| index as u8);
    let short = BlockCipher::aes128(key.first_chunk()?).encrypt(KeyKind::Aes128, Cipher::Ecb, &block).ok()?;
    let long = BlockCipher::aes256(&key).encrypt(KeyKind::Aes256, Cipher::Ecb, &block).ok()?;
    let mac_key = bytes("2b7e151628aed2a6abf7158809cf4f3c");
    let mac = BlockCipher::aes128(mac_key.as_slice().try_into().ok()?).cmac(&bytes("6bc1bee22e409f96e93d7e117393172a"));
    Some(
        is(&short, "69c4e0d86a7b0430d8cdb78070b4c55a")
            && is(&long, "8ea2b7ca516745bfeafc49904b496089")
            && is(&mac, "070a16b46b4d4144f79bdd9dd04a287c"),
    )
}

/// Test case 2 of the GCM specification (McGrew and Viega), both ways, and an altered tag.
fn aes_gcm_answer() -> Option<bool> {
    let cipher = BlockCipher::aes128(&[0; 16]);
    let mode = Cipher::Gcm { nonce: &[0; 12], associated: &[] };
    let mut encrypted = cipher.encrypt(KeyKind::Aes128, mode, &[0; 16]).ok()?;
    let right = is(&encrypted, "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf");
    let decrypted = cipher.decrypt(KeyKind::Aes128, mode, &encrypted).ok()?;
    *encrypted.last_mut()? ^= 1;
    Some(right && *decrypted == [0; 16] && cipher.decrypt(KeyKind::Aes128, mode, &encrypted).is_err())
}

/// SP 800-67, appendix B.1.
fn triple_des_answer() -> Option<bool> {
    let key = bytes("0123456789abcdef23456789abcdef01456789abcdef0123");
    let cipher = BlockCipher::triple_des3(key.as_slice().try_into().ok()?);
    let encrypted = cipher.encrypt(KeyKind::TripleDes3, Cipher::Ecb, b"The qufck brown fox jump").ok()?;
    Some(is(&encrypted, "a826fd8ce53b855fcce21c8112256fe668d5c05dd9b6b900"))
}

/// GB/T 32918.5, appendix A: the signature of the standard verifies with and without table, one's own too, and neither
/// for another message.
fn sm2_sign() -> Option<bool> {
    let key = PrivateKey::from_bytes(&bytes(SM2_KEY))?;
    let public = key.public();
    let hash = public.identity_hash(DEFAULT_ID)?;
    let (right, wrong) = (digest(&hash, b"message digest"), digest(&hash, b"message digesT"));
    let standard = Signature::from_der(&bytes(
        "3046022100f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3022100b1b6aa29df212fd8763182bc0d421ca1\
         bb9038fd1f7f42d4840b69c485bbc1aa",
    ))?;
    let own = key.sign(&right).ok()?;
    let table = VerifyingTable::new(&public);
    let holds =
        |table, digest, signature| Pending::new(&public, table, digest, signature).is_some_and(|made| made.holds());
    Some(
        is(&public.to_bytes()[..5], "0409f9df31")
            && [None, Some(&table)].into_iter().all(|table| {
                holds(table, &right, &standard)
                    && holds(table, &right, &own)
                    && !holds(table, &wrong, &standard)
                    && !holds(table, &wrong, &own)
            }),
    )
}

/// GB/T 32918.5, appendix C: the ciphertext of the standard opens, one's own too, an altered one does not.
fn sm2_encrypt() -> Option<bool> {
    let key = PrivateKey::from_bytes(&bytes(SM2_KEY))?;
    let mut standard = bytes(
        "0404ebfc718e8d1798620432268e77feb6415e2ede0e073c0f4f640ecd2e149a73e858f9d81e5430a57b36daab8f950a3c64e6ee6a63094d99\
         283aff767e124df059983c18f809e262923c53aec295d30383b54e39d609d160afcb1908d0bd876621886ca989ca9c7d58087307ca93092d\
         651efa",
    );
    let message = b"encryption standard".as_slice();
    let opens = |layout, bytes: &[u8]| encrypt::decrypt(&key, layout, bytes).is_some_and(|opened| *opened == message);
    let own = encrypt::encrypt(&key.public(), encrypt::Layout::Der, message).ok()?;
    let right = opens(encrypt::Layout::Raw, &standard) && opens(encrypt::Layout::Der, &own);
    *standard.last_mut()? ^= 1;
    Some(right && !opens(encrypt::Layout::Raw, &standard) && Point::from_bytes(&standard[..64]).is_none())
}

/// GB/T 32918.5, appendix B: both sides come to the key of the standard, and each has the tag that the other expects.
fn sm2_exchange() -> Option<bool> {
    let key = |text| PrivateKey::from_bytes(&bytes(text));
    let a = key("81eb26e941bb5af16df116495f90695272ae2cd63d6c4ae1678418be48230029")?;
    let b = key("785129917d45a9ea5437a59356b82338eaadda6ceb199088f14ae10defa229b5")?;
    let a_once = key("d4de15474db74d06491c440d305e012400990f3e390c7e87153c12db2ea60bb3")?;
    let b_once = key("7e07124814b309489125eaed101113164ebf0f3458c5bd88335c1f9d596243d6")?;
    let agree = |side, own: &PrivateKey, own_ephemeral: &PrivateKey, peer: &PrivateKey, peer_once: &PrivateKey| {
        let (own_hash, peer_hash) = (own.public().identity_hash(DEFAULT_ID)?, peer.public().identity_hash(DEFAULT_ID)?);
        let (peer, peer_ephemeral) = (peer.public(), peer_once.public());
        exchange(&Sides { side, own, own_ephemeral, own_hash, peer, peer_ephemeral, peer_hash }, 16)
    };
    let of_a = agree(Side::Initiator, &a, &a_once, &b, &b_once)?;
    let of_b = agree(Side::Responder, &b, &b_once, &a, &a_once)?;
    Some(
        is(&of_a.key, "6c89347354de2484c60b4ab1fde4c6e5")
            && of_a.key == of_b.key
            && (of_a.own_tag, of_a.peer_tag) == (of_b.peer_tag, of_b.own_tag)
            && is(&of_a.own_tag[..4], "18c7894b"),
    )
}

/// The key of RFC 6979, A.2.5, and its signature of "sample" with SHA-256.
fn p256_answer() -> Option<bool> {
    let key = pairs::P256::from_bytes(&bytes("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721"))?;
    let public = PublicKey { kind: KeyKind::P256, bytes: key.public() };
    let standard = bytes(
        "3046022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716022100f7cb1c942d657c41d436c7a1b6e29f65\
         f3e900dbb9aff4064dc4ab2f843acda8",
    );
    let own = key.sign(b"sample").ok()?;
    let verifies = |message, signature: &[u8]| pairs::p256_verify(&public, message, signature).is_ok();
    Some(verifies(b"sample", &standard) && verifies(b"sample", &own) && !verifies(b"Sample", &standard))
}

/// RFC 8032, 7.1, test 2.
fn ed25519_answer() -> Option<bool> {
    let key = bytes("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
    let key = pairs::Ed25519::from_bytes(key.as_slice().try_into().ok()?);
    let public = PublicKey { kind: KeyKind::Ed25519, bytes: key.public() };
    let signature = key.sign(&[0x72]);
    let right = is(
        &signature,
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aee\
         b00d291612bb0c00",
    );
    Some(right && pairs::ed25519_verify(&public, &[0x72], &signature).is_ok())
}

const RSA_PUBLIC: &str = "\
    30820122300d06092a864886f70d01010105000382010f003082010a0282010100b119844b44c62e13a8c91821b560c42f24dd4a1d9630b1\
    1c14876652ac2f75de2ca11cafc18b1d1881aa7246c722e15977e36fa2a82a57f78656994313a5583d28bbabe8d996f72efe7b240ac9d57b\
    2ae83f192d8057da83a431ea71262ef57e88294f36a7a067d767056ffe15e7fa33b038aeb15ba072349f2b25aa155a4d2bbee6936bca7c66\
    2546eb5f695b846a24b73f2dbfa3110a50ac6b6f3bb8c87d2da46154c51c2c6b7a8478a0595fbf054022ad7756b46dd520b4259299982afd\
    909fd6a752a287757d91cc08b3271349a0ecec175f061a993acba31d1fae9feb7875cbb37f147ffddc47898d9e8da3276fce6d2d0548e33f\
    133b8c380134a3ca4d0203010001";
const RSA_SIGNATURE: &str = "\
    4db01cc9e02c8d7315b0c2af01e05c79349e06870ecb74a5d3442f31ccff92b5238eca9a7106687a6bd2c10f822e33e4ddfc3d0d47cf5e7e\
    79bab203c1a89c8f3c2d898073dedbb6b0722b2d6e64bb62c50b03461a339f80efb599a4af3e13f7b42d5a9a4059a493c7a16bfe8bef36ae\
    ade7d5bfb76b7655dc8656660a48021cae1dcbc3b4da1e48bd3659ae6d4914830bef2dcc394c782c3ceefc318b6bf21ac786a3042a2aca8f\
    54fba67afdf4997c7e450acfe365633fa24e3697d103ad34b0f9505c61de1e74ff1c6a40578cdda49045b360d5d028b82ba03aa29c0e063d\
    c1d5584d268c5afb95b0ea23407129565e9790fccc154e92693cf2fb229c9646";

/// A signature that the `openssl` program made, under a key that it made.
fn rsa_answer() -> Option<bool> {
    let public = PublicKey { kind: KeyKind::Rsa2048, bytes: bytes(RSA_PUBLIC) };
    let verifies = |message| pairs::rsa_verify(&public, 2048, message, &bytes(RSA_SIGNATURE)).is_ok();
    Some(verifies(b"abc") && !verifies(b"abd"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_known_answer_comes_out() {
        assert_eq!(super::self_test(), Vec::<&str>::new());
    }
}
