// Generated from docs/openapi.json by `cargo xtask clients`: do not edit.

import type { Api, Changing, Reading } from "../runtime.js";
import type { Amount } from "./account.js";
import type { ShareView } from "./order.js";

/** What to give back. */
export interface NewRefund {
  /** Minor units above zero, at most what is left of the payment; of an order with the fee on top, of what was bought. */
  amount: Amount;
  /** What of which items goes back, together `amount`; the order as a whole unless said. */
  items?: Array<WireItemRefund>;
  /** What goes back to which leg, together `amount`; a fee on top goes back beside it, with the card. Of rent the fund first, of anything else the card, unless said. With `items` the fund gets what it would get without `legs`. */
  legs?: Array<WireLegRefund>;
  /** The merchant's own number, 1 to 64 bytes, never used before. */
  out_refund_no: string;
  /** Whether the fee is returned too, in proportion: inside `amount`, or beside it where the payer paid it on top. A fee plan with `on_refund` `returned` returns it without; with `kept` none may be asked for. */
  return_fee?: boolean;
  /** What receivers of splits return; in the order's return order unless said. */
  take_from?: Array<WireTaking>;
}

/** One page of a list. */
export interface PageView_RefundView {
  /** In the order of the ids. */
  data: Array<{
  /** What may be done about it now. */
  allowed_actions: Array<string>;
  /** What goes back to the payer, returned fee and all. */
  amount: Amount;
  created_at: string;
  currency: string;
  ended_at?: string | null;
  /** How much of it is returned fee. */
  fee: Amount;
  id: string;
  /** What of which items; the order as a whole if there are none. */
  items: Array<WireItemRefund>;
  /** `order`: the merchant gives it back. `useless`: no order can use it. */
  kind: string;
  order: string;
  /** Empty for money that no order can use. */
  out_refund_no: string;
  /** What goes back to which leg. */
  parts: Array<RefundPartView>;
  /** What receivers of splits returned for it. */
  returned: Array<ShareView>;
  /** `created`, `in_transit`, `success`, `failed` or `unknown`. A failed one is `success` later if its channel carried it out after all and its money could be taken again. */
  status: string;
  /** What reached the payer so far. */
  succeeded: Amount;
  /** What came back and could not go to the merchant: it waits for a person. */
  suspense: Amount;
}>;
  /** Where the next page begins; null on the last one. */
  next_cursor?: string | null;
  /** The journal position that the list shows. */
  position: number;
}

/** What goes back to one leg. */
export interface RefundPartView {
  amount: Amount;
  /** Nothing where no channel is asked: to a balance. */
  attempt?: string | null;
  /** How much of it is returned fee. */
  fee: Amount;
  /** What of which items it is; nothing if the refund names none, or was made before parts said so. */
  items: Array<WireItemRefund>;
  leg: string;
  /** `epcc`, `unionpay`, `fund` or `pingan`; `balance` where it went back to the payer's balance. */
  rail: string;
  /** As of the refund. */
  status: string;
}

/** A refund. */
export interface RefundView {
  /** What may be done about it now. */
  allowed_actions: Array<string>;
  /** What goes back to the payer, returned fee and all. */
  amount: Amount;
  created_at: string;
  currency: string;
  ended_at?: string | null;
  /** How much of it is returned fee. */
  fee: Amount;
  id: string;
  /** What of which items; the order as a whole if there are none. */
  items: Array<WireItemRefund>;
  /** `order`: the merchant gives it back. `useless`: no order can use it. */
  kind: string;
  order: string;
  /** Empty for money that no order can use. */
  out_refund_no: string;
  /** What goes back to which leg. */
  parts: Array<RefundPartView>;
  /** What receivers of splits returned for it. */
  returned: Array<ShareView>;
  /** `created`, `in_transit`, `success`, `failed` or `unknown`. A failed one is `success` later if its channel carried it out after all and its money could be taken again. */
  status: string;
  /** What reached the payer so far. */
  succeeded: Amount;
  /** What came back and could not go to the merchant: it waits for a person. */
  suspense: Amount;
}

/** What of an item goes back. */
export interface WireItemRefund {
  /** Minor units above zero, at most what is left of it. */
  amount: Amount;
  /** Its place in the order, from 0. */
  item: number;
}

/** What a leg gets back. */
export interface WireLegRefund {
  /** Minor units above zero, at most what it paid and has not got back. */
  amount: Amount;
  /** One of the legs that paid the order. */
  leg: string;
}

/** What one receiver of a split returns. */
export interface WireTaking {
  /** Minor units above zero. */
  amount: Amount;
  merchant: string;
}

/** Refund an order, all or a part. POST /v1/orders/{id}/refunds */
export function refundCreate(api: Api, id: string, body: NewRefund, options: Changing): Promise<RefundView> {
  return api.call("POST", `/v1/orders/${encodeURIComponent(id)}/refunds`, [], body, options);
}

/** List refunds. GET /v1/refunds */
export function refundList(api: Api, options: Reading & { order?: string; out_refund_no?: string; status?: string; created_from?: string; created_to?: string; limit?: number; cursor?: string; min_position?: number } = {}): Promise<PageView_RefundView> {
  return api.call("GET", `/v1/refunds`, ["order", "out_refund_no", "status", "created_from", "created_to", "limit", "cursor", "min_position"], undefined, options);
}

/** Look at a refund. GET /v1/refunds/{id} */
export function refundGet(api: Api, id: string, options: Reading = {}): Promise<RefundView> {
  return api.call("GET", `/v1/refunds/${encodeURIComponent(id)}`, [], undefined, options);
}

