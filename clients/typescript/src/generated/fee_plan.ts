// Generated from docs/openapi.json by `cargo xtask clients`: do not edit.

import type { Api, Reading } from "../runtime.js";
import type { Amount } from "./account.js";

/** What amounts from one on pay. */
export interface FeeTier {
  fixed?: (Amount) | (null);
  /** Its least amount; 0 in the first tier. */
  from: Amount;
  /** In millionths of the whole amount: 0.60 % is 6000. */
  rate: number;
}

/** One page of a list. */
export interface PageView_FeePlanView {
  /** In the order of the ids. */
  data: Array<{
  /** Nothing: a later version takes its place. */
  allowed_actions: Array<string>;
  approver?: string | null;
  cap?: (Amount) | (null);
  /** The first accounting day on which it holds, until a later version does. */
  from: string;
  id: string;
  least?: (Amount) | (null);
  /** Whose; none where it is of the users of a product. */
  merchant?: string | null;
  /** What it prices: `order`, `payout` or `withdrawal`. */
  of: string;
  /** Of orders: `kept`, `returned` or `as_asked`: what becomes of the fee when the order is refunded. None for others. */
  on_refund?: string | null;
  /** Who proposed it. */
  operator: string;
  /** Of orders: `merchant`: the fee lies inside the order's amount. `payer`: it is paid on top. None for others: the account pays, beside the amount. */
  payer?: string | null;
  /** The product whose users pay it, where it is no merchant's. */
  product?: string | null;
  /** `half_up`, `down` or `up`. */
  rounding: string;
  set_at: string;
  tiers: Array<FeeTier>;
}>;
  /** Where the next page begins; null on the last one. */
  next_cursor?: string | null;
  /** The journal position that the list shows. */
  position: number;
}

/** List versions of what orders, payouts and withdrawals cost. GET /v1/fee-plans */
export function feePlanList(api: Api, options: Reading & { merchant?: string; limit?: number; cursor?: string; min_position?: number } = {}): Promise<PageView_FeePlanView> {
  return api.call("GET", `/v1/fee-plans`, ["merchant", "limit", "cursor", "min_position"], undefined, options);
}

