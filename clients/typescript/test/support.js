// What the tests share: the compiled client, the keys of fixtures/signing, the vectors of docs/api/signing.md.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const root = new URL("../../../", import.meta.url);
// Where it was compiled to, if not here.
const dist = process.env.LINTEL_CLIENT ? pathToFileURL(`${process.env.LINTEL_CLIENT}/`) : new URL("../dist/", import.meta.url);

/** A module of the compiled client. */
export const client = (name) => import(new URL(name, dist).href);

/** A key in PEM. */
export const key = (name) => readFileSync(new URL(`fixtures/signing/${name}.pem`, root), "utf8");

/** The strings to sign and their signatures by a kind of key. */
export function vectors(kind) {
  const document = readFileSync(new URL("docs/api/signing.md", root), "utf8");
  const rows = document.split("\n").map((line) => line.match(/^\| `(.*)` \| (\w+) \| `(.*)` \|$/));
  const found = rows.filter((row) => row && row[2] === kind && !row[3].startsWith("encrypted:"));
  return found.map(([, text, , signature]) => [text.replaceAll("\\n", "\n"), signature]);
}
