import type { Retention } from "../../schema/retention.ts";

/** Nothing expires, so that a test may be about any date. */
export const NO_EXPIRY: Retention = { metrics_days: 20_000, logs_days: 20_000, events_days: 20_000 };
