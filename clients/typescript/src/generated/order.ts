// Generated from docs/openapi.json by `cargo xtask clients`: do not edit.

import type { Api, Changing, Reading } from "../runtime.js";
import type { Amount } from "./account.js";

/** A text that is taken encrypted alone. It is not printed. */
export type Encrypted = string;

/** One instrument's share of a try. */
export interface LegView {
  amount: Amount;
  /** The channel that carries it: called as its rail, or a further one of that; `balance` where none does. */
  channel: string;
  /** The clearing file's date that it was matched in; of a balance the day on which it paid. */
  cleared?: string | null;
  /** The clearing date that the network named. */
  clearing_date?: string | null;
  /** When the platform closes that batch by itself; nothing where the city's settings do not say. */
  cut_off?: string | null;
  /** Nobody paid at its page before that expired, or before the order was closed. */
  expired: boolean;
  /** Whose failure it was: `user`, `risk`, `bank` or `system`. */
  failure?: string | null;
  /** To whom the centre pays the batch: `reserve`, or `direct` for the landlord, which is a memo here. */
  fund_route?: string | null;
  id: string;
  /** The card's mask. */
  mask?: string | null;
  /** Its money lies where only a person can move it. */
  needs_person: boolean;
  /** The attempt whose answer it waits for. */
  open_attempt?: string | null;
  /** The month whose batch it waits for, or was in. */
  period?: string | null;
  /** `epcc`, `unionpay`, `fund` or `pingan`; `balance` where no channel carries it. */
  rail: string;
  /** Refunded, or on its way back. */
  refunded: Amount;
  /** `created`, `sent`, `held`, `captured`, `failed`, `unknown`, `released` or `reversed`. */
  status: string;
  /** The order's try, from 1. */
  try_number: number;
  /** `card`, `fund`, `redirect` or `balance`. */
  type: string;
}

/** What is bought. */
export interface NewOrder {
  /** The destination's currency. */
  currency: string;
  /** An agreement account in place of the merchant's own: then there is no fee and no settlement. */
  destination?: string | null;
  /** Until when it can be paid: after now, and at most 31 days from it; for ever unless said. Then it is closed, or, while a try is under way, once its channel has said what became of it; a payment that the channel tells of before that pays it. */
  expires_at?: string | null;
  /** What pays it at once, as in `POST /v1/orders/{id}/pay`: the order is created and its first try begun, or neither. */
  instruments?: Array<WireInstrument>;
  /** 1 to 20 lines. */
  items: Array<OrderItem>;
  /** Who sells, and is paid. A merchant creates its own orders and may leave it out. */
  merchant?: string | null;
  /** The merchant's own number, 1 to 64 bytes, never used before. */
  out_trade_no: string;
  pay_password?: (Encrypted) | (null);
  /** The user who pays. */
  payer: string;
  /** How many tries it may take, 1 to 9; 3 unless said. */
  tries_allowed?: number | null;
}

/** A line of an order. */
export interface OrderItem {
  /** Minor units above zero. */
  amount: Amount;
  /** `rent`, `deposit`, `service_fee`, `commission`, `earnest_money` or `house_price`. */
  kind: string;
}

/** An order. */
export interface OrderView {
  /** What may be done with it now. */
  allowed_actions: Array<string>;
  /** Σ items. */
  amount: Amount;
  /** Why it was closed unpaid: `requested`, `expired`, or `page_expired` (nobody paid at the last try's page before it expired). */
  close_reason?: string | null;
  /** It is to be closed, and still waits for its channel to say that nobody paid. */
  closing: boolean;
  created_at: string;
  currency: string;
  destination: string;
  /** From when on it may be settled; null until every leg is matched in a clearing file. */
  due?: string | null;
  ended_at?: string | null;
  /** Until when it can be paid; null for ever. */
  expires_at?: string | null;
  /** Whose failure the last failed try was: `user`, `risk`, `bank` or `system`. */
  failure?: string | null;
  /** The institution's fee. */
  fee: Amount;
  /** Who pays it: `merchant`, out of the amount, or `payer`, on top of it. */
  fee_payer: string;
  /** The version of the merchant's fee plan that gave it; null if that was its `fee_rate`, or if there is no fee. */
  fee_plan?: string | null;
  fee_returned: Amount;
  id: string;
  items: Array<OrderItem>;
  /** The legs of every try. */
  legs: Array<LegView>;
  merchant: string;
  /** What reaches the destination: payable − outside − fee. */
  net: Amount;
  out_trade_no: string;
  /** What a provident-fund centre paid the merchant directly: the institution did not carry it. */
  outside: Amount;
  /** What the payer pays, and the instruments of a try add up to: the amount, and the fee where it is on top. */
  payable: Amount;
  payer: string;
  /** Refunded, or on its way back. */
  refunded: Amount;
  settled: boolean;
  /** Who has what of it. */
  shares: Array<ShareView>;
  /** `created`, `paying`, `success`, `failed` or `closed`. */
  status: string;
  tries: number;
  tries_allowed: number;
  /** The voucher that credited the destination. */
  voucher?: string | null;
}

