// Generated from docs/openapi.json by `cargo xtask clients`: do not edit.

import type { Api, Changing, Reading } from "../runtime.js";
import type { Amount } from "./account.js";

/** How to split: by `parts`, by `rates` of an `amount`, or by a `plan` of the platform's settings. */
export interface NewSplit {
  /** Your own number, 1 to 64 bytes, never used before for the order's merchant. */
  out_split_no: string;
  /** Who receives what, in minor units. */
  parts?: Array<WirePart> | null;
  plan?: (WirePlan) | (null);
  rates?: (WireRates) | (null);
  /** The receivers in the order in which a refund takes their parts back; the last part first unless said. */
  return_order?: Array<string>;
}

/** One page of a list. */
export interface PageView_SplitView {
  /** In the order of the ids. */
  data: Array<{
  /** Nothing: a refund of the order takes parts back. */
  allowed_actions: Array<string>;
  /** Σ parts. */
  amount: Amount;
  created_at: string;
  id: string;
  order: string;
  out_split_no: string;
  parts: Array<WirePart>;
  /** Whose share was split. */
  payee: string;
  return_order: Array<string>;
  voucher: string;
}>;
  /** Where the next page begins; null on the last one. */
  next_cursor?: string | null;
  /** The journal position that the list shows. */
  position: number;
}

/** A split. */
export interface SplitView {
  /** Nothing: a refund of the order takes parts back. */
  allowed_actions: Array<string>;
  /** Σ parts. */
  amount: Amount;
  created_at: string;
  id: string;
  order: string;
  out_split_no: string;
  parts: Array<WirePart>;
  /** Whose share was split. */
  payee: string;
  return_order: Array<string>;
  voucher: string;
}

/** One receiver's part. */
export interface WirePart {
  /** Minor units above zero. */
  amount: Amount;
  merchant: string;
}

/** A split by a plan. */
export interface WirePlan {
  /** What is split, in minor units. */
  amount: Amount;
  /** Its name in the platform's settings. */
  name: string;
  /** The merchants by their roles. What a role gets that nobody had goes to whoever has what rounding leaves. */
  roles: Record<string, string>;
}

/** One receiver's rate. */
export interface WireRate {
  merchant: string;
  /** Millionths. */
  rate: number;
}

/** A split by rates. */
export interface WireRates {
  /** What is split, in minor units. */
  amount: Amount;
  /** Together 1,000,000 millionths. */
  rates: Array<WireRate>;
  /** The receiver of what rounding leaves. */
  remainder_to: string;
}

/** Split an order. POST /v1/orders/{id}/splits */
export function splitMake(api: Api, id: string, body: NewSplit, options: Changing): Promise<SplitView> {
  return api.call("POST", `/v1/orders/${encodeURIComponent(id)}/splits`, [], body, options);
}

/** List splits. GET /v1/splits */
export function splitList(api: Api, options: Reading & { order?: string; out_split_no?: string; payee?: string; limit?: number; cursor?: string; min_position?: number } = {}): Promise<PageView_SplitView> {
  return api.call("GET", `/v1/splits`, ["order", "out_split_no", "payee", "limit", "cursor", "min_position"], undefined, options);
}

/** Look at a split. GET /v1/splits/{id} */
export function splitGet(api: Api, id: string, options: Reading = {}): Promise<SplitView> {
  return api.call("GET", `/v1/splits/${encodeURIComponent(id)}`, [], undefined, options);
}

