// Generated from docs/openapi.json by `cargo xtask clients`: do not edit.

import type { Api, Changing, Reading } from "../runtime.js";
import type { Amount } from "./account.js";

/** One card transaction's part of a settlement. */
export interface CardShareView {
  amount: Amount;
  transaction: string;
}

/** What is due to whom. */
export interface DueView {
  /** Merchants to whom more than nothing is due, in the order of their ids. */
  data: Array<MerchantDue>;
  date: string;
}

/** What is due to one merchant. */
export interface MerchantDue {
  /** What a settlement would move now. */
  amount: Amount;
  /** Of how many card transactions at terminals. */
  cards: number;
  merchant: string;
  /** Of how many orders. */
  orders: number;
}

/** Whom to settle. */
export interface NewSettlement {
  /** What is due by this date; not one to come. */
  date: string;
  merchant: string;
}

/** One page of a list. */
export interface PageView_SettlementView {
  /** In the order of the ids. */
  data: Array<{
  /** Nothing: a settlement is never changed. */
  allowed_actions: Array<string>;
  amount: Amount;
  /** Of which; left out of lists. */
  card_shares?: Array<CardShareView> | null;
  /** Of how many card transactions at terminals. */
  cards: number;
  created_at: string;
  currency: string;
  /** Everything due by then. */
  date: string;
  /** 2202 of the merchant. */
  from: string;
  id: string;
  merchant: string;
  /** Of how many orders. */
  orders: number;
  /** Of which orders; left out of lists. */
  shares?: Array<SettlementShareView> | null;
  /** 2203 of the merchant. */
  to: string;
  voucher: string;
}>;
  /** Where the next page begins; null on the last one. */
  next_cursor?: string | null;
  /** The journal position that the list shows. */
  position: number;
}

/** One order's part of a settlement. */
export interface SettlementShareView {
  /** Below zero where a refund took more than the order had brought. */
  amount: Amount;
  order: string;
}

/** A settlement of one merchant. */
export interface SettlementView {
  /** Nothing: a settlement is never changed. */
  allowed_actions: Array<string>;
  amount: Amount;
  /** Of which; left out of lists. */
  card_shares?: Array<CardShareView> | null;
  /** Of how many card transactions at terminals. */
  cards: number;
  created_at: string;
  currency: string;
  /** Everything due by then. */
  date: string;
  /** 2202 of the merchant. */
  from: string;
  id: string;
  merchant: string;
  /** Of how many orders. */
  orders: number;
  /** Of which orders; left out of lists. */
  shares?: Array<SettlementShareView> | null;
  /** 2203 of the merchant. */
  to: string;
  voucher: string;
}

/** List settlements. GET /v1/settlements */
export function settlementList(api: Api, options: Reading & { merchant?: string; from?: string; to?: string; limit?: number; cursor?: string; min_position?: number } = {}): Promise<PageView_SettlementView> {
  return api.call("GET", `/v1/settlements`, ["merchant", "from", "to", "limit", "cursor", "min_position"], undefined, options);
}

/** Settle a merchant. POST /v1/settlements */
export function settlementSettle(api: Api, body: NewSettlement, options: Changing): Promise<SettlementView> {
  return api.call("POST", `/v1/settlements`, [], body, options);
}

/** What is due to merchants. GET /v1/settlements/due */
export function settlementDue(api: Api, options: Reading & { date?: string } = {}): Promise<DueView> {
  return api.call("GET", `/v1/settlements/due`, ["date"], undefined, options);
}

/** Look at a settlement. GET /v1/settlements/{id} */
export function settlementGet(api: Api, id: string, options: Reading = {}): Promise<SettlementView> {
  return api.call("GET", `/v1/settlements/${encodeURIComponent(id)}`, [], undefined, options);
}

