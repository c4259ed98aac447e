// Generated from docs/openapi.json by `cargo xtask clients`: do not edit.

export * from "./account.js";
export * from "./api_key.js";
export * from "./cashier.js";
export * from "./certificate.js";
export * from "./customer.js";
export * from "./fee_plan.js";
export * from "./merchant.js";
export * from "./order.js";
export * from "./pay_password.js";
export * from "./payment.js";
export * from "./payout.js";
export * from "./real_name_check.js";
export * from "./receipt.js";
export * from "./receiver.js";
export * from "./refund.js";
export * from "./refusal.js";
export * from "./settlement.js";
export * from "./sign_up.js";
export * from "./split.js";
export * from "./statement.js";
export * from "./top_up.js";
export * from "./transfer.js";
export * from "./user.js";
export * from "./webhook.js";
