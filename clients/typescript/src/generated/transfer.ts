// Generated from docs/openapi.json by `cargo xtask clients`: do not edit.

import type { Api, Changing, Reading } from "../runtime.js";
import type { Amount } from "./account.js";
import type { Encrypted } from "./order.js";

/** What to transfer. */
export interface NewTransfer {
  /** Minor units above zero. */
  amount: Amount;
  /** Of both accounts. */
  currency: string;
  /** The payer's device, as the block list of devices names it. */
  device?: string | null;
  /** How the payer proved itself: `two_with_certificate`, `two` or `fewer`. The day's limit follows from it. */
  factors: string;
  /** The account that pays: 2201 or 2206. */
  from: string;
  /** What the payer writes with it, at most 128 bytes. */
  note?: string | null;
  /** The caller's own number of it, 1 to 64 bytes: a key beside the `Idempotency-Key`, and signed with the body. The same number with the same body gets the first answer. It is bound alone: no answer shows it. */
  out_transfer_no?: string | null;
  pay_password?: (Encrypted) | (null);
  /** The account that is paid: 2201 or 2206 of another owner. */
  to: string;
}

/** One page of a list. */
export interface PageView_TransferView {
  /** In the order of the ids. */
  data: Array<{
  /** Nothing: a transfer is final. */
  allowed_actions: Array<string>;
  amount: Amount;
  currency: string;
  /** `two_with_certificate`, `two` or `fewer`. */
  factors: string;
  from: string;
  id: string;
  made_at: string;
  note?: string | null;
  to: string;
  voucher: string;
}>;
  /** Where the next page begins; null on the last one. */
  next_cursor?: string | null;
  /** The journal position that the list shows. */
  position: number;
}

/** A transfer. */
export interface TransferView {
  /** Nothing: a transfer is final. */
  allowed_actions: Array<string>;
  amount: Amount;
  currency: string;
  /** `two_with_certificate`, `two` or `fewer`. */
  factors: string;
  from: string;
  id: string;
  made_at: string;
  note?: string | null;
  to: string;
  voucher: string;
}

/** List transfers. GET /v1/transfers */
export function transferList(api: Api, options: Reading & { from?: string; to?: string; made_from?: string; made_to?: string; limit?: number; cursor?: string; min_position?: number } = {}): Promise<PageView_TransferView> {
  return api.call("GET", `/v1/transfers`, ["from", "to", "made_from", "made_to", "limit", "cursor", "min_position"], undefined, options);
}

/** Transfer money to another holder's payment account (转账). POST /v1/transfers */
export function transferMake(api: Api, body: NewTransfer, options: Changing): Promise<TransferView> {
  return api.call("POST", `/v1/transfers`, [], body, options);
}

/** Look at a transfer. GET /v1/transfers/{id} */
export function transferGet(api: Api, id: string, options: Reading = {}): Promise<TransferView> {
  return api.call("GET", `/v1/transfers/${encodeURIComponent(id)}`, [], undefined, options);
}

