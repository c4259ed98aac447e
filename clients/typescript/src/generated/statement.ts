// Generated from docs/openapi.json by `cargo xtask clients`: do not edit.

import type { Api, Reading } from "../runtime.js";
import type { Amount } from "./account.js";

/** One entry of a statement. */
export interface LineView {
  amount: Amount;
  /** Opening and every line up to this one. */
  balance: Amount;
  /** The business number. */
  business: string;
  counterpart: string;
  date: string;
  /** The step of the business. */
  event: string;
  /** Its number within the account, from 1. */
  number: number;
  posted_at: string;
  /** `debit` or `credit`. */
  side: string;
  voucher: string;
}

/** A statement of one account. */
export interface StatementView {
  account: string;
  /** The balance at the end of `to`. */
  closing: Amount;
  /** How many lines there are on all pages. */
  count: number;
  currency: string;
  /** This page, by date and number. */
  data: Array<LineView>;
  from: string;
  next_cursor?: string | null;
  /** The balance at the end of the day before `from`. */
  opening: Amount;
  to: string;
}

/** Look at an account's statement (明细). GET /v1/accounts/{id}/statement */
export function statementGet(api: Api, id: string, options: Reading & { from?: string; to?: string; limit?: number; cursor?: string } = {}): Promise<StatementView> {
  return api.call("GET", `/v1/accounts/${encodeURIComponent(id)}/statement`, ["from", "to", "limit", "cursor"], undefined, options);
}

