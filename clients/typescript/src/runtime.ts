// What the generated calls stand on: signing, sending again under the same key, believing what is signed, pages, webhooks.
//
// Signs with an API secret (HMAC-SM3), an RSA pair, or an SM2 pair; encrypts fields for the platform. Node's own cryptography has no SM2
// with the platform's id: `sm2.ts` has it of another package, which only who uses SM2 needs. Else nothing but Node 18 or later is.

import { constants, createHmac, createPrivateKey, createSign, createVerify, publicEncrypt, randomBytes, timingSafeEqual } from "node:crypto";

/** The version of the API that this client was generated from, as it names it in each request (`Lintel-Version`). */
export const API_VERSION = "2026-11-29";

/** A caller with an API secret of 64 hexadecimal digits. */
export interface SecretCredential {
  id: string;
  secret: string;
  /** The serial number of the secret, once it was rotated: `serial_no` of the rotation's answer. `1` unless said. */
  serial?: string;
}

/** SM2 with SM3, under the id 1234567812345678. Keys are PEM; signatures and ciphertexts DER in base64. */
export interface Sm2 {
  sign(privateKey: string, text: string): string;
  verify(publicKey: string, text: string, signature: string): boolean;
  encrypt(publicKey: string, text: string): string;
}

/** A caller with a pair whose public half is registered under `serial`: RSA-2048, or SM2 where `sm2` is there. */
export interface PairCredential {
  id: string;
  serial: string;
  /** PKCS #8 in PEM. */
  privateKey: string;
  /** `sm2` of `lintel-client/sm2`. */
  sm2?: Sm2;
}

export type Credential = SecretCredential | PairCredential;

/** The platform's public keys in PEM, by serial number. */
export type PlatformKeyList = ReadonlyMap<string, string>;

/** How a call is made. */
export interface Reading {
  signal?: AbortSignal;
}

/** How a call that changes something is made. */
export interface Changing extends Reading {
  /** 1 to 128 visible ASCII characters, kept with what is asked: the same key is done once. */
  key: string;
  /** The serial number of the platform's key that fields of it were encrypted for, by {@link encrypted}. */
  encryption?: string;
}

/** A key of `GET /v1/platform-keys` that encrypts. */
export interface EncryptionKey {
  serial_no: string;
  /** `SM2-DER` or `RSA-OAEP-SHA256`. */
  scheme: string;
  /** PEM. */
  public_key: string;
}

/** How long a call goes on asking. */
export interface Patience {
  tries: number;
  eachMs: number;
  pauseMs: number;
}

/** The serial number of everyone's first API secret. */
const SECRET_SERIAL = "1";
const PATIENCE: Patience = { tries: 6, eachMs: 35_000, pauseMs: 200 };
const SKEW_MAX_SECONDS = 300;
const PAUSE_MAX_MS = 5_000;

const UNSIGNED =
  "it is not signed by the platform, so anyone between may have said it: change no key on its word alone, and ask again under the same key";

/** The platform said no; or, with status 401 and not `signed`, somebody did. That proves nothing, not even that nothing was done. */
export class ApiError extends Error {
  readonly name = "ApiError";
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly param: string | null,
    readonly requestId: string | null,
    readonly retryable: boolean,
    readonly signed = true,
  ) {
    super(signed ? message : `${message}; ${UNSIGNED}`);
  }
}

/** No answer came that can be believed: it may be done or not, so ask again under the same key. */
export class UnansweredError extends Error {
  readonly name = "UnansweredError";
}

/** Something is not signed by the platform. Nothing it says counts. */
export class ForgedError extends Error {
  readonly name = "ForgedError";
}

/** What the signature of a request is over. */
export function stringToSign(method: string, target: string, timestamp: number, nonce: string, body: string): string {
  return `${method}\n${target}\n${timestamp}\n${nonce}\n${body}\n`;
}

/** HMAC-SM3 in base64. */
export function hmacSm3(secretHex: string, text: string): string {
  return createHmac("sm3", Buffer.from(secretHex, "hex")).update(text, "utf8").digest("base64");
}

