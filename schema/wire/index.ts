export * from "./analytics.ts";
export * from "./common.ts";
export * from "./conventions.ts";
export * from "./databases.ts";
export * from "./errors.ts";
export * from "./federated.ts";
export * from "./ingest.ts";
export * from "./monitoring.ts";
