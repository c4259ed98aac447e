// Generated from docs/openapi.json by `cargo xtask clients`: do not edit.

import type { Api, Changing, Reading } from "../runtime.js";
import type { Personal } from "./customer.js";

/** A bank account; only what masks show. */
export interface BankAccountView {
  /** The number's mask. */
  account: string;
  /** The holder's mask. */
  holder: string;
}

/** The secret of a merchant's key. It is derived, so it is the same each time. */
export interface KeyView {
  /** Whose. */
  mch_id: string;
  /** 64 hexadecimal digits. */
  secret: string;
  /** The key's serial number. */
  serial_no: string;
}

/** A merchant. */
export interface MerchantView {
  /** What may be done with it now. */
  allowed_actions: Array<string>;
  /** 2203, available. */
  available: string;
  /** 2206, a company's payment account. */
  company?: string | null;
  customer: string;
  /** In millionths, of orders until its first fee plan begins. */
  fee_rate: number;
  id: string;
  /** `landlord`, `agency` or `agent`. */
  kind: string;
  name: string;
  /** 2202, to be settled. */
  pending: string;
  /** Where settlements go. */
  settlement: BankAccountView;
  /** A payout to it came back: nothing goes there until it is verified. */
  settlement_suspended: boolean;
}

/** Who to open as a merchant. */
export interface NewMerchant {
  /** Who it is in law. */
  customer: string;
  /** Its fee in millionths, of orders until its first fee plan begins: 6000 is 0.60 %. */
  fee_rate: number;
  /** `landlord`, `agency` or `agent`. */
  kind: string;
  /** The name it trades under; public. */
  name: string;
  /** Where settlements go: a bank account in its own name. */
  settlement: WireBankAccount;
}

/** One page of a list. */
export interface PageView_MerchantView {
  /** In the order of the ids. */
  data: Array<{
  /** What may be done with it now. */
  allowed_actions: Array<string>;
  /** 2203, available. */
  available: string;
  /** 2206, a company's payment account. */
  company?: string | null;
  customer: string;
  /** In millionths, of orders until its first fee plan begins. */
  fee_rate: number;
  id: string;
  /** `landlord`, `agency` or `agent`. */
  kind: string;
  name: string;
  /** 2202, to be settled. */
  pending: string;
  /** Where settlements go. */
  settlement: BankAccountView;
  /** A payout to it came back: nothing goes there until it is verified. */
  settlement_suspended: boolean;
}>;
  /** Where the next page begins; null on the last one. */
  next_cursor?: string | null;
  /** The journal position that the list shows. */
  position: number;
}

/** What a merchant's settlement account is from now on. */
export interface Verification {
  replacement?: (WireBankAccount) | (null);
}

/** A bank account. */
export interface WireBankAccount {
  /** Its number. */
  account: Personal;
  /** Its holder's name. */
  holder: Personal;
}

/** List merchants. GET /v1/merchants */
export function merchantList(api: Api, options: Reading & { customer?: string; kind?: string; name?: string; limit?: number; cursor?: string; min_position?: number } = {}): Promise<PageView_MerchantView> {
  return api.call("GET", `/v1/merchants`, ["customer", "kind", "name", "limit", "cursor", "min_position"], undefined, options);
}

/** Open a merchant. POST /v1/merchants */
export function merchantOpen(api: Api, body: NewMerchant, options: Changing): Promise<MerchantView> {
  return api.call("POST", `/v1/merchants`, [], body, options);
}

/** Look at a merchant. GET /v1/merchants/{id} */
export function merchantGet(api: Api, id: string, options: Reading = {}): Promise<MerchantView> {
  return api.call("GET", `/v1/merchants/${encodeURIComponent(id)}`, [], undefined, options);
}

/** Show the secret of a merchant's API key. POST /v1/merchants/{id}/key */
export function merchantKey(api: Api, id: string, options: Reading = {}): Promise<KeyView> {
  return api.call("POST", `/v1/merchants/${encodeURIComponent(id)}/key`, [], undefined, options);
}

/** Verify a merchant's settlement account. POST /v1/merchants/{id}/settlement-account */
export function merchantVerifySettlement(api: Api, id: string, body: Verification, options: Changing): Promise<MerchantView> {
  return api.call("POST", `/v1/merchants/${encodeURIComponent(id)}/settlement-account`, [], body, options);
}

