/** What supervisor and engine process tell each other. */
import type { EngineSettings } from "./settings.ts";

export type ToChild = { type: "start"; settings: EngineSettings } | { type: "stop" };

export type FromChild =
	| { type: "listening"; port: number; version: string }
	/** `code` is an errno name, or `DATA_FOLDER_IN_USE`. */
	| { type: "failed"; code: string | undefined; message: string };
