// Generated from docs/openapi.json by `cargo xtask clients`: do not edit.

import type { Api, Changing, Reading } from "../runtime.js";

/** A certificate (证件). */
export interface Certificate {
  /** Its number. */
  number: Personal;
  /** `resident_identity`, `passport`, `hong_kong_macao_permit`, `taiwan_permit`, `foreign_permanent_residence` or `unified_social_credit`. */
  type: string;
}

/** A customer; of personal data only what a mask shows. */
export interface CustomerView {
  /** What may be done with it now. */
  allowed_actions: Array<string>;
  /** The certificate number's mask. */
  certificate: string;
  id: string;
  /** `person` or `company`. */
  kind: string;
  /** The name's mask. */
  name: string;
  /** The phone number's mask. */
  phone?: string | null;
  verification?: (RealNameLevelView) | (null);
}

/** The customers of a batch, in its order. */
export interface CustomersView {
  data: Array<CustomerView>;
}

/** Who to register. */
export interface NewCustomer {
  /** The certificate that says so. */
  certificate: Certificate;
  /** `person` (自然人) or `company` (法人). */
  kind: string;
  /** The legal name. */
  name: Personal;
  phone?: (Personal) | (null);
}

/** Several to register. */
export interface NewCustomers {
  /** 1 to 500. */
  customers: Array<NewCustomer>;
}

/** One page of a list. */
export interface PageView_CustomerView {
  /** In the order of the ids. */
  data: Array<{
  /** What may be done with it now. */
  allowed_actions: Array<string>;
  /** The certificate number's mask. */
  certificate: string;
  id: string;
  /** `person` or `company`. */
  kind: string;
  /** The name's mask. */
  name: string;
  /** The phone number's mask. */
  phone?: string | null;
  verification?: (RealNameLevelView) | (null);
}>;
  /** Where the next page begins; null on the last one. */
  next_cursor?: string | null;
  /** The journal position that the list shows. */
  position: number;
}

/** A personal text on its way to the vault, in clear or encrypted. It is not printed. */
export type Personal = string;

/** The level to which a customer is verified. */
export interface RealNameLevelView {
  at: string;
  /** The real-name check that says so. */
  check: string;
  /** How many elements matched: 3 (name, certificate, card) or 4 (and phone). */
  elements: number;
  rail: string;
}

/** List customers. GET /v1/customers */
export function customerList(api: Api, options: Reading & { kind?: string; limit?: number; cursor?: string; min_position?: number } = {}): Promise<PageView_CustomerView> {
  return api.call("GET", `/v1/customers`, ["kind", "limit", "cursor", "min_position"], undefined, options);
}

/** Register a customer. POST /v1/customers */
export function customerRegister(api: Api, body: NewCustomer, options: Changing): Promise<CustomerView> {
  return api.call("POST", `/v1/customers`, [], body, options);
}

/** Register up to 500 customers. POST /v1/customers/batch */
export function customerRegisterBatch(api: Api, body: NewCustomers, options: Changing): Promise<CustomersView> {
  return api.call("POST", `/v1/customers/batch`, [], body, options);
}

/** Look at a customer. GET /v1/customers/{id} */
export function customerGet(api: Api, id: string, options: Reading = {}): Promise<CustomerView> {
  return api.call("GET", `/v1/customers/${encodeURIComponent(id)}`, [], undefined, options);
}

