// SM2 and what is encrypted, against the vectors of docs/api/signing.md and the openssl program (OpenSSL 3). `cargo xtask test` runs it where
// Node and the package are; by hand: `npm install && npm test`.

import assert from "node:assert";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { client, key, vectors } from "./support.js";

const { ForgedError, encrypted, receive, stringToSign, verify } = await client("index.js");
const { sm2 } = await client("sm2.js");
const [privateKey, publicKey] = [key("sm2.key"), key("sm2.pub")];
const folder = mkdtempSync(join(tmpdir(), "lintel-signing-"));
const file = (name, content) => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};
const openssl = (parameters) => execFileSync("openssl", parameters);

try {
  // The vectors' SM2 signatures verify, and those of another text do not.
  const known = vectors("sm2");
  assert.strictEqual(known.length, 3);
  for (const [text, signature] of known) {
    assert(sm2.verify(publicKey, text, signature), text);
    assert(!sm2.verify(publicKey, `${text} `, signature) && !sm2.verify(publicKey, text, "AAAA"));
  }
  // Ours, of Chinese text too, are openssl's.
  const text = stringToSign("POST", "/v1/orders?wait=5", 1767225600, "5K8264ILTKCH16CQ2502SI8ZNMTM67VS", '{"name":"张三"}');
  const signature = Buffer.from(sm2.sign(privateKey, text), "base64");
  const [message, told, pub] = [file("text", text), file("signature", signature), file("pub", publicKey)];
  openssl(["dgst", "-sm3", "-verify", pub, "-sigopt", "distid:1234567812345678", "-signature", told, message]);
  assert.throws(() => sm2.sign(publicKey, text) && sm2.verify(privateKey, text, ""));

  // An answer or webhook by the platform's SM2 key.
  const [timestamp, nonce, body] = [String(Math.floor(Date.now() / 1000)), "7Q0d3nJr2gEo1yB4wT6uLs9xKvHcMzPa", '{"id":"ord_7"}'];
  const headers = new Map([["lintel-timestamp", timestamp], ["lintel-nonce", nonce], ["lintel-serial", "PLATFORM-SM2-1"]]);
  headers.set("lintel-signature", sm2.sign(privateKey, `${timestamp}\n${nonce}\n${body}\n`));
  const keys = new Map([["PLATFORM-SM2-1", publicKey]]);
  const header = (name) => headers.get(name);
  assert.deepStrictEqual(receive(keys, header, body, sm2), { id: "ord_7" });
  assert.throws(() => verify(null, keys, header, `${body} `, sm2), ForgedError);

  // What is encrypted, openssl opens.
  for (const [scheme, name, more] of [
    ["SM2-DER", "sm2", []],
    ["RSA-OAEP-SHA256", "rsa", ["-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256", "-pkeyopt", "rsa_mgf1_md:sha256"]],
  ]) {
    const field = encrypted({ serial_no: "P", scheme, public_key: key(`${name}.pub`) }, "张三", sm2);
    const cipher = file("cipher", Buffer.from(field.slice("encrypted:".length), "base64"));
    const opened = openssl(["pkeyutl", "-decrypt", "-inkey", file("inkey", key(`${name}.key`)), "-in", cipher, ...more]);
    assert.strictEqual(opened.toString("utf8"), "张三", scheme);
  }
} finally {
  rmSync(folder, { recursive: true });
}
console.log("signing: vectors, openssl both ways, encryption: ok");
