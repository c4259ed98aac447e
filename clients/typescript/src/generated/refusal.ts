// Generated from docs/openapi.json by `cargo xtask clients`: do not edit.

import type { Api, Reading } from "../runtime.js";

/** A stable code of an error. */
export interface CodeView {
  code: string;
  meaning: string;
  /** Whether the business said no. Such a refusal may bind the request's key. */
  refusal: boolean;
  /** The status that it comes with. */
  status: number;
}

/** Every code. */
export interface CodesView {
  data: Array<CodeView>;
}

/** List the codes of errors. GET /v1/codes */
export function refusalCodes(api: Api, options: Reading = {}): Promise<CodesView> {
  return api.call("GET", `/v1/codes`, [], undefined, options);
}

