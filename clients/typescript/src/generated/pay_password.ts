// Generated from docs/openapi.json by `cargo xtask clients`: do not edit.

import type { Api, Changing, Reading } from "../runtime.js";
import type { Encrypted } from "./order.js";

/** A pay password to be compared. */
export interface BroughtPayPassword {
  /** Encrypted. */
  password: Encrypted;
}

/** A pay password in place of another. */
export interface ChangedPayPassword {
  /** As it is unless said. */
  agreements?: boolean | null;
  /** The one that is right now, encrypted. */
  old: Encrypted;
  /** Six digits, encrypted. */
  password: Encrypted;
}

/** A pay password to be set. */
export interface NewPayPassword {
  /** Whether payments by agreement ask for it too; payments from the balance always do. */
  agreements?: boolean | null;
  /** Six digits, encrypted. */
  password: Encrypted;
}

/** How a user's pay password stands. */
export interface PayPasswordView {
  /** Whether payments by agreement ask for it too. */
  agreements: boolean;
  /** What may be done with it now. */
  allowed_actions: Array<string>;
  /** Until when no try is taken. */
  locked_until?: string | null;
  set_at: string;
  /** Wrong tries that are left before it is locked. */
  tries_left: number;
  user: string;
  /** How often it was set, changed or reset. */
  version: number;
}

/** A pay password whose user forgot it. */
export interface ResetPayPassword {
  /** As it is unless said. */
  agreements?: boolean | null;
  /** Six digits, encrypted. */
  password: Encrypted;
  /** The agreement that the user just signed: the bank compared name, certificate, card and phone within fifteen minutes. Without it the institution vouches for the user. */
  sign_up?: string | null;
}

/** Look at how a user's pay password stands. GET /v1/users/{id}/pay-password */
export function payPasswordGet(api: Api, id: string, options: Reading = {}): Promise<PayPasswordView> {
  return api.call("GET", `/v1/users/${encodeURIComponent(id)}/pay-password`, [], undefined, options);
}

/** Set a user's pay password. POST /v1/users/{id}/pay-password */
export function payPasswordSet(api: Api, id: string, body: NewPayPassword, options: Changing): Promise<PayPasswordView> {
  return api.call("POST", `/v1/users/${encodeURIComponent(id)}/pay-password`, [], body, options);
}

/** Change a user's pay password. POST /v1/users/{id}/pay-password/change */
export function payPasswordChange(api: Api, id: string, body: ChangedPayPassword, options: Changing): Promise<PayPasswordView> {
  return api.call("POST", `/v1/users/${encodeURIComponent(id)}/pay-password/change`, [], body, options);
}

/** Reset a user's pay password. POST /v1/users/{id}/pay-password/reset */
export function payPasswordReset(api: Api, id: string, body: ResetPayPassword, options: Changing): Promise<PayPasswordView> {
  return api.call("POST", `/v1/users/${encodeURIComponent(id)}/pay-password/reset`, [], body, options);
}

/** Compare a pay password. POST /v1/users/{id}/pay-password/verify */
export function payPasswordVerify(api: Api, id: string, body: BroughtPayPassword, options: Reading = {}): Promise<PayPasswordView> {
  return api.call("POST", `/v1/users/${encodeURIComponent(id)}/pay-password/verify`, [], body, options);
}

