// Generated from docs/openapi.json by `cargo xtask clients`: do not edit.

import type { Api, Changing, Reading } from "../runtime.js";
import type { Amount } from "./account.js";
import type { Encrypted, OrderView, WireInstrument } from "./order.js";

/** A field of the form. */
export interface FieldView {
  name: string;
  value: string;
}

/** What the payer's browser posts. */
export interface FrontPageView {
  /** Where the form is posted to. */
  action: string;
  amount: Amount;
  attempt: string;
  /** The form's content type and character set. */
  content_type: string;
  currency: string;
  /** The channel takes no payment at its page later. */
  expires_at: string;
  /** Every field, in the order in which the HTML form has them. */
  fields: Array<FieldView>;
  /** `POST`. */
  method: string;
  /** The order that is paid there. */
  order?: string | null;
  /** The serial number that the channel knows the payment by. */
  serial: string;
  /** The top-up that is paid there. */
  top_up?: string | null;
}

/** What pays: Σ amounts = the order's `payable`. */
export interface Payment {
  /** At most one card or redirect, and one fund; or a balance alone. */
  instruments: Array<WireInstrument>;
  pay_password?: (Encrypted) | (null);
}

/** Fetch an order's front page. GET /v1/orders/{id}/front-page */
export function paymentGet(api: Api, id: string, options: Reading = {}): Promise<FrontPageView> {
  return api.call("GET", `/v1/orders/${encodeURIComponent(id)}/front-page`, [], undefined, options);
}

/** Pay an order. POST /v1/orders/{id}/pay */
export function paymentPay(api: Api, id: string, body: Payment, options: Changing & { wait?: number }): Promise<OrderView> {
  return api.call("POST", `/v1/orders/${encodeURIComponent(id)}/pay`, ["wait"], body, options);
}

