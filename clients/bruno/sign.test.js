// The vectors of docs/api/signing.md. `cargo xtask test` runs it where Node is.

const assert = require("assert");
const { authorization, signed, target } = require("./sign.js");

const secret = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const vectors = [
  ["POST", "/v1/orders?dry_run=false", 1767225600, "5K8264ILTKCH16CQ2502SI8ZNMTM67VS", '{"amount":500000,"currency":"CNY"}', "RAyzJshn6HJqvHy9hXnWs05y2Bs4YNwuuWYA+Vud6yY="],
  ["GET", "/v1/accounts/acc_42", 1767225601, "C380BEC2BFD727A4B6845133519F3AD6", "", "JKgD1N3hs2IHgK10vjHJjWSEAk+3iRDz/A2jk/loY70="],
];
for (const [method, path, timestamp, nonce, body, signature] of vectors) {
  const header = authorization({ id: "mch_3", secret, method, target: path, body, timestamp, nonce });
  assert.strictEqual(header, `LINTEL-HMAC-SM3 mch_id="mch_3",nonce="${nonce}",timestamp="${timestamp}",serial_no="1",signature="${signature}"`);
}
// A secret that was rotated is named by its serial number.
for (const [serial, named] of [[undefined, "1"], ["2", "2"]]) {
  assert(signed({ id: "mch_3", serial, secret, method: "GET", url: "http://a/b", body: "" }).includes(`,serial_no="${named}",`));
}
assert.strictEqual(target("http://127.0.0.1:7880/v1/orders?status=success"), "/v1/orders?status=success");
assert.notStrictEqual(signed({ id: "m", secret, method: "GET", url: "http://a/b", body: "" }), signed({ id: "m", secret, method: "GET", url: "http://a/b", body: "" }));
