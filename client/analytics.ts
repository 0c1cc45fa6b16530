// `client.analytics`: the routes of the analytics API as nested groups.
import type { SystemHealthAnswer, SystemLogsAnswer, SystemPerformanceAnswer } from "../schema/wire/index.ts";
import type { CallOptions, SystemHealthOptions, SystemLogsOptions, SystemPerformanceOptions } from "./options.ts";
import type { Transport } from "./transport.ts";

export class Analytics {
	readonly system: SystemAnalytics;

	constructor(transport: Transport) {
		this.system = new SystemAnalytics(transport);
	}
}

class SystemAnalytics {
	readonly #transport: Transport;

	constructor(transport: Transport) {
		this.#transport = transport;
	}

	/** `GET /analytics/system/health`. */
	health(options: SystemHealthOptions = {}, call: CallOptions = {}): Promise<SystemHealthAnswer> {
		return this.#transport.get("/analytics/system/health", { ...options }, call.signal);
	}

	/** `GET /analytics/system/performance`. */
	performance(options: SystemPerformanceOptions = {}, call: CallOptions = {}): Promise<SystemPerformanceAnswer> {
		return this.#transport.get("/analytics/system/performance", { ...options }, call.signal);
	}

	/** `GET /analytics/system/logs`. */
	logs(options: SystemLogsOptions = {}, call: CallOptions = {}): Promise<SystemLogsAnswer> {
		return this.#transport.get("/analytics/system/logs", { ...options }, call.signal);
	}
}