function authorization(credential: Credential, method: string, target: string, body: string): string {
  const [timestamp, nonce] = [Math.floor(Date.now() / 1000), randomBytes(16).toString("hex")];
  const text = stringToSign(method, target, timestamp, nonce, body);
  const [scheme, serial, signature] = signed(credential, text);
  return `${scheme} mch_id="${credential.id}",nonce="${nonce}",timestamp="${timestamp}",serial_no="${serial}",signature="${signature}"`;
}

function signed(credential: Credential, text: string): [scheme: string, serial: string, signature: string] {
  if ("secret" in credential) return ["LINTEL-HMAC-SM3", credential.serial ?? SECRET_SERIAL, hmacSm3(credential.secret, text)];
  const { serial, privateKey, sm2 } = credential;
  if (sm2) return ["LINTEL-SM2-WITH-SM3", serial, sm2.sign(privateKey, text)];
  const signature = createSign("RSA-SHA256").update(text, "utf8").sign(createPrivateKey(privateKey), "base64");
  return ["LINTEL-SHA256-RSA2048", serial, signature];
}

/** A field's text, encrypted for the platform. The call names the key: `{ encryption: key.serial_no }`. */
export function encrypted(key: EncryptionKey, text: string, sm2?: Sm2): string {
  if (key.scheme === "SM2-DER") {
    if (!sm2) throw new Error(`${key.serial_no} is an SM2 key: bring sm2 of lintel-client/sm2`);
    return `encrypted:${sm2.encrypt(key.public_key, text)}`;
  }
  if (key.scheme !== "RSA-OAEP-SHA256") throw new Error(`${key.serial_no} is for ${key.scheme}: it does not encrypt`);
  const rsa = { key: key.public_key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha256" };
  return `encrypted:${publicEncrypt(rsa, Buffer.from(text, "utf8")).toString("base64")}`;
}

type Headers = (name: string) => string | null | undefined;

/** What a refusal says. */
interface Refusal {
  code: string;
  message: string;
  param: string | null;
  request_id: string | null;
  retryable: boolean;
}

/** What one try brought. */
type Tried<T> = { value: T } | { again: string; afterMs?: number };

/** Checks time and signature of an answer or webhook, in SM2 where `sm2` is there. Throws {@link ForgedError}. */
export function verify(credential: Credential | null, keys: PlatformKeyList, header: Headers, body: string, sm2?: Sm2): void {
  const [timestamp, nonce] = [header("lintel-timestamp"), header("lintel-nonce")];
  const [serial, signature] = [header("lintel-serial"), header("lintel-signature")];
  if (!timestamp || !nonce || !serial || !signature) throw new ForgedError("it is not signed");
  if (Math.abs(Date.now() / 1000 - Number(timestamp)) > SKEW_MAX_SECONDS) throw new ForgedError("it is too old");
  const text = `${timestamp}\n${nonce}\n${body}\n`;
  if (credential && "secret" in credential) {
    const own = credential.serial ?? SECRET_SERIAL;
    if (serial !== own) throw new ForgedError(`it names secret ${serial}, but secret ${own} asked`);
    const [right, told] = [Buffer.from(hmacSm3(credential.secret, text)), Buffer.from(signature)];
    if (right.length !== told.length || !timingSafeEqual(right, told)) throw new ForgedError("another signature");
    return;
  }
  const key = keys.get(serial);
  if (!key) throw new ForgedError(`key ${serial} is not known: take GET /v1/platform-keys again`);
  const right = sm2 ? sm2.verify(key, text, signature) : createVerify("RSA-SHA256").update(text, "utf8").verify(key, signature, "base64");
  if (!right) throw new ForgedError("another signature");
}

/** What a webhook brought. */
export interface Delivery {
  id: string;
  webhook: string;
  merchant: string;
  kind: string;
  position: number;
  occurred_at: string;
  object: Record<string, unknown>;
}

/** Checks a delivery and reads it; the body is the text as it came. A webhook of algorithm `sha256_rsa2048`, or of SM2 where `sm2` is there. Throws {@link ForgedError}. */
export function receive(keys: PlatformKeyList, header: Headers, body: string, sm2?: Sm2): Delivery {
  verify(null, keys, header, body, sm2);
  return JSON.parse(body) as Delivery;
}

/** A caller of the platform. */
export class Api {
  constructor(
    readonly base: string,
    private readonly credential: Credential,
    private readonly keys: PlatformKeyList = new Map(),
    private readonly patience: Patience = PATIENCE,
  ) {}

  /** One call: signed, sent again under the same key while no answer can be believed. */
  async call<T>(
    method: "GET" | "POST",
    path: string,
    queries: readonly string[],
    body: unknown,
    options: Reading & Partial<Changing>,
  ): Promise<T> {
    const given = new Map<string, unknown>(Object.entries(options));
    const narrowed = queries.filter((name) => given.get(name) !== undefined);
    const query = new URLSearchParams(narrowed.map((name) => [name, String(given.get(name))])).toString();
    const target = query ? `${path}?${query}` : path;
    const text = body === undefined ? "" : JSON.stringify(body);
    let [pause, last] = [this.patience.pauseMs, "nothing"];
    for (let tries = 1; tries <= this.patience.tries; tries += 1) {
      const outcome = await this.once<T>(method, target, text, options);
      if ("value" in outcome) return outcome.value;
      last = outcome.again;
      if (tries === this.patience.tries) break;
      await new Promise((resolve) => setTimeout(resolve, Math.min(outcome.afterMs ?? pause, PAUSE_MAX_MS)));
      pause = Math.min(pause * 2, PAUSE_MAX_MS);
    }
    throw new UnansweredError(`no answer to ${method} ${path}: ${last}; it may be done or not`);
  }

  private async once<T>(
    method: string,
    target: string,
    body: string,
    options: Reading & Partial<Changing>,
  ): Promise<Tried<T>> {
    const headers: Record<string, string> = {
      accept: "application/json",
      authorization: authorization(this.credential, method, target, body),
      "lintel-version": API_VERSION,
    };
    if (body) headers["content-type"] = "application/json";
    if (options.key !== undefined) headers["idempotency-key"] = options.key;
    if (options.encryption !== undefined) headers["lintel-encryption-serial"] = options.encryption;
    options.signal?.throwIfAborted();
    let response: Response;
    let told: string;
    try {
      const signal = AbortSignal.timeout(this.patience.eachMs);
      response = await fetch(this.base + target, { method, headers, body: body || undefined, redirect: "error", signal });
      told = await response.text();
    } catch (error) {
      return { again: String(error) };
    }
    return this.believed<T>(response, told);
  }

  /** What an answer comes to. */
  private believed<T>(response: Response, told: string): Tried<T> {
    const { status, headers } = response;
    const after = headers.get("retry-after");
    const afterMs = after ? Number(after) * 1000 : undefined;
    // Signed or not, it proves nothing: the same question again.
    if (status >= 500) return { again: `status ${status}`, afterMs };
    const sm2 = "secret" in this.credential ? undefined : this.credential.sm2;
    let signed = true;
    try {
      verify(this.credential, this.keys, (name) => headers.get(name), told, sm2);
    } catch (error) {
      // Where the platform does not know the key it cannot sign with it.
      if (status !== 401) throw error;
      signed = false;
    }
    if (response.ok) return { value: JSON.parse(told) as T };
    const refusal = refusalOf(told);
    if (!refusal) throw new ForgedError(`status ${status} without a refusal in it`);
    // A 401 ends it whatever it says of trying again: it may be anybody's.
    if (refusal.retryable && status !== 401) return { again: refusal.message, afterMs };
    throw new ApiError(status, refusal.code, refusal.message, refusal.param, refusal.request_id, refusal.retryable, signed);
  }
}

function refusalOf(told: string): Refusal | undefined {
  try {
    const { error } = JSON.parse(told) as { error?: Refusal };
    return typeof error?.code === "string" && typeof error.message === "string" ? error : undefined;
  } catch {
    return undefined;
  }
}

/** Every row of a list: `for await (const order of rows((cursor) => orderList(api, { cursor })))`. */
export async function* rows<T>(
  page: (cursor: string | undefined) => Promise<{ data: T[]; next_cursor?: string | null }>,
): AsyncGenerator<T> {
  let cursor: string | undefined;
  do {
    const found = await page(cursor);
    yield* found.data;
    cursor = found.next_cursor ?? undefined;
  } while (cursor !== undefined);
}
