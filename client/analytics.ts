// `client.analytics`: the routes of the analytics API as nested groups.
import type {
	AiConversationsAnswer,
	AiPerformanceAnswer,
	BusinessCustomersAnswer,
	BusinessRevenueAnswer,
	CustomReportAnswer,
	CustomReportCreated,
	FederatedParticipantsAnswer,
	FederatedPrivacyAnswer,
	FederatedTrainingAnswer,
	NewCustomReport,
	SystemHealthAnswer,
	SystemLogsAnswer,
	SystemPerformanceAnswer,
	UsageFeaturesAnswer,
	UsageOverviewAnswer,
	UsageUsersAnswer,
} from "../schema/wire/index.ts";
import type {
	AiConversationsOptions,
	AiPerformanceOptions,
	BusinessCustomersOptions,
	BusinessRevenueOptions,
	CallOptions,
	FederatedOptions,
	SystemHealthOptions,
	SystemLogsOptions,
	SystemPerformanceOptions,
	UsageFeaturesOptions,
	UsageOverviewOptions,
	UsageUsersOptions,
} from "./options.ts";
import type { WebSocketClass } from "./socket-stream.ts";
import type { LiveStream } from "./stream.ts";
import { type RealtimeOptions, type RealtimeUpdate, realtime } from "./streams.ts";
import type { Transport } from "./transport.ts";

export class Analytics {
	readonly system: SystemAnalytics;
	readonly usage: UsageAnalytics;
	readonly ai: AiAnalytics;
	readonly business: BusinessAnalytics;
	readonly federated: FederatedAnalytics;
	readonly reports: ReportAnalytics;

	readonly #transport: Transport;
	readonly #WebSocket: WebSocketClass | undefined;

	constructor(transport: Transport, WebSocket: WebSocketClass | undefined) {
		this.#transport = transport;
		this.#WebSocket = WebSocket;
		this.system = new SystemAnalytics(transport);
		this.usage = new UsageAnalytics(transport);
		this.ai = new AiAnalytics(transport);
		this.business = new BusinessAnalytics(transport);
		this.federated = new FederatedAnalytics(transport);
		this.reports = new ReportAnalytics(transport);
	}

	/**
	 * `WS /ws/analytics/realtime`: metrics and alerts as they come in, each in a message of its own. Where there is no WebSocket (in
	 * Node before 22, unless the client was given one) the same metrics come as server-sent events, without alerts.
	 */
	realtime(options: RealtimeOptions = {}, call: CallOptions = {}): LiveStream<RealtimeUpdate> {
		return realtime(this.#transport, this.#WebSocket, options, call);
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

class UsageAnalytics {
	readonly #transport: Transport;

	constructor(transport: Transport) {
		this.#transport = transport;
	}

	/** `GET /analytics/usage/overview`. */
	overview(options: UsageOverviewOptions = {}, call: CallOptions = {}): Promise<UsageOverviewAnswer> {
		return this.#transport.get("/analytics/usage/overview", { ...options }, call.signal);
	}

	/** `GET /analytics/usage/users`. */
	users(options: UsageUsersOptions = {}, call: CallOptions = {}): Promise<UsageUsersAnswer> {
		return this.#transport.get("/analytics/usage/users", { ...options }, call.signal);
	}

	/** `GET /analytics/usage/features`. */
	features(options: UsageFeaturesOptions = {}, call: CallOptions = {}): Promise<UsageFeaturesAnswer> {
		return this.#transport.get("/analytics/usage/features", { ...options }, call.signal);
	}
}

class AiAnalytics {
	readonly #transport: Transport;

	constructor(transport: Transport) {
		this.#transport = transport;
	}

	/** `GET /analytics/ai/performance`. */
	performance(options: AiPerformanceOptions = {}, call: CallOptions = {}): Promise<AiPerformanceAnswer> {
		return this.#transport.get("/analytics/ai/performance", { ...options }, call.signal);
	}

	/** `GET /analytics/ai/conversations`. */
	conversations(options: AiConversationsOptions = {}, call: CallOptions = {}): Promise<AiConversationsAnswer> {
		return this.#transport.get("/analytics/ai/conversations", { ...options }, call.signal);
	}
}

class BusinessAnalytics {
	readonly #transport: Transport;

	constructor(transport: Transport) {
		this.#transport = transport;
	}

	/** `GET /analytics/business/revenue`. */
	revenue(options: BusinessRevenueOptions = {}, call: CallOptions = {}): Promise<BusinessRevenueAnswer> {
		return this.#transport.get("/analytics/business/revenue", { ...options }, call.signal);
	}

	/** `GET /analytics/business/customers`. */
	customers(options: BusinessCustomersOptions = {}, call: CallOptions = {}): Promise<BusinessCustomersAnswer> {
		return this.#transport.get("/analytics/business/customers", { ...options }, call.signal);
	}
}

class FederatedAnalytics {
	readonly #transport: Transport;

	constructor(transport: Transport) {
		this.#transport = transport;
	}

	/** `GET /analytics/federated/training`. */
	training(options: FederatedOptions = {}, call: CallOptions = {}): Promise<FederatedTrainingAnswer> {
		return this.#transport.get("/analytics/federated/training", { ...options }, call.signal);
	}

	/** `GET /analytics/federated/participants`. */
	participants(options: FederatedOptions = {}, call: CallOptions = {}): Promise<FederatedParticipantsAnswer> {
		return this.#transport.get("/analytics/federated/participants", { ...options }, call.signal);
	}

	/** `GET /analytics/federated/privacy`. */
	privacy(options: FederatedOptions = {}, call: CallOptions = {}): Promise<FederatedPrivacyAnswer> {
		return this.#transport.get("/analytics/federated/privacy", { ...options }, call.signal);
	}
}

class ReportAnalytics {
	readonly #transport: Transport;

	constructor(transport: Transport) {
		this.#transport = transport;
	}

	/** `POST /analytics/reports/custom`: at once, or by its schedule. */
	custom(report: NewCustomReport, call: CallOptions = {}): Promise<CustomReportCreated> {
		const options = { contentType: "application/json", signal: call.signal };
		return this.#transport.post("/analytics/reports/custom", JSON.stringify(report), options);
	}

	/** `GET /analytics/reports/{report_id}`: its status, and the data of its newest finished run. */
	get(report_id: string, call: CallOptions = {}): Promise<CustomReportAnswer> {
		return this.#transport.get(`/analytics/reports/${encodeURIComponent(report_id)}`, {}, call.signal);
	}
}
