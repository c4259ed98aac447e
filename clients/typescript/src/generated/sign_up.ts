// Generated from docs/openapi.json by `cargo xtask clients`: do not edit.

import type { Api, Changing, Reading } from "../runtime.js";
import type { Encrypted } from "./order.js";
import type { PayoutFailureView } from "./payout.js";

/** The code on the holder's phone. */
export interface CodeBody {
  /** 4 to 8 digits, encrypted. */
  code: Encrypted;
}

/** What to sign. The four elements (四要素) are taken encrypted alone. */
export interface NewSignUp {
  /** The card's number. */
  account: Encrypted;
  /** The bank's interbank number (联行号), 12 digits. */
  bank: string;
  /** The number of the holder's certificate: the payer's registered one. */
  certificate: Encrypted;
  /** Whether it is a credit card. */
  credit?: boolean;
  /** The holder's name: the payer's registered one. */
  name: Encrypted;
  /** The user who will pay. */
  payer: string;
  /** The phone that the bank knows. */
  phone: Encrypted;
  /** The network, `epcc` unless said, or a further channel of it: where it is signed it pays, and nowhere else. */
  rail?: string | null;
}

/** One page of a list. */
export interface PageView_SignUpView {
  /** In the order of the ids. */
  data: Array<{
  /** The card's mask, which payments and top-ups take as `mask`. */
  account: string;
  /** The agreement's number, once signed: what payments and top-ups take as `agreement`. */
  agreement?: string | null;
  allowed_actions: Array<string>;
  bank: string;
  /** The channel that signs: called as its rail, or a further one of that. Payments name it in `agreements`. */
  channel: string;
  credit: boolean;
  ended_at?: string | null;
  /** Until when a code is taken. */
  expires_at: string;
  failure?: (PayoutFailureView) | (null);
  id: string;
  /** The merchant that asked; none: the institution. */
  merchant?: string | null;
  payer: string;
  phone: string;
  rail: string;
  requested_at: string;
  /** The serial number that the channel knows it by. */
  serial: string;
  signed_at?: string | null;
  /** `requested`, `code_sent`, `confirming`, `signed`, `failed`, `expired` or `cancelled`. What the channel said is not known in `requested` and `confirming`: bring the code, or bring it again. */
  status: string;
  verdict?: (VerdictView) | (null);
  /** How many codes were wrong; three end it. */
  wrong_codes: number;
}>;
  /** Where the next page begins; null on the last one. */
  next_cursor?: string | null;
  /** The journal position that the list shows. */
  position: number;
}

/** A signing. */
export interface SignUpView {
  /** The card's mask, which payments and top-ups take as `mask`. */
  account: string;
  /** The agreement's number, once signed: what payments and top-ups take as `agreement`. */
  agreement?: string | null;
  allowed_actions: Array<string>;
  bank: string;
  /** The channel that signs: called as its rail, or a further one of that. Payments name it in `agreements`. */
  channel: string;
  credit: boolean;
  ended_at?: string | null;
  /** Until when a code is taken. */
  expires_at: string;
  failure?: (PayoutFailureView) | (null);
  id: string;
  /** The merchant that asked; none: the institution. */
  merchant?: string | null;
  payer: string;
  phone: string;
  rail: string;
  requested_at: string;
  /** The serial number that the channel knows it by. */
  serial: string;
  signed_at?: string | null;
  /** `requested`, `code_sent`, `confirming`, `signed`, `failed`, `expired` or `cancelled`. What the channel said is not known in `requested` and `confirming`: bring the code, or bring it again. */
  status: string;
  verdict?: (VerdictView) | (null);
  /** How many codes were wrong; three end it. */
  wrong_codes: number;
}

/** What the bank said of the four elements. */
export interface VerdictView {
  at: string;
  /** The channel's code where they do not. */
  code?: string | null;
  /** Whether account, name, certificate and phone belong together. */
  matched: boolean;
}

/** List signings. GET /v1/sign-ups */
export function signUpList(api: Api, options: Reading & { merchant?: string; payer?: string; status?: string; limit?: number; cursor?: string; min_position?: number } = {}): Promise<PageView_SignUpView> {
  return api.call("GET", `/v1/sign-ups`, ["merchant", "payer", "status", "limit", "cursor", "min_position"], undefined, options);
}

/** Sign an agreement to debit a card (协议签约). POST /v1/sign-ups */
export function signUpRequest(api: Api, body: NewSignUp, options: Changing): Promise<SignUpView> {
  return api.call("POST", `/v1/sign-ups`, [], body, options);
}

/** Look at a signing. GET /v1/sign-ups/{id} */
export function signUpGet(api: Api, id: string, options: Reading = {}): Promise<SignUpView> {
  return api.call("GET", `/v1/sign-ups/${encodeURIComponent(id)}`, [], undefined, options);
}

/** Cancel a signing, or end its agreement here (解约). POST /v1/sign-ups/{id}/cancel */
export function signUpCancel(api: Api, id: string, options: Changing): Promise<SignUpView> {
  return api.call("POST", `/v1/sign-ups/${encodeURIComponent(id)}/cancel`, [], undefined, options);
}

/** Bring the code that the holder's phone shows. POST /v1/sign-ups/{id}/confirm */
export function signUpConfirm(api: Api, id: string, body: CodeBody, options: Changing): Promise<SignUpView> {
  return api.call("POST", `/v1/sign-ups/${encodeURIComponent(id)}/confirm`, [], body, options);
}

