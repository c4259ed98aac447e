// Generated from docs/openapi.json by `cargo xtask clients`: do not edit.

import type { Api, Reading } from "../runtime.js";

/** A receipt as its holder has it. */
export interface HeldReceipt {
  /** As it was issued, byte by byte. */
  content: string;
  serial_no: string;
  signature: string;
}

/** A side of it. */
export interface Party {
  /** An account here, or the masked number of one elsewhere. */
  account?: string | null;
  /** A person's name is masked. */
  name: string;
}

/** What a receipt says. Amounts are minor units. */
export interface ReceiptContent {
  /** The order of a refund or split, the transaction that a card transaction is about, either of a chargeback. */
  about?: string | null;
  amount: number;
  /** When it was done; of an advance, when it was sent. */
  at: string;
  currency: string;
  /** What the payer paid beside it, got back beside it of a refund, or kept of an advance. */
  fee: number;
  form: string;
  /** `order`, `refund`, `payout`, `withdrawal`, `deduction`, `top_up`, `transfer`, `settlement`, `advance`, `split`, `split_return`, `chargeback`, or a kind of card transaction. */
  kind: string;
  /** The merchant's own number of it. */
  number?: string | null;
  /** The object's id; of a split, with a hyphen, its receiver or the voucher of its return. */
  object: string;
  payee: Party;
  payer: Party;
  /** The channel's own reference; the network's case number of a chargeback. */
  reference?: string | null;
}

/** A receipt. */
export interface ReceiptView {
  /** What is signed, byte by byte: a JSON object. The same whenever it is asked for. */
  content: string;
  /** The SM3 of it, in hexadecimal. */
  digest: string;
  /** The content, read. */
  receipt: ReceiptContent;
  /** Of `GET /v1/platform-keys`: the key that verifies it. */
  serial_no: string;
  /** SM2 with SM3 over the content, DER in base64. */
  signature: string;
}

/** How an object stands. */
export interface Standing {
  /** What was given back, charged back or voided of it since, minor units. */
  given_back: number;
  /** As the object's own view has it. */
  status: string;
}

/** What is known of a receipt. */
export interface VerifiedReceipt {
  /** Whether the platform issued exactly this. If not, nothing else is said. */
  authentic: boolean;
  /** The SM3 of the content, in hexadecimal. */
  digest: string;
  now?: (Standing) | (null);
}

/** Verify an electronic receipt. POST /v1/receipts/verify */
export function receiptVerify(api: Api, body: HeldReceipt, options: Reading = {}): Promise<VerifiedReceipt> {
  return api.call("POST", `/v1/receipts/verify`, [], body, options);
}

/** Take the electronic receipt of an object (电子回单). GET /v1/receipts/{id} */
export function receiptGet(api: Api, id: string, options: Reading = {}): Promise<ReceiptView> {
  return api.call("GET", `/v1/receipts/${encodeURIComponent(id)}`, [], undefined, options);
}

/** Take an electronic receipt as a page to print. GET /v1/receipts/{id}/page */
export function receiptPage(api: Api, id: string, options: Reading = {}): Promise<unknown> {
  return api.call("GET", `/v1/receipts/${encodeURIComponent(id)}/page`, [], undefined, options);
}

/** Take an electronic receipt as a PDF. GET /v1/receipts/{id}/pdf */
export function receiptPdf(api: Api, id: string, options: Reading = {}): Promise<unknown> {
  return api.call("GET", `/v1/receipts/${encodeURIComponent(id)}/pdf`, [], undefined, options);
}

/** Verify an electronic receipt by its QR code. GET /v1/receipts/{id}/verify */
export function receiptVerified(api: Api, id: string, options: Reading & { serial_no?: string; signature?: string } = {}): Promise<unknown> {
  return api.call("GET", `/v1/receipts/${encodeURIComponent(id)}/verify`, ["serial_no", "signature"], undefined, options);
}

