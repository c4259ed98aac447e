// Generated from docs/openapi.json by `cargo xtask clients`: do not edit.

import type { Api, Changing, Reading } from "../runtime.js";

/** Who may receive. */
export interface NewReceiver {
  /** The most of one order's amount that it may have, over all splits, in millionths: 300000 is 30 %. All of it unless said. */
  max_share?: number | null;
  /** Another merchant. */
  receiver: string;
  /** What it is to the payee: `agent`, `store`, `headquarters`, `partner`, `service_provider`, `landlord`, `supplier` or `other`. */
  relation: string;
}

/** One page of a list. */
export interface PageView_ReceiverView {
  /** In the order of the ids. */
  data: Array<{
  /** What may be done with it now. */
  allowed_actions: Array<string>;
  id: string;
  /** The most of one order's amount, in millionths; none: all of it. */
  max_share?: number | null;
  /** Whose orders are split. */
  payee: string;
  /** Who receives. */
  receiver: string;
  registered_at: string;
  registered_by: string;
  /** What it is to the payee. */
  relation: string;
  removed_at?: string | null;
  removed_by?: string | null;
  /** `registered` or `removed`. */
  status: string;
}>;
  /** Where the next page begins; null on the last one. */
  next_cursor?: string | null;
  /** The journal position that the list shows. */
  position: number;
}

/** A receiver of splits. */
export interface ReceiverView {
  /** What may be done with it now. */
  allowed_actions: Array<string>;
  id: string;
  /** The most of one order's amount, in millionths; none: all of it. */
  max_share?: number | null;
  /** Whose orders are split. */
  payee: string;
  /** Who receives. */
  receiver: string;
  registered_at: string;
  registered_by: string;
  /** What it is to the payee. */
  relation: string;
  removed_at?: string | null;
  removed_by?: string | null;
  /** `registered` or `removed`. */
  status: string;
}

/** Register a receiver of splits. POST /v1/merchants/{id}/receivers */
export function receiverRegister(api: Api, id: string, body: NewReceiver, options: Changing): Promise<ReceiverView> {
  return api.call("POST", `/v1/merchants/${encodeURIComponent(id)}/receivers`, [], body, options);
}

/** List receivers of splits. GET /v1/receivers */
export function receiverList(api: Api, options: Reading & { payee?: string; receiver?: string; removed?: string; limit?: number; cursor?: string; min_position?: number } = {}): Promise<PageView_ReceiverView> {
  return api.call("GET", `/v1/receivers`, ["payee", "receiver", "removed", "limit", "cursor", "min_position"], undefined, options);
}

/** Look at a receiver of splits. GET /v1/receivers/{id} */
export function receiverGet(api: Api, id: string, options: Reading = {}): Promise<ReceiverView> {
  return api.call("GET", `/v1/receivers/${encodeURIComponent(id)}`, [], undefined, options);
}

/** Remove a receiver of splits. POST /v1/receivers/{id}/remove */
export function receiverRemove(api: Api, id: string, options: Changing): Promise<ReceiverView> {
  return api.call("POST", `/v1/receivers/${encodeURIComponent(id)}/remove`, [], undefined, options);
}

