// Generated from docs/openapi.json by `cargo xtask clients`: do not edit.

import type { Api, Changing, Reading } from "../runtime.js";
import type { Amount } from "./account.js";
import type { FrontPageView } from "./payment.js";
import type { PayoutFailureView } from "./payout.js";

/** What to fetch. */
export interface NewTopUp {
  /** The payment account that is credited: 2201 or 2206. */
  account: string;
  /** The agreement's number at the network (协议支付); never a card number. With `mask`, or `redirect` in place of both. */
  agreement?: string | null;
  /** Minor units above zero. */
  amount: Amount;
  /** The account's currency. */
  currency: string;
  /** The payer's device, as the block list of devices names it. */
  device?: string | null;
  /** The card as it may be shown: 6 + 4. */
  mask?: string | null;
  /** The caller's own number of it, 1 to 64 bytes: a key beside the `Idempotency-Key`, and signed with the body. The same number with the same body gets the first answer. It is bound alone: no answer shows it. */
  out_top_up_no?: string | null;
  /** The network of the agreement: `epcc` or `unionpay`, `epcc` unless said; or a further channel of one. An agreement that was signed here goes over the channel that signed it, else one over the network's first. */
  rail?: string | null;
  redirect?: (TopUpRedirect) | (null);
}

/** One page of a list. */
export interface PageView_TopUpView {
  /** In the order of the ids. */
  data: Array<{
  account: string;
  /** The agreement's number at the network; null of one by a page. */
  agreement?: string | null;
  /** `front_page`, `close` while a page waits for its payer; else the channel's answer ends it. */
  allowed_actions: Array<string>;
  amount: Amount;
  attempt?: string | null;
  back?: (TopUpBackView) | (null);
  /** Whether it was given up and the channel has the last word. */
  closing: boolean;
  created_at: string;
  currency: string;
  ended_at?: string | null;
  failure?: (PayoutFailureView) | (null);
  /** Of one by a page: where its form is fetched, while its payer may be given it. */
  front_page?: string | null;
  id: string;
  /** The card's mask; null of one by a page. */
  mask?: string | null;
  /** When that page ends, while it waits for its payer. */
  page_expires_at?: string | null;
  /** `epcc` or `unionpay`. */
  rail: string;
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

/** Money of another amount than was asked for, on its way back to its source. */
export interface TopUpBackView {
  /** What came. */
  amount: Amount;
  attempt: string;
  /** `in_transit`, `unknown`, `success`, or `failed`: its source refused it, and it lies in suspense. */
  status: string;
  /** The voucher that put it on its way. */
  voucher: string;
}

/** A top-up by the channel's page (网银充值), which `GET /v1/top-ups/{id}/front-page` leads to. */
export interface TopUpRedirect {
  /** `epcc` or `unionpay`: a channel that has such a page; the rules of routing choose unless said. */
  rail?: string | null;
  /** Where the payer's browser goes afterwards, `https://…` of at most 256 characters; the channel's setting unless said. */
  return_url?: string | null;
}

/** A top-up. */
export interface TopUpView {
  account: string;
  /** The agreement's number at the network; null of one by a page. */
  agreement?: string | null;
  /** `front_page`, `close` while a page waits for its payer; else the channel's answer ends it. */
  allowed_actions: Array<string>;
  amount: Amount;
  attempt?: string | null;
  back?: (TopUpBackView) | (null);
  /** Whether it was given up and the channel has the last word. */
  closing: boolean;
  created_at: string;
  currency: string;
  ended_at?: string | null;
  failure?: (PayoutFailureView) | (null);
  /** Of one by a page: where its form is fetched, while its payer may be given it. */
  front_page?: string | null;
  id: string;
  /** The card's mask; null of one by a page. */
  mask?: string | null;
  /** When that page ends, while it waits for its payer. */
  page_expires_at?: string | null;
  /** `epcc` or `unionpay`. */
  rail: string;
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

/** Give up a top-up by a page that nobody will pay. POST /v1/top-ups/{id}/close */
export function topUpClose(api: Api, id: string, options: Changing): Promise<TopUpView> {
  return api.call("POST", `/v1/top-ups/${encodeURIComponent(id)}/close`, [], undefined, options);
}

/** Fetch a top-up's front page. GET /v1/top-ups/{id}/front-page */
export function topUpFrontPage(api: Api, id: string, options: Reading = {}): Promise<FrontPageView> {
  return api.call("GET", `/v1/top-ups/${encodeURIComponent(id)}/front-page`, [], undefined, options);
}