/** One page of a list. */
export interface PageView_OrderView {
  /** In the order of the ids. */
  data: Array<{
  /** What may be done with it now. */
  allowed_actions: Array<string>;
  /** Σ items. */
  amount: Amount;
  /** Why it was closed unpaid: `requested`, `expired`, or `page_expired` (nobody paid at the last try's page before it expired). */
  close_reason?: string | null;
  /** It is to be closed, and still waits for its channel to say that nobody paid. */
  closing: boolean;
  created_at: string;
  currency: string;
  destination: string;
  /** From when on it may be settled; null until every leg is matched in a clearing file. */
  due?: string | null;
  ended_at?: string | null;
  /** Until when it can be paid; null for ever. */
  expires_at?: string | null;
  /** Whose failure the last failed try was: `user`, `risk`, `bank` or `system`. */
  failure?: string | null;
  /** The institution's fee. */
  fee: Amount;
  /** Who pays it: `merchant`, out of the amount, or `payer`, on top of it. */
  fee_payer: string;
  /** The version of the merchant's fee plan that gave it; null if that was its `fee_rate`, or if there is no fee. */
  fee_plan?: string | null;
  fee_returned: Amount;
  id: string;
  items: Array<OrderItem>;
  /** The legs of every try. */
  legs: Array<LegView>;
  merchant: string;
  /** What reaches the destination: payable − outside − fee. */
  net: Amount;
  out_trade_no: string;
  /** What a provident-fund centre paid the merchant directly: the institution did not carry it. */
  outside: Amount;
  /** What the payer pays, and the instruments of a try add up to: the amount, and the fee where it is on top. */
  payable: Amount;
  payer: string;
  /** Refunded, or on its way back. */
  refunded: Amount;
  settled: boolean;
  /** Who has what of it. */
  shares: Array<ShareView>;
  /** `created`, `paying`, `success`, `failed` or `closed`. */
  status: string;
  tries: number;
  tries_allowed: number;
  /** The voucher that credited the destination. */
  voucher?: string | null;
}>;
  /** Where the next page begins; null on the last one. */
  next_cursor?: string | null;
  /** The journal position that the list shows. */
  position: number;
}

/** What one account has of an order's money. */
export interface ShareView {
  account: string;
  /** Below zero where a refund took more than the order had brought. */
  amount: Amount;
  /** Whose. */
  merchant: string;
  settled: boolean;
}

/** One instrument of a payment. */
export type WireInstrument = ({
  /** The agreement's number at the network `rail` (over `pingan`: `SUB-ACCOUNT-MEMBER`); never a card number. */
  agreement?: string | null;
  /** In place of `rail` and `agreement`: the agreement at each channel over which the card may pay, by the channel's name (`epcc`, `unionpay`, or a further one of theirs, such as `unionpay_acme`); the rules of routing choose. */
  agreements?: Record<string, string>;
  /** Minor units above zero; 0 for a card that stands by for a fund's shortfall. */
  amount: Amount;
  /** The first three digits of the bank's interbank number (联行号), where it is known. Of an agreement that was signed here the signing's counts. */
  bank?: string | null;
  /** A credit card pays no house price. Of an agreement that was signed here what its signing says counts. */
  credit?: boolean;
  /** The card as it may be shown: 6 + 4. */
  mask: string;
  /** `epcc`, `unionpay` or `pingan`: its first channel. */
  rail?: string | null;
  type: "card";
}) | ({
  /** Minor units above zero. */
  amount: Amount;
  /** The lease's number at the centre. */
  contract: string;
  /** Whether the centre holds money first; true unless said or `period` is. */
  holds?: boolean | null;
  /** The month of the rent, where the centre pays by its monthly batch: the payment waits for the batch of this month, and the card is asked for its part once the centre has paid. Where the city's settings say so it must be asked for before the month's cut-off (`fund_cut_off_passed`), and the centre is asked at once how much it would pay (`fund_over_quota`, `fund_lease_unknown`, `fund_months_too_few`, `fund_draws_used_up`). */
  period?: string | null;
  /** Whether the card pays what the centre does not pay: of a month's batch, or at once, where the channel's setting `in_part` says that the centre may pay a part. Name a card beside, with amount 0 if it pays nothing else. */
  shortfall_by_card?: boolean;
  type: "fund";
}) | ({
  /** Minor units above zero. */
  amount: Amount;
  /** `epcc` or `unionpay`; the rules of routing choose unless said, and always among several channels of one. */
  rail?: string | null;
  /** Where the payer's browser goes afterwards, `https://…` of at most 256 characters; the channel's setting unless said. */
  return_url?: string | null;
  type: "redirect";
}) | ({
  /** The payer's own account, 2201. */
  account: string;
  /** Minor units above zero. */
  amount: Amount;
  /** How the payer proved itself: `two_with_certificate`, `two` or `fewer`; `fewer` unless said. The day's limit follows from it. Only the institution may say more than `fewer`: a merchant has the payer's pay password, which is one factor. */
  factors?: string | null;
  type: "balance";
});

/** List orders. GET /v1/orders */
export function orderList(api: Api, options: Reading & { merchant?: string; out_trade_no?: string; payer?: string; status?: string; created_from?: string; created_to?: string; limit?: number; cursor?: string; min_position?: number } = {}): Promise<PageView_OrderView> {
  return api.call("GET", `/v1/orders`, ["merchant", "out_trade_no", "payer", "status", "created_from", "created_to", "limit", "cursor", "min_position"], undefined, options);
}

/** Create an order. POST /v1/orders */
export function orderCreate(api: Api, body: NewOrder, options: Changing & { wait?: number }): Promise<OrderView> {
  return api.call("POST", `/v1/orders`, ["wait"], body, options);
}

/** Look at an order. GET /v1/orders/{id} */
export function orderGet(api: Api, id: string, options: Reading & { wait?: number } = {}): Promise<OrderView> {
  return api.call("GET", `/v1/orders/${encodeURIComponent(id)}`, ["wait"], undefined, options);
}

/** Close an order that nobody will pay. POST /v1/orders/{id}/close */
export function orderClose(api: Api, id: string, options: Changing): Promise<OrderView> {
  return api.call("POST", `/v1/orders/${encodeURIComponent(id)}/close`, [], undefined, options);
}

