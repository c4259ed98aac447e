// What the client does without any package, against the vectors of docs/api/signing.md and a platform that loses answers, refuses and
// is forged. `cargo xtask test` runs it where Node is; by hand: `npm install && npm test`.

import assert from "node:assert";
import { createHmac, createSign, createVerify } from "node:crypto";
import { createServer } from "node:http";

import { client, key, vectors } from "./support.js";

const { API_VERSION, Api, ApiError, ForgedError, UnansweredError, encrypted, hmacSm3, orderCreate, orderList, receive, rows, stringToSign } =
  await client("index.js");

const SECRET = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const PATIENCE = { tries: 3, eachMs: 5_000, pauseMs: 1 };
const ORDER = { out_trade_no: "张三-1", payer: "usr_1", items: [{ kind: "rent", amount: 500000 }], currency: "CNY" };

// The vectors.
const shared = vectors("hmac");
assert.strictEqual(shared.length, 3);
for (const [text, signature] of shared) assert.strictEqual(hmacSm3(SECRET, text), signature);
const asked = ["POST", "/v1/orders?dry_run=false", 1767225600, "5K8264ILTKCH16CQ2502SI8ZNMTM67VS", '{"amount":500000,"currency":"CNY"}'];
assert.strictEqual(stringToSign(...asked), shared[0][0]);

const byRsa = (text) => createSign("RSA-SHA256").update(text, "utf8").sign(key("rsa.key"), "base64");
const rsaVectors = vectors("rsa");
assert.strictEqual(rsaVectors.length, 3);
for (const [text, signature] of rsaVectors) assert.strictEqual(byRsa(text), signature);

// A platform: each request that comes is answered by the next of `answers`.
let answers = [];
let requests = [];
const server = createServer(async (request, response) => {
  let body = "";
  request.setEncoding("utf8");
  for await (const part of request) body += part;
  requests.push({ method: request.method, url: request.url, headers: request.headers, body });
  const answer = answers.shift();
  if (answer === undefined) return request.socket.destroy();
  const [status, value, signer, headers = {}] = answer;
  const text = JSON.stringify(value);
  const [timestamp, nonce] = [String(Math.floor(Date.now() / 1000)), "7Q0d3nJr2gEo1yB4wT6uLs9xKvHcMzPa"];
  const signed = signer ? { "lintel-signature": signer(`${timestamp}\n${nonce}\n${text}\n`) } : {};
  response.writeHead(status, { "lintel-timestamp": timestamp, "lintel-nonce": nonce, "lintel-serial": signer === byRsa ? "PLATFORM-RSA-1" : "1", ...signed, ...headers });
  response.end(text);
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const base = `http://127.0.0.1:${server.address().port}`;
const scenario = (...next) => ([answers, requests] = [next, []]);
const LOST = undefined;

const bySecret = (text) => createHmac("sm3", Buffer.from(SECRET, "hex")).update(text, "utf8").digest("base64");
const AUTHORIZATION = /^(\S+) mch_id="([^"]+)",nonce="([^"]+)",timestamp="([^"]+)",serial_no="([^"]+)",signature="([^"]+)"$/;
/** Scheme, caller, nonce, time, serial number and signature of a request, and what the signature is over. */
function read({ method, url, headers, body }) {
  const [, scheme, id, nonce, timestamp, serial, signature] = headers.authorization.match(AUTHORIZATION);
  return { scheme, id, nonce, timestamp: Number(timestamp), serial, signature, text: `${method}\n${url}\n${timestamp}\n${nonce}\n${body}\n` };
}

