// SM2 by the package sm-crypto-v2, under the platform's id (docs/api/signing.md). Nothing else of this client needs a package.

import { sm2 as curve } from "sm-crypto-v2";

import type { Sm2 } from "./runtime.js";

const ID = "1234567812345678";
/** What stands before the point in a SubjectPublicKeyInfo of SM2 (GM/T 0009, RFC 5480). */
const FRAME = "3059301306072a8648ce3d020106082a811ccf5501822d034200";
/** What stands before the scalar in an ECPrivateKey (RFC 5915), the key of PKCS #8: version 1, 32 bytes. */
const SCALAR = "0201010420";

/** The DER of a PEM text, in hexadecimal. */
function der(pem: string): string {
  const lines = pem.split("\n").filter((line) => !line.startsWith("-----"));
  return Buffer.from(lines.join(""), "base64").toString("hex");
}

function scalar(pem: string): string {
  const text = der(pem);
  const at = text.indexOf(SCALAR);
  if (at < 0) throw new Error("no SM2 private key in PEM: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:SM2");
  return text.slice(at + SCALAR.length, at + SCALAR.length + 64);
}

function point(pem: string): string {
  const text = der(pem);
  if (!text.startsWith(FRAME) || text.length !== FRAME.length + 130) throw new Error("no SM2 public key in PEM");
  return text.slice(FRAME.length);
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const base64 = (hex: string): string => Buffer.from(hex, "hex").toString("base64");

/** For credentials, {@link receive} and {@link encrypted}. */
export const sm2: Sm2 = {
  sign: (privateKey, text) => base64(curve.doSignature(bytes(text), scalar(privateKey), { der: true, hash: true, userId: ID })),
  verify(publicKey, text, signature) {
    const told = Buffer.from(signature, "base64").toString("hex");
    try {
      return curve.doVerifySignature(bytes(text), told, point(publicKey), { der: true, hash: true, userId: ID });
    } catch {
      // What is no DER is no signature.
      return false;
    }
  },
  encrypt: (publicKey, text) => base64(curve.doEncrypt(bytes(text), point(publicKey), 1, { asn1: true })),
};
