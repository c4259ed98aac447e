// Generated from docs/openapi.json by `cargo xtask clients`: do not edit.

import type { Api, Changing, Reading } from "../runtime.js";
import type { Encrypted } from "./order.js";
import type { PayoutFailureView } from "./payout.js";

/** Who to check. The elements are taken encrypted alone. */
export interface NewRealNameCheck {
  /** The card's number. */
  account: Encrypted;
  /** The bank's interbank number (联行号), 12 digits. */
  bank: string;
  /** The number of the person's certificate: the user's registered one. */
  certificate: Encrypted;
  /** Whether it is a credit card. */
  credit?: boolean;
  /** The person's name: the user's registered one. */
  name: Encrypted;
  phone?: (Encrypted) | (null);
  /** The network: `epcc` unless said. */
  rail?: string | null;
  /** The user. */
  user: string;
}

/** One page of a list. */
export interface PageView_RealNameCheckView {
  /** In the order of the ids. */
  data: Array<{
  /** The card's mask. */
  account: string;
  bank: string;
  credit: boolean;
  /** How many elements are compared: 3 or 4. */
  elements: number;
  /** When the answer came. */
  ended_at?: string | null;
  failure?: (PayoutFailureView) | (null);
  id: string;
  /** The merchant that asked; none: the institution. */
  merchant?: string | null;
  /** The phone's mask; null where three elements are compared. */
  phone?: string | null;
  rail: string;
  requested_at: string;
  /** The serial number that the channel knows it by. */
  serial: string;
  /** `requested`, `unknown`, `matched`, `mismatched`, `failed` or `not_found`. In `requested` and `unknown` the answer is still to come: that is no failure. `failed` and `not_found` say nothing of the person. */
  status: string;
  user: string;
}>;
  /** Where the next page begins; null on the last one. */
  next_cursor?: string | null;
  /** The journal position that the list shows. */
  position: number;
}

/** A real-name check. */
export interface RealNameCheckView {
  /** The card's mask. */
  account: string;
  bank: string;
  credit: boolean;
  /** How many elements are compared: 3 or 4. */
  elements: number;
  /** When the answer came. */
  ended_at?: string | null;
  failure?: (PayoutFailureView) | (null);
  id: string;
  /** The merchant that asked; none: the institution. */
  merchant?: string | null;
  /** The phone's mask; null where three elements are compared. */
  phone?: string | null;
  rail: string;
  requested_at: string;
  /** The serial number that the channel knows it by. */
  serial: string;
  /** `requested`, `unknown`, `matched`, `mismatched`, `failed` or `not_found`. In `requested` and `unknown` the answer is still to come: that is no failure. `failed` and `not_found` say nothing of the person. */
  status: string;
  user: string;
}

/** List real-name checks. GET /v1/real-name-checks */
export function realNameCheckList(api: Api, options: Reading & { merchant?: string; user?: string; status?: string; limit?: number; cursor?: string; min_position?: number } = {}): Promise<PageView_RealNameCheckView> {
  return api.call("GET", `/v1/real-name-checks`, ["merchant", "user", "status", "limit", "cursor", "min_position"], undefined, options);
}

/** Check a person's real name (实名核验). POST /v1/real-name-checks */
export function realNameCheckRequest(api: Api, body: NewRealNameCheck, options: Changing & { wait?: number }): Promise<RealNameCheckView> {
  return api.call("POST", `/v1/real-name-checks`, ["wait"], body, options);
}

/** Look at a real-name check. GET /v1/real-name-checks/{id} */
export function realNameCheckGet(api: Api, id: string, options: Reading & { wait?: number } = {}): Promise<RealNameCheckView> {
  return api.call("GET", `/v1/real-name-checks/${encodeURIComponent(id)}`, ["wait"], undefined, options);
}