try {
  const api = new Api(base, { id: "mch_3", secret: SECRET }, new Map(), PATIENCE);

  // Lost, then overloaded, then done: the same body under the same key three times, each signed anew.
  scenario(LOST, [503, { error: {} }, bySecret, { "retry-after": "0" }], [200, { id: "ord_7" }, bySecret]);
  assert.deepStrictEqual(await orderCreate(api, ORDER, { key: "order-1", wait: 5 }), { id: "ord_7" });
  assert.deepStrictEqual(requests.map((request) => request.body), Array(3).fill(JSON.stringify(ORDER)));
  for (const request of requests) {
    const { scheme, id, serial, signature, text } = read(request);
    assert.deepStrictEqual([scheme, id, serial, signature], ["LINTEL-HMAC-SM3", "mch_3", "1", bySecret(text)]);
    assert.deepStrictEqual([request.method, request.url], ["POST", "/v1/orders?wait=5"]);
    assert.deepStrictEqual([request.headers["idempotency-key"], request.headers["lintel-version"]], ["order-1", API_VERSION]);
  }
  assert.strictEqual(new Set(requests.map((request) => read(request).nonce)).size, 3);

  // Signed before the platform's start, and not signed in return: signed anew, with a new time and nonce, under the same key.
  const putOff = [503, { error: { code: "signed_before_start", message: "sign it anew", param: "timestamp", request_id: null, retryable: true } }, null, { "retry-after": "0" }];
  scenario(putOff, [200, { id: "ord_7" }, bySecret]);
  const now = Date.now;
  let looks = 0;
  // A second goes by whenever somebody looks.
  Date.now = () => now() + 1000 * looks++;
  assert.deepStrictEqual(await orderCreate(api, ORDER, { key: "order-503" }), { id: "ord_7" });
  Date.now = now;
  assert.deepStrictEqual(requests.map((request) => request.headers["idempotency-key"]), ["order-503", "order-503"]);
  assert.strictEqual(requests[0].body, requests[1].body);
  const [first, second] = requests.map(read);
  assert.notStrictEqual(first.nonce, second.nonce);
  assert(first.timestamp < second.timestamp, `${first.timestamp} ${second.timestamp}`);
  for (const { signature, text } of [first, second]) assert.strictEqual(signature, bySecret(text));

  // A secret that was rotated is named by its serial number, and believed under that alone.
  const rotated = new Api(base, { id: "mch_3", serial: "2", secret: SECRET }, new Map(), PATIENCE);
  scenario([200, { id: "ord_7" }, bySecret, { "lintel-serial": "2" }], [200, { id: "ord_7" }, bySecret]);
  assert.deepStrictEqual(await orderCreate(rotated, ORDER, { key: "order-2nd" }), { id: "ord_7" });
  assert.deepStrictEqual([read(requests[0]).serial, read(requests[0]).signature], ["2", bySecret(read(requests[0]).text)]);
  await assert.rejects(orderCreate(rotated, ORDER, { key: "order-2nd" }), (error) => error instanceof ForgedError && /secret 1, but secret 2/.test(error.message));
  scenario([200, { id: "ord_7" }, bySecret, { "lintel-serial": "2" }]);
  await assert.rejects(orderCreate(api, ORDER, { key: "order-2nd" }), ForgedError);

  // Nobody answers: it may be done, and the caller is told so.
  scenario(LOST, LOST, LOST, [200, {}, bySecret]);
  await assert.rejects(orderCreate(api, ORDER, { key: "order-2" }), UnansweredError);
  assert.strictEqual(requests.length, 3);

  // What another one signed, and what nobody did, is not believed, good news and bad.
  for (const signer of [(text) => bySecret(`${text} `), null]) {
    for (const status of [200, 422]) {
      scenario([status, { id: "ord_7", error: {} }, signer]);
      await assert.rejects(orderCreate(api, ORDER, { key: "order-3" }), ForgedError);
      assert.strictEqual(requests.length, 1);
    }
  }

  // A refusal is one, and is not asked for again; "come back" is no refusal.
  const refusal = { code: "insufficient_funds", message: "too little", param: "amount", request_id: "req_1", retryable: false };
  scenario([422, { error: refusal }, bySecret]);
  await assert.rejects(orderCreate(api, ORDER, { key: "order-4" }), (error) => {
    assert(error instanceof ApiError);
    assert.deepStrictEqual([error.status, error.code, error.param, error.requestId], [422, "insufficient_funds", "amount", "req_1"]);
    return true;
  });
  assert.strictEqual(requests.length, 1);
  // So is one that no handler gave; unsigned, it is anybody's.
  for (const [status, code] of [[400, "ciphertext_invalid"], [400, "encryption_serial_unknown"], [400, "idempotency_key_malformed"], [404, "route_unknown"], [405, "method_not_allowed"]]) {
    const answer = { error: { ...refusal, code } };
    scenario([status, answer, bySecret], [status, answer, null]);
    const ask = () => orderCreate(api, ORDER, { key: "order-4" });
    await assert.rejects(ask(), (error) => error instanceof ApiError && error.status === status && error.code === code);
    await assert.rejects(ask(), ForgedError);
  }
  scenario([409, { error: { ...refusal, retryable: true } }, bySecret], [200, { id: "ord_8" }, bySecret]);
  assert.deepStrictEqual(await orderCreate(api, ORDER, { key: "order-5" }), { id: "ord_8" });

  // Whoever is not believed may be told so unsigned, and by anyone: the error says that it proves nothing.
  const forger = (text) => bySecret(`${text} `);
  for (const [signer, signed] of [[null, false], [forger, false], [bySecret, true]]) {
    scenario([401, { error: { ...refusal, code: "signature_key_unknown", message: "no such key" } }, signer]);
    await assert.rejects(orderCreate(api, ORDER, { key: "order-401" }), (error) => {
      assert(error instanceof ApiError);
      assert.deepStrictEqual([error.status, error.code, error.signed], [401, "signature_key_unknown", signed]);
      assert.strictEqual(error.message === "no such key", signed);
      assert.strictEqual(/not signed by the platform.*change no key/.test(error.message), !signed);
      return true;
    });
    assert.strictEqual(requests.length, 1);
  }
  // It ends the call, whatever it says of trying again; what is no refusal is not even that.
  scenario([401, { error: { ...refusal, retryable: true } }, null, { "retry-after": "0" }], [200, { id: "ord_9" }, bySecret]);
  await assert.rejects(orderCreate(api, ORDER, { key: "order-401" }), (error) => error instanceof ApiError && error.status === 401 && !error.signed);
  assert.strictEqual(requests.length, 1);
  for (const [status, signer] of [[401, null], [422, bySecret]]) {
    for (const none of [null, {}, { error: {} }]) {
      scenario([status, none, signer]);
      await assert.rejects(orderCreate(api, ORDER, { key: "order-401" }), ForgedError);
    }
  }

  // A list, page by page.
  scenario([200, { data: [{ id: "ord_1" }, { id: "ord_2" }], next_cursor: "a/b" }, bySecret], [200, { data: [{ id: "ord_3" }], next_cursor: null }, bySecret]);
  const found = [];
  for await (const row of rows((cursor) => orderList(api, { status: "success", cursor }))) found.push(row.id);
  assert.deepStrictEqual(found, ["ord_1", "ord_2", "ord_3"]);
  assert.deepStrictEqual(requests.map((request) => request.url), ["/v1/orders?status=success", "/v1/orders?status=success&cursor=a%2Fb"]);
  for (const request of requests) assert.strictEqual(read(request).signature, bySecret(read(request).text));

  // An RSA pair signs, and believes the platform's pair alone.
  const keys = new Map([["PLATFORM-RSA-1", key("rsa.pub")]]);
  const pair = new Api(base, { id: "mch_3", serial: "0A1B", privateKey: key("rsa.key") }, keys, PATIENCE);
  scenario([200, { id: "ord_7" }, byRsa]);
  assert.deepStrictEqual(await orderCreate(pair, ORDER, { key: "order-6" }), { id: "ord_7" });
  const { scheme, serial, signature, text } = read(requests[0]);
  assert.deepStrictEqual([scheme, serial], ["LINTEL-SHA256-RSA2048", "0A1B"]);
  assert(createVerify("RSA-SHA256").update(text, "utf8").verify(key("rsa.pub"), signature, "base64"));
  scenario([200, { id: "ord_7" }, bySecret, { "lintel-serial": "PLATFORM-RSA-1" }]);
  await assert.rejects(orderCreate(pair, ORDER, { key: "order-7" }), ForgedError);

  // A webhook by the platform's RSA key; an old one is not believed, and neither is one of a key that is not known.
  const told = (seconds, serial = "PLATFORM-RSA-1") => {
    const timestamp = String(Math.floor(Date.now() / 1000) + seconds);
    const signature = byRsa(`${timestamp}\nN1\n{"id":"whd_1_1"}\n`);
    const headers = { "lintel-timestamp": timestamp, "lintel-nonce": "N1", "lintel-serial": serial, "lintel-signature": signature };
    return receive(keys, (name) => headers[name], '{"id":"whd_1_1"}');
  };
  assert.deepStrictEqual(told(-200), { id: "whd_1_1" });
  assert.throws(() => told(-400), ForgedError);
  assert.throws(() => told(0, "PLATFORM-RSA-2"), ForgedError);

  // SM2 is another package's.
  assert.throws(() => encrypted({ serial_no: "P", scheme: "SM2-DER", public_key: key("sm2.pub") }, "张三"), /lintel-client\/sm2/);
} finally {
  server.closeAllConnections?.();
  server.close();
}
console.log("runtime: vectors, sending again, what is believed: ok");
