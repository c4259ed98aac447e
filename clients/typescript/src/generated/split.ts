// Generated from docs/openapi.json by `cargo xtask clients`: do not edit.

import type { Api, Changing, Reading } from "../runtime.js";
import type { Amount } from "./account.js";

/** How to split: by `parts`, by `rates` of an `amount`, or by a `plan` of the platform. */
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

/** What a receiver is to give back. */
export interface NewSplitReturn {
  /** Minor units above zero, at most what the split gave it and it has not returned. */
  amount: Amount;
  /** The receiver's own number, 1 to 64 bytes, never used before. */
  out_return_no: string;
  /** Who gives it back: a receiver of the split. */
  receiver: string;
}

/** One page of a list. */
export interface PageView_SplitView {
  /** In the order of the ids. */
  data: Array<{
  /** `return` while a receiver has something of it to give back; a refund of the order takes parts back by itself. */
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
  /** The version of a plan that it went by, if it named one that two people set. */
  plan?: string | null;
  return_order: Array<string>;
  /** What receivers gave back of it without a refund, oldest first. */
  returns: Array<SplitReturnView>;
  voucher: string;
}>;
  /** Where the next page begins; null on the last one. */
  next_cursor?: string | null;
  /** The journal position that the list shows. */
  position: number;
}

/** A version of a plan of splits, or a plan of the settings. */
export interface SplitPlanView {
  approver?: string | null;
  /** The first accounting day on which it holds, until a later version does; none of a plan of the settings. */
  from?: string | null;
  /** Of a version; none of a plan of the settings. */
  id?: string | null;
  /** Whether a split of today that names it goes by it. */
  in_force: boolean;
  /** As a split names it. */
  name: string;
  /** Who proposed it. */
  operator?: string | null;
  /** The role whose merchant gets what rounding leaves, and the rates of roles that nobody had. */
  remainder_to: string;
  /** The roles in the order in which a refund takes their parts back; the last part first if empty. */
  return_order: Array<string>;
  /** What each role gets; together 1,000,000 millionths. */
  roles: Array<SplitRole>;
  set_at?: string | null;
}

/** Every plan of splits. */
export interface SplitPlansView {
  /** Those of the settings, then versions, oldest first. */
  data: Array<SplitPlanView>;
}

/** What a receiver of a split gave back to the payee. */
export interface SplitReturnView {
  amount: Amount;
  created_at: string;
  order: string;
  out_return_no: string;
  receiver: string;
  split: string;
  voucher: string;
}

/** A role of a plan. */
export interface SplitRole {
  /** 1 to 64 bytes. */
  name: string;
  /** Millionths. */
  rate: number;
}

/** A split. */
export interface SplitView {
  /** `return` while a receiver has something of it to give back; a refund of the order takes parts back by itself. */
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
  /** The version of a plan that it went by, if it named one that two people set. */
  plan?: string | null;
  return_order: Array<string>;
  /** What receivers gave back of it without a refund, oldest first. */
  returns: Array<SplitReturnView>;
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
  /** Its name: see `GET /v1/split-plans`. The version of the accounting day holds. */
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

/** List the plans of splits. GET /v1/split-plans */
export function splitPlans(api: Api, options: Reading = {}): Promise<SplitPlansView> {
  return api.call("GET", `/v1/split-plans`, [], undefined, options);
}

/** List splits. GET /v1/splits */
export function splitList(api: Api, options: Reading & { order?: string; out_split_no?: string; payee?: string; limit?: number; cursor?: string; min_position?: number } = {}): Promise<PageView_SplitView> {
  return api.call("GET", `/v1/splits`, ["order", "out_split_no", "payee", "limit", "cursor", "min_position"], undefined, options);
}

/** Look at a split. GET /v1/splits/{id} */
export function splitGet(api: Api, id: string, options: Reading = {}): Promise<SplitView> {
  return api.call("GET", `/v1/splits/${encodeURIComponent(id)}`, [], undefined, options);
}

/** Give money of a split back to the payee. POST /v1/splits/{id}/returns */
export function splitGiveBack(api: Api, id: string, body: NewSplitReturn, options: Changing): Promise<SplitReturnView> {
  return api.call("POST", `/v1/splits/${encodeURIComponent(id)}/returns`, [], body, options);
}

