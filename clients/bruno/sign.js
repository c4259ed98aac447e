// Signs a request as docs/api/signing.md says, with an API secret: what collection.bru runs before each call.

const crypto = require("crypto");

function authorization({ id, serial = "1", secret, method, target, body, timestamp, nonce }) {
  const text = `${method}\n${target}\n${timestamp}\n${nonce}\n${body}\n`;
  const signature = crypto.createHmac("sm3", Buffer.from(secret, "hex")).update(text, "utf8").digest("base64");
  return `LINTEL-HMAC-SM3 mch_id="${id}",nonce="${nonce}",timestamp="${timestamp}",serial_no="${serial}",signature="${signature}"`;
}

// Path and query as they stand in the request line.
function target(url) {
  const { pathname, search } = new URL(url);
  return pathname + search;
}

function signed({ id, serial, secret, method, url, body }) {
  const timestamp = Math.floor(Date.now() / 1000);
  const nonce = crypto.randomBytes(16).toString("hex");
  return authorization({ id, serial, secret, method, target: target(url), body, timestamp, nonce });
}

module.exports = { authorization, signed, target };
