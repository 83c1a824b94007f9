// The declarations and the code say the same: this compiles only if each fits where the other is wanted.
import * as code from "../index.js";
import type * as declared from "../index.d.ts";

const checked: typeof declared = code;
export const stream: declared.Subscription = checked.subscribe({ hub: "https://hub.example", match: "a", onEvent: ({ data }) => data.trim() });
