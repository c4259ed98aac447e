// Generated from docs/openapi.json by `cargo xtask clients`: do not edit.

import type { Api, Changing, Reading } from "../runtime.js";

/** An account. Amounts are minor units on the side on which its subject grows. */
export interface AccountView {
  /** The agreement whose account it is. */
  agreement?: string | null;
  /** What may be done with it now. */
  allowed_actions: Array<string>;
  /** What may go out now: less than balance, held and frozen leave if freezes of the customer, over all its accounts, leave less. */
  available: Amount;
  /** Posted. */
  balance: Amount;
  /** The book: RESERVE, OWN or CUSTODY. */
  book: string;
  currency: string;
  /** How many entries it has. */
  entries: number;
  /** What its own freezes bite on now. */
  frozen: Amount;
  /** What the freezes of its customer bite on in it now. */
  frozen_by_customer: Amount;
  /** Reserved to go out. */
  held: Amount;
  /** Announced to come in; never available. */
  held_in: Amount;
  id: string;
  /** No money comes in: the institution restricted it, or a freeze bars it. */
  in_barred: boolean;
  /** No money goes out: the institution restricted it, or a freeze bars it. */
  out_barred: boolean;
  /** `usr_…`, `mch_…` or `institution`. */
  owner: string;
  /** `open` or `closed`. */
  status: string;
  /** The subject's code; `GET /v1/subjects` lists them. */
  subject: number;
}

/** Whole minor units (分 for yuan), never a number with decimals. */
export type Amount = number;

/** What to open. */
export interface NewAccount {
  /** ISO 4217. */
  currency: string;
  /** May it go below zero? Never for 2201–2206. */
  overdraft?: boolean;
  /** `usr_…`, `mch_…` or `institution`. */
  owner: string;
  /** The subject's code: 2201, 2202, 2203, 2206, 2251 or 9201. */
  subject: number;
}

/** Accounts to open together. */
export interface NewAccounts {
  /** 1 to 10,000. */
  accounts: Array<NewAccount>;
}

/** Accounts that were opened together. */
export interface OpenedAccounts {
  /** How many. */
  count: number;
  /** The first; the others count up by one, in the order in which they were asked for. */
  first: string;
}

/** One page of a list. */
export interface PageView_AccountView {
  /** In the order of the ids. */
  data: Array<{
  /** The agreement whose account it is. */
  agreement?: string | null;
  /** What may be done with it now. */
  allowed_actions: Array<string>;
  /** What may go out now: less than balance, held and frozen leave if freezes of the customer, over all its accounts, leave less. */
  available: Amount;
  /** Posted. */
  balance: Amount;
  /** The book: RESERVE, OWN or CUSTODY. */
  book: string;
  currency: string;
  /** How many entries it has. */
  entries: number;
  /** What its own freezes bite on now. */
  frozen: Amount;
  /** What the freezes of its customer bite on in it now. */
  frozen_by_customer: Amount;
  /** Reserved to go out. */
  held: Amount;
  /** Announced to come in; never available. */
  held_in: Amount;
  id: string;
  /** No money comes in: the institution restricted it, or a freeze bars it. */
  in_barred: boolean;
  /** No money goes out: the institution restricted it, or a freeze bars it. */
  out_barred: boolean;
  /** `usr_…`, `mch_…` or `institution`. */
  owner: string;
  /** `open` or `closed`. */
  status: string;
  /** The subject's code; `GET /v1/subjects` lists them. */
  subject: number;
}>;
  /** Where the next page begins; null on the last one. */
  next_cursor?: string | null;
  /** The journal position that the list shows. */
  position: number;
}

/** List accounts. GET /v1/accounts */
export function accountList(api: Api, options: Reading & { owner?: string; subject?: string; status?: string; limit?: number; cursor?: string; min_position?: number } = {}): Promise<PageView_AccountView> {
  return api.call("GET", `/v1/accounts`, ["owner", "subject", "status", "limit", "cursor", "min_position"], undefined, options);
}

/** Open an account. POST /v1/accounts */
export function accountOpen(api: Api, body: NewAccount, options: Changing): Promise<AccountView> {
  return api.call("POST", `/v1/accounts`, [], body, options);
}

/** Open many accounts. POST /v1/accounts/batch */
export function accountOpenMany(api: Api, body: NewAccounts, options: Changing): Promise<OpenedAccounts> {
  return api.call("POST", `/v1/accounts/batch`, [], body, options);
}

/** Look at an account. GET /v1/accounts/{id} */
export function accountGet(api: Api, id: string, options: Reading = {}): Promise<AccountView> {
  return api.call("GET", `/v1/accounts/${encodeURIComponent(id)}`, [], undefined, options);
}

/** Close an account for ever. POST /v1/accounts/{id}/close */
export function accountClose(api: Api, id: string, options: Changing): Promise<AccountView> {
  return api.call("POST", `/v1/accounts/${encodeURIComponent(id)}/close`, [], undefined, options);
}

