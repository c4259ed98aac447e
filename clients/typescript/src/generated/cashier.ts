// Generated from docs/openapi.json by `cargo xtask clients`: do not edit.

import type { Api, Reading } from "../runtime.js";

/** A session that was opened. */
export interface CashierSessionView {
  expires_at: string;
  order: string;
  /** For the order's payer alone: whoever has it can pay as the payer does. The platform keeps no copy. */
  token: string;
}

/** How a session is to be. */
export interface NewCashierSession {
  /** How long it lasts: 60 to 86,400 seconds, 1,800 unless said. */
  expires_in_seconds?: number | null;
}

/** Open a cashier session. POST /v1/orders/{id}/cashier-sessions */
export function cashierOpen(api: Api, id: string, body: NewCashierSession, options: Reading = {}): Promise<CashierSessionView> {
  return api.call("POST", `/v1/orders/${encodeURIComponent(id)}/cashier-sessions`, [], body, options);
}

