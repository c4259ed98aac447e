// Generated from docs/openapi.json by `cargo xtask clients`: do not edit.

import type { Api, Changing, Reading } from "../runtime.js";
import type { Amount } from "./account.js";
import type { BankAccountView, WireBankAccount } from "./merchant.js";

/** What to pay. */
export interface NewPayout {
  /** The account that pays: 2201 (to an own bank account), 2203 (to the settlement account or the own 2206) or 2206. */
  account: string;
  /** Minor units that shall arrive. */
  amount: Amount;
  bank?: (WireBank) | (null);
  /** The account's currency. */
  currency: string;
  /** Minor units of fee beside them. Left out, or 0, it is what the fee plan says, or nothing without one; the institution may name another, a merchant may not. */
  fee?: Amount;
  /** The caller's own number of it, 1 to 64 bytes: a key beside the `Idempotency-Key`, and signed with the body. The same number with the same body gets the first answer. It is bound alone: no answer shows it. */
  out_payout_no?: string | null;
  /** Send it in the same step. */
  send_now?: boolean;
  /** To whom. */
  to: WireDestination;
}

/** One page of a list. */
export interface PageView_PayoutView {
  /** In the order of the ids. */
  data: Array<{
  account: string;
  /** What may be done with it now. */
  allowed_actions: Array<string>;
  amount: Amount;
  attempt?: string | null;
  bank?: (WireBank) | (null);
  bank_account?: (BankAccountView) | (null);
  /** Why it was cancelled: `asked`, `restricted`, `frozen`, `settlement_suspended` or `card_stopped`. */
  cancelled?: string | null;
  /** The token of the bank account's number: block lists and stopped cards know it by that. */
  card?: string | null;
  /** The channel that it leaves by: called as its network, or a further one of that; null of one to the own 2206. */
  channel?: string | null;
  created_at: string;
  currency: string;
  ended_at?: string | null;
  failure?: (PayoutFailureView) | (null);
  fee: Amount;
  /** The version of the fee plan that gave the fee; none without one, or if the institution named the fee. */
  fee_plan?: string | null;
  /** The freeze that a deduction was taken from. */
  freeze?: string | null;
  hold?: string | null;
  id: string;
  /** `payout` (to another), `withdrawal` (to oneself) or `deduction` (from a freeze, to its authority). */
  kind: string;
  /** The channel's reference of its success. */
  reference?: string | null;
  return_date?: string | null;
  /** The channel's reference of its return. */
  return_reference?: string | null;
  /** `created`, `held`, `sent`, `unknown`, `success`, `failed`, `cancelled` or `returned`. */
  status: string;
  /** `bank`, `settlement` or `company`. */
  to: string;
  /** The automatic withdrawal that it is a try of. */
  withdrawal?: string | null;
}>;
  /** Where the next page begins; null on the last one. */
  next_cursor?: string | null;
  /** The journal position that the list shows. */
  position: number;
}

/** Why a payout failed. */
export interface PayoutFailureView {
  /** Whose failure: `user`, `risk`, `bank` or `system`. */
  class: string;
  /** The channel's code. */
  code: string;
}

/** A payout or withdrawal. */
export interface PayoutView {
  account: string;
  /** What may be done with it now. */
  allowed_actions: Array<string>;
  amount: Amount;
  attempt?: string | null;
  bank?: (WireBank) | (null);
  bank_account?: (BankAccountView) | (null);
  /** Why it was cancelled: `asked`, `restricted`, `frozen`, `settlement_suspended` or `card_stopped`. */
  cancelled?: string | null;
  /** The token of the bank account's number: block lists and stopped cards know it by that. */
  card?: string | null;
  /** The channel that it leaves by: called as its network, or a further one of that; null of one to the own 2206. */
  channel?: string | null;
  created_at: string;
  currency: string;
  ended_at?: string | null;
  failure?: (PayoutFailureView) | (null);
  fee: Amount;
  /** The version of the fee plan that gave the fee; none without one, or if the institution named the fee. */
  fee_plan?: string | null;
  /** The freeze that a deduction was taken from. */
  freeze?: string | null;
  hold?: string | null;
  id: string;
  /** `payout` (to another), `withdrawal` (to oneself) or `deduction` (from a freeze, to its authority). */
  kind: string;
  /** The channel's reference of its success. */
  reference?: string | null;
  return_date?: string | null;
  /** The channel's reference of its return. */
  return_reference?: string | null;
  /** `created`, `held`, `sent`, `unknown`, `success`, `failed`, `cancelled` or `returned`. */
  status: string;
  /** `bank`, `settlement` or `company`. */
  to: string;
  /** The automatic withdrawal that it is a try of. */
  withdrawal?: string | null;
}

/** A payout that came back. */
export interface Return {
  /** The network's clearing date of the return. */
  date: string;
  /** The channel's reference. */
  reference: string;
}

/** A bank, as the networks name it. */
export interface WireBank {
  /** Its number at the clearing houses: 12 digits (联行号). */
  code: string;
  /** Its name. */
  name: string;
}

/** Where a payout goes. */
export type WireDestination = ({
  /** The account. */
  bank_account: WireBankAccount;
  type: "bank";
}) | ({
  type: "settlement";
}) | ({
  type: "company";
});

/** List payouts. GET /v1/payouts */
export function payoutList(api: Api, options: Reading & { account?: string; kind?: string; status?: string; created_from?: string; created_to?: string; limit?: number; cursor?: string; min_position?: number } = {}): Promise<PageView_PayoutView> {
  return api.call("GET", `/v1/payouts`, ["account", "kind", "status", "created_from", "created_to", "limit", "cursor", "min_position"], undefined, options);
}

/** Create a payout or withdrawal. POST /v1/payouts */
export function payoutCreate(api: Api, body: NewPayout, options: Changing): Promise<PayoutView> {
  return api.call("POST", `/v1/payouts`, [], body, options);
}

/** Look at a payout. GET /v1/payouts/{id} */
export function payoutGet(api: Api, id: string, options: Reading = {}): Promise<PayoutView> {
  return api.call("GET", `/v1/payouts/${encodeURIComponent(id)}`, [], undefined, options);
}

/** Cancel a payout that was not sent. POST /v1/payouts/{id}/cancel */
export function payoutCancel(api: Api, id: string, options: Changing): Promise<PayoutView> {
  return api.call("POST", `/v1/payouts/${encodeURIComponent(id)}/cancel`, [], undefined, options);
}

/** Book a payout that came back after success (退票). POST /v1/payouts/{id}/return */
export function payoutTakeBack(api: Api, id: string, body: Return, options: Changing): Promise<PayoutView> {
  return api.call("POST", `/v1/payouts/${encodeURIComponent(id)}/return`, [], body, options);
}

/** Send a held payout. POST /v1/payouts/{id}/send */
export function payoutSend(api: Api, id: string, options: Changing): Promise<PayoutView> {
  return api.call("POST", `/v1/payouts/${encodeURIComponent(id)}/send`, [], undefined, options);
}

