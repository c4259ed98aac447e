export * from "./runtime.js";
export * from "./generated/index.js";
