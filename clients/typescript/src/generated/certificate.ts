// Generated from docs/openapi.json by `cargo xtask clients`: do not edit.

import type { Api, Changing, Reading } from "../runtime.js";

/** A public key that signs for a merchant. */
export interface CertificateView {
  /** `sm2_with_sm3` or `sha256_rsa2048`. */
  algorithm: string;
  /** What may be done with it now. */
  allowed_actions: Array<string>;
  id: string;
  merchant: string;
  not_after: string;
  not_before: string;
  /** In PEM. */
  public_key: string;
  registered_at: string;
  registered_by: string;
  revoked?: (RevocationView) | (null);
  /** What `Authorization` names it by. */
  serial_no: string;
  /** `not_yet_valid`, `valid`, `expired` or `revoked`, by the wall clock. */
  status: string;
  /** The certificate's common name; empty of a bare key. */
  subject: string;
}

/** A merchant's certificate or bare public key. */
export interface NewCertificate {
  /** PEM: `BEGIN CERTIFICATE` (X.509, whoever issued it: being registered is what makes it trusted) or `BEGIN PUBLIC KEY`. SM2, or RSA of 2,048 bits with the exponent 65,537. */
  certificate: string;
  /** When a bare key ends; two years later unless said. */
  not_after?: string | null;
  /** When a bare key begins to sign; now unless said. A certificate says it itself. */
  not_before?: string | null;
  /** By what `Authorization` will name it, 1 to 64 letters, digits, `_` or `-`; the certificate's own serial number in hexadecimal unless said, or for a bare key the first 16 digits of the SM3 of its PEM's bytes. */
  serial_no?: string | null;
}

/** One page of a list. */
export interface PageView_CertificateView {
  /** In the order of the ids. */
  data: Array<{
  /** `sm2_with_sm3` or `sha256_rsa2048`. */
  algorithm: string;
  /** What may be done with it now. */
  allowed_actions: Array<string>;
  id: string;
  merchant: string;
  not_after: string;
  not_before: string;
  /** In PEM. */
  public_key: string;
  registered_at: string;
  registered_by: string;
  revoked?: (RevocationView) | (null);
  /** What `Authorization` names it by. */
  serial_no: string;
  /** `not_yet_valid`, `valid`, `expired` or `revoked`, by the wall clock. */
  status: string;
  /** The certificate's common name; empty of a bare key. */
  subject: string;
}>;
  /** Where the next page begins; null on the last one. */
  next_cursor?: string | null;
  /** The journal position that the list shows. */
  position: number;
}

/** A key of the platform. */
export interface PlatformKeyView {
  /** Whether sensitive fields are encrypted with it now; one with which they no longer are may still open what was. */
  encrypts: boolean;
  /** In PEM. */
  public_key: string;
  /** `LINTEL-SM2-WITH-SM3` or `LINTEL-SHA256-RSA2048`; of a key to encrypt with `SM2-DER` or `RSA-OAEP-SHA256`. */
  scheme: string;
  /** What `Lintel-Serial` names it by. */
  serial_no: string;
  /** Whether it signs now; one that does not may still verify what it signed before, or sign later. */
  signs: boolean;
  /** From when it signs, of one that waits: it takes the place of the one that signs now, at once if that may sign no more. */
  signs_from?: string | null;
}

/** The platform's keys. */
export interface PlatformKeysView {
  data: Array<PlatformKeyView>;
}

/** Why a certificate is revoked. */
export interface RevocationBody {
  /** Why, 1 to 128 bytes. */
  reason: string;
}

/** How a certificate was revoked. */
export interface RevocationView {
  at: string;
  by: string;
  reason: string;
}

/** List certificates. GET /v1/certificates */
export function certificateList(api: Api, options: Reading & { merchant?: string; revoked?: string; limit?: number; cursor?: string; min_position?: number } = {}): Promise<PageView_CertificateView> {
  return api.call("GET", `/v1/certificates`, ["merchant", "revoked", "limit", "cursor", "min_position"], undefined, options);
}

/** Look at a certificate. GET /v1/certificates/{id} */
export function certificateGet(api: Api, id: string, options: Reading = {}): Promise<CertificateView> {
  return api.call("GET", `/v1/certificates/${encodeURIComponent(id)}`, [], undefined, options);
}

/** Revoke a certificate. POST /v1/certificates/{id}/revoke */
export function certificateRevoke(api: Api, id: string, body: RevocationBody, options: Changing): Promise<CertificateView> {
  return api.call("POST", `/v1/certificates/${encodeURIComponent(id)}/revoke`, [], body, options);
}

/** Register a merchant's certificate. POST /v1/merchants/{id}/certificates */
export function certificateRegister(api: Api, id: string, body: NewCertificate, options: Changing): Promise<CertificateView> {
  return api.call("POST", `/v1/merchants/${encodeURIComponent(id)}/certificates`, [], body, options);
}

/** List the platform's keys. GET /v1/platform-keys */
export function certificatePlatformKeys(api: Api, options: Reading = {}): Promise<PlatformKeysView> {
  return api.call("GET", `/v1/platform-keys`, [], undefined, options);
}

