// Generated from docs/openapi.json by `cargo xtask clients`: do not edit.

import type { Api, Changing, Reading } from "../runtime.js";

/** A serial number of a secret. */
export interface ApiKeyView {
  /** Who made it, or ended it. */
  by?: string | null;
  /** When it signs no more; none of the newest. */
  ends_at?: string | null;
  /** What `Authorization` names. */
  serial_no: string;
  /** Whether it signs now. */
  signs: boolean;
  /** Since when; of the first, when it was first rotated. */
  since?: string | null;
}

/** The serial numbers of a caller's secret. */
export interface ApiKeysView {
  data: Array<ApiKeyView>;
  mch_id: string;
}

/** Which one to end. */
export interface EndedSerial {
  /** The old one's serial number. */
  serial_no: number;
}

/** A secret that was made. */
export interface NewSecretView {
  mch_id: string;
  /** Until when the one before still signs. */
  previous_ends_at?: string | null;
  /** 64 hexadecimal digits. */
  secret: string;
  /** What `Authorization` names it by. */
  serial_no: string;
}

/** How to rotate. */
export interface Rotation {
  /** How long the present secret still signs beside the next one: 0 to 2,592,000, seven days unless said. */
  overlap_seconds?: number | null;
}

/** Look at the serial numbers of a secret. GET /v1/api-keys/{id} */
export function apiKeyGet(api: Api, id: string, options: Reading = {}): Promise<ApiKeysView> {
  return api.call("GET", `/v1/api-keys/${encodeURIComponent(id)}`, [], undefined, options);
}

/** End an old secret at once. POST /v1/api-keys/{id}/end */
export function apiKeyEnd(api: Api, id: string, body: EndedSerial, options: Changing): Promise<ApiKeysView> {
  return api.call("POST", `/v1/api-keys/${encodeURIComponent(id)}/end`, [], body, options);
}

/** Rotate a secret. POST /v1/api-keys/{id}/rotate */
export function apiKeyRotate(api: Api, id: string, body: Rotation, options: Changing): Promise<NewSecretView> {
  return api.call("POST", `/v1/api-keys/${encodeURIComponent(id)}/rotate`, [], body, options);
}

