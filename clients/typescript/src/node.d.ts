// What is used of Node, so that the types are checked without any package.

interface Buffer extends Uint8Array {}

declare const Buffer: { from(text: string, encoding?: string): Buffer };

declare module "node:crypto" {
  interface Signer {
    update(text: string, encoding: string): Signer;
    digest(encoding: string): string;
    sign(key: unknown, encoding: string): string;
    verify(key: string, signature: string, encoding: string): boolean;
  }
  export function createHmac(algorithm: string, key: Buffer): Signer;
  export function createSign(algorithm: string): Signer;
  export function createVerify(algorithm: string): Signer;
  export function createPrivateKey(pem: string): unknown;
  export function randomBytes(count: number): { toString(encoding: string): string };
  export function timingSafeEqual(one: Buffer, other: Buffer): boolean;
}
