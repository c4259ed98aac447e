// Generated from docs/openapi.json by `cargo xtask clients`: do not edit.

import type { Api, Changing, Reading } from "../runtime.js";
import type { Amount } from "./account.js";

/** A page of deliveries. */
export interface DeliveriesView {
  /** The newest first. */
  data: Array<DeliveryView>;
  /** Where the next page begins; null on the last one. */
  next_cursor?: string | null;
}

/** A delivery with its tries. */
export type DeliveryLogView = (DeliveryView) & ({
  /** The oldest first. */
  log: Array<DeliveryTryView>;
});

/** One try at a receiver. */
export interface DeliveryTryView {
  at: string;
  duration_ms: number;
  /** Why it was not taken: a few words, the first bytes of the answer among them, long numbers masked. Empty if it was. */
  error: string;
  /** From 1. */
  number: number;
  /** HTTP's status; null where no answer came. */
  status?: number | null;
}

/** One thing that a webhook is to be told, and how that stands. */
export interface DeliveryView {
  /** What is sent. */
  body: WebhookBody;
  /** When it was accepted or given up. */
  ended_at?: string | null;
  id: string;
  kind: string;
  /** When it is sent next, while it is ready. */
  next_at?: string | null;
  /** What it is about. */
  object: string;
  /** Since when it is outstanding; after 24 hours it is given up. */
  since?: string | null;
  /** `new`: not looked at yet. `ready`: sent at `next_at`. `behind`: an earlier one of the same object is outstanding. `accepted`: the receiver took it. `given_up`: it is sent no more. */
  state: string;
  /** How many tries were made. */
  tries: number;
}

/** Where a merchant is to be told what. */
export interface NewWebhook {
  /** By which of the platform's pairs deliveries are signed: `sm2_with_sm3` (unless said) or `sha256_rsa2048`. */
  algorithm?: string | null;
  /** `order.paid`, `order.failed`, `order.closed`, `refund.succeeded`, `refund.failed`, `payout.succeeded`, `payout.failed`, `payout.returned`, `settlement.made`, `top_up.succeeded`, `top_up.failed`, `transfer.made`, `card_transaction.approved`, `card_transaction.declined`, `card_transaction.reversed`, `advance.succeeded`, `advance.failed`, `advance.returned`. */
  kinds: Array<string>;
  /** `https://…`, in a sandbox also `http://…`; no password, no fragment. */
  url: string;
}

/** One page of a list. */
export interface PageView_WebhookView {
  /** In the order of the ids. */
  data: Array<{
  /** `sm2_with_sm3` or `sha256_rsa2048`. */
  algorithm: string;
  /** What may be done with it now. */
  allowed_actions: Array<string>;
  changed_at: string;
  changed_by: string;
  id: string;
  kinds: Array<string>;
  merchant: string;
  registered_at: string;
  registered_by: string;
  /** `enabled`, `disabled` or `removed`. */
  status: string;
  url: string;
}>;
  /** Where the next page begins; null on the last one. */
  next_cursor?: string | null;
  /** The journal position that the list shows. */
  position: number;
}

/** From when on. */
export interface Replay {
  /** Everything that happened then or later and was accepted or given up. */
  since: string;
}

/** What was replayed. */
export interface ReplayView {
  /** Deliveries that are outstanding again. */
  replayed: number;
}

/** What a webhook is told. */
export interface WebhookBody {
  /** The delivery: the same at every try, so that a receiver who got it twice knows. */
  id: string;
  kind: string;
  merchant: string;
  /** What it happened to, as it stood then. */
  object: WebhookObject;
  occurred_at: string;
  /** The event's position in the journal: of one object, a later event has a larger one. */
  position: number;
  webhook: string;
}

/** What of a webhook becomes otherwise; what is not named stays. */
export interface WebhookChange {
  /** As when it is registered. */
  algorithm?: string | null;
  /** `false` announces nothing more to it and keeps what is outstanding; `true` goes on with that. */
  enabled?: boolean | null;
  /** All of them, in place of the present ones. */
  kinds?: Array<string> | null;
  /** As when it is registered. */
  url?: string | null;
}

