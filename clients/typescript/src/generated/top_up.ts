// Generated from docs/openapi.json by `cargo xtask clients`: do not edit.

import type { Api, Changing, Reading } from "../runtime.js";
import type { Amount } from "./account.js";
import type { PayoutFailureView } from "./payout.js";

/** What to fetch. */
export interface NewTopUp {
  /** The payment account that is credited: 2201 or 2206. */
  account: string;
  /** The agreement's number at the network (协议支付); never a card number. */
  agreement: string;
  /** Minor units above zero. */
  amount: Amount;
  /** The account's currency. */
  currency: string;
  /** The payer's device, as the block list of devices names it. */
  device?: string | null;
  /** The card as it may be shown: 6 + 4. */
  mask: string;
}

/** One page of a list. */
export interface PageView_TopUpView {
  /** In the order of the ids. */
  data: Array<{
  account: string;
  /** The agreement's number at the network. */
  agreement: string;
  /** Nothing: the channel's answer ends it. */
  allowed_actions: Array<string>;
  amount: Amount;
  attempt?: string | null;
  created_at: string;
  currency: string;
  ended_at?: string | null;
  failure?: (PayoutFailureView) | (null);
  id: string;
  mask: string;
  /** The channel's reference of its success. */
  reference?: string | null;
  /** `created`, `sent`, `unknown`, `success` or `failed`. */
  status: string;
  /** Whether its money went to suspense, as the account took none any more. */
  suspended: boolean;
  /** The voucher of its success. */
  voucher?: string | null;
}>;
  /** Where the next page begins; null on the last one. */
  next_cursor?: string | null;
  /** The journal position that the list shows. */
  position: number;
}

/** A top-up. */
export interface TopUpView {
  account: string;
  /** The agreement's number at the network. */
  agreement: string;
  /** Nothing: the channel's answer ends it. */
  allowed_actions: Array<string>;
  amount: Amount;
  attempt?: string | null;
  created_at: string;
  currency: string;
  ended_at?: string | null;
  failure?: (PayoutFailureView) | (null);
  id: string;
  mask: string;
  /** The channel's reference of its success. */
  reference?: string | null;
  /** `created`, `sent`, `unknown`, `success` or `failed`. */
  status: string;
  /** Whether its money went to suspense, as the account took none any more. */
  suspended: boolean;
  /** The voucher of its success. */
  voucher?: string | null;
}

/** List top-ups. GET /v1/top-ups */
export function topUpList(api: Api, options: Reading & { account?: string; status?: string; created_from?: string; created_to?: string; limit?: number; cursor?: string; min_position?: number } = {}): Promise<PageView_TopUpView> {
  return api.call("GET", `/v1/top-ups`, ["account", "status", "created_from", "created_to", "limit", "cursor", "min_position"], undefined, options);
}

/** Top up a payment account (充值). POST /v1/top-ups */
export function topUpCreate(api: Api, body: NewTopUp, options: Changing): Promise<TopUpView> {
  return api.call("POST", `/v1/top-ups`, [], body, options);
}

/** Look at a top-up. GET /v1/top-ups/{id} */
export function topUpGet(api: Api, id: string, options: Reading = {}): Promise<TopUpView> {
  return api.call("GET", `/v1/top-ups/${encodeURIComponent(id)}`, [], undefined, options);
}

