// Generated from docs/openapi.json by `cargo xtask clients`: do not edit.

import type { Api, Changing, Reading } from "../runtime.js";

/** Whose user to open, in which product. */
export interface NewUser {
  /** The customer. */
  customer: string;
  /** 1 to 64 bytes. */
  product: string;
}

/** One page of a list. */
export interface PageView_UserView {
  /** In the order of the ids. */
  data: Array<{
  /** What may be done with it now. */
  allowed_actions: Array<string>;
  customer: string;
  id: string;
  product: string;
}>;
  /** Where the next page begins; null on the last one. */
  next_cursor?: string | null;
  /** The journal position that the list shows. */
  position: number;
}

/** A user. */
export interface UserView {
  /** What may be done with it now. */
  allowed_actions: Array<string>;
  customer: string;
  id: string;
  product: string;
}

/** List users. GET /v1/users */
export function userList(api: Api, options: Reading & { customer?: string; product?: string; limit?: number; cursor?: string; min_position?: number } = {}): Promise<PageView_UserView> {
  return api.call("GET", `/v1/users`, ["customer", "product", "limit", "cursor", "min_position"], undefined, options);
}

/** Open a user. POST /v1/users */
export function userOpen(api: Api, body: NewUser, options: Changing): Promise<UserView> {
  return api.call("POST", `/v1/users`, [], body, options);
}

/** Look at a user. GET /v1/users/{id} */
export function userGet(api: Api, id: string, options: Reading = {}): Promise<UserView> {
  return api.call("GET", `/v1/users/${encodeURIComponent(id)}`, [], undefined, options);
}