/** What something happened to. */
export type WebhookObject = ({
  /** Σ items. */
  amount: Amount;
  /** Why it was closed unpaid: `requested`, `expired`, or `page_expired` (nobody paid at the last try's page). */
  close_reason?: string | null;
  currency: string;
  /** Whose failure it was: `user`, `risk`, `bank` or `system`. */
  failure?: string | null;
  fee: Amount;
  id: string;
  /** The merchant's own number. */
  out_trade_no: string;
  /** What the payer pays: the amount, and the fee where it is on top. */
  payable: Amount;
  type: "order";
}) | ({
  amount: Amount;
  currency: string;
  id: string;
  order: string;
  /** The merchant's own number. */
  out_refund_no: string;
  /** What is with the payer: less than `amount` where a part of it failed. */
  refunded: Amount;
  type: "refund";
}) | ({
  account: string;
  amount: Amount;
  currency: string;
  /** Whose failure it was: `user`, `risk`, `bank` or `system`. */
  failure?: string | null;
  fee: Amount;
  id: string;
  /** `payout`, `withdrawal` or `deduction`. */
  payout_kind: string;
  type: "payout";
}) | ({
  amount: Amount;
  currency: string;
  date: string;
  id: string;
  type: "settlement";
}) | ({
  account: string;
  amount: Amount;
  currency: string;
  /** Whose failure it was: `user`, `risk`, `bank` or `system`. */
  failure?: string | null;
  id: string;
  /** Whether its money went to suspense, as the account took none any more. */
  suspended: boolean;
  type: "top_up";
}) | ({
  amount: Amount;
  currency: string;
  from: string;
  id: string;
  to: string;
  type: "transfer";
}) | ({
  amount: Amount;
  /** The network's answer (F39). */
  code?: string | null;
  currency: string;
  id: string;
  /** What it is about. */
  original?: string | null;
  terminal?: string | null;
  /** `sale`, `void`, `refund`, … */
  transaction_kind: string;
  type: "card_transaction";
}) | ({
  /** What was unsettled of its orders. */
  amount: Amount;
  currency: string;
  /** Whose failure it was: `user`, `risk`, `bank` or `system`. */
  failure?: string | null;
  /** What the institution keeps of that: the rest is paid. */
  fee: Amount;
  id: string;
  type: "advance";
}) | ({
  id: string;
  type: "webhook";
});

/** Where a merchant is told what. */
export interface WebhookView {
  /** `sm2_with_sm3` or `sha256_rsa2048`. */
  algorithm: string;
  /** What may be done with it now. */
  allowed_actions: Array<string>;
  changed_at: string;
  changed_by: string;
  id: string;
  kinds: Array<string>;
  merchant: string;
  registered_at: string;
  registered_by: string;
  /** `enabled`, `disabled` or `removed`. */
  status: string;
  url: string;
}

/** Register a webhook. POST /v1/merchants/{id}/webhooks */
export function webhookRegister(api: Api, id: string, body: NewWebhook, options: Changing): Promise<WebhookView> {
  return api.call("POST", `/v1/merchants/${encodeURIComponent(id)}/webhooks`, [], body, options);
}

/** Look at a delivery. GET /v1/webhook-deliveries/{id} */
export function webhookDelivery(api: Api, id: string, options: Reading = {}): Promise<DeliveryLogView> {
  return api.call("GET", `/v1/webhook-deliveries/${encodeURIComponent(id)}`, [], undefined, options);
}

/** Tell a delivery again. POST /v1/webhook-deliveries/{id}/replay */
export function webhookReplay(api: Api, id: string, options: Reading = {}): Promise<DeliveryLogView> {
  return api.call("POST", `/v1/webhook-deliveries/${encodeURIComponent(id)}/replay`, [], undefined, options);
}

/** List webhooks. GET /v1/webhooks */
export function webhookList(api: Api, options: Reading & { merchant?: string; status?: string; limit?: number; cursor?: string; min_position?: number } = {}): Promise<PageView_WebhookView> {
  return api.call("GET", `/v1/webhooks`, ["merchant", "status", "limit", "cursor", "min_position"], undefined, options);
}

/** Look at a webhook. GET /v1/webhooks/{id} */
export function webhookGet(api: Api, id: string, options: Reading = {}): Promise<WebhookView> {
  return api.call("GET", `/v1/webhooks/${encodeURIComponent(id)}`, [], undefined, options);
}

/** Change a webhook. POST /v1/webhooks/{id}/change */
export function webhookChange(api: Api, id: string, body: WebhookChange, options: Changing): Promise<WebhookView> {
  return api.call("POST", `/v1/webhooks/${encodeURIComponent(id)}/change`, [], body, options);
}

/** List deliveries. GET /v1/webhooks/{id}/deliveries */
export function webhookDeliveries(api: Api, id: string, options: Reading & { state?: string; object?: string; limit?: number; cursor?: string } = {}): Promise<DeliveriesView> {
  return api.call("GET", `/v1/webhooks/${encodeURIComponent(id)}/deliveries`, ["state", "object", "limit", "cursor"], undefined, options);
}

/** Ping a webhook. POST /v1/webhooks/{id}/ping */
export function webhookPing(api: Api, id: string, options: Changing): Promise<WebhookView> {
  return api.call("POST", `/v1/webhooks/${encodeURIComponent(id)}/ping`, [], undefined, options);
}

/** Remove a webhook. POST /v1/webhooks/{id}/remove */
export function webhookRemove(api: Api, id: string, options: Changing): Promise<WebhookView> {
  return api.call("POST", `/v1/webhooks/${encodeURIComponent(id)}/remove`, [], undefined, options);
}

/** Tell a webhook everything again since a time. POST /v1/webhooks/{id}/replay */
export function webhookReplaySince(api: Api, id: string, body: Replay, options: Reading = {}): Promise<ReplayView> {
  return api.call("POST", `/v1/webhooks/${encodeURIComponent(id)}/replay`, [], body, options);
}

