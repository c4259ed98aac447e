// What is used of Node and of sm-crypto-v2, so that the types are checked without any package.

interface Buffer extends Uint8Array {
  toString(encoding?: string): string;
}

declare const Buffer: { from(text: string, encoding?: string): Buffer };

declare module "node:crypto" {
  interface Signer {
    update(text: string, encoding: string): Signer;
    digest(encoding: string): string;
    sign(key: unknown, encoding: string): string;
    verify(key: string, signature: string, encoding: string): boolean;
  }
  export const constants: { RSA_PKCS1_OAEP_PADDING: number };
  export function createHmac(algorithm: string, key: Buffer): Signer;
  export function createSign(algorithm: string): Signer;
  export function createVerify(algorithm: string): Signer;
  export function createPrivateKey(pem: string): unknown;
  export function publicEncrypt(key: { key: string; padding: number; oaepHash: string }, text: Buffer): Buffer;
  export function randomBytes(count: number): { toString(encoding: string): string };
  export function timingSafeEqual(one: Buffer, other: Buffer): boolean;
}

declare module "sm-crypto-v2" {
  interface Signing {
    der: boolean;
    hash: boolean;
    userId: string;
  }
  export const sm2: {
    doSignature(text: Uint8Array, privateKeyHex: string, options: Signing): string;
    doVerifySignature(text: Uint8Array, signatureHex: string, publicKeyHex: string, options: Signing): boolean;
    doEncrypt(text: Uint8Array, publicKeyHex: string, cipherMode: 1, options: { asn1: boolean }): string;
  };
}
