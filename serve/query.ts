/** The role `query`: all routes that read, and those that change what people defined. */
import type { Hono } from "hono";
import type { Redis } from "ioredis";
import type { Logger } from "pino";
import type { RequireRole } from "../http/auth.ts";
import type { AppEnv } from "../http/env.ts";
import type { RouteDoc } from "../http/openapi.ts";
import { COMPLIANCE_DOCS } from "../query/compliance/docs.ts";
import { attestationsOf, complianceRoutes } from "../query/compliance/routes.ts";
import { QUERY_DOCS, queryRoutes } from "../query/index.ts";
import { createLive, LIVE_DOCS, type Live } from "../query/live/routes.ts";
import { ACCOUNT_DOCS, accountRoutes } from "../query/monitoring/account-usage.ts";
import { ALERT_DOCS } from "../query/monitoring/alerts/docs.ts";
import { alertRoutes } from "../query/monitoring/alerts/routes.ts";
import { AUDIT_DOCS, auditRoutes } from "../query/monitoring/audit-log.ts";
import { DASHBOARD_DOCS } from "../query/monitoring/dashboards/docs.ts";
import { dashboardRoutes } from "../query/monitoring/dashboards/routes.ts";
import { DATA_REQUEST_DOCS } from "../query/monitoring/data-requests/docs.ts";
import { dataRequestRoutes } from "../query/monitoring/data-requests/routes.ts";
import { DESTINATION_DOCS, destinationRoutes } from "../query/monitoring/exports/destinations.ts";
import { EXPORT_DOCS, exportRoutes } from "../query/monitoring/exports/routes.ts";
import { ISSUE_DOCS, issueRoutes } from "../query/monitoring/issues/routes.ts";
import { KPI_DOCS, kpiRoutes } from "../query/monitoring/kpis.ts";
import { LOAD_TEST_DOCS, loadTestRoutes } from "../query/monitoring/load-tests/routes.ts";
import { acknowledgeRoutes } from "../query/monitoring/notifications/acknowledge.ts";
import { CHANNEL_DOCS, channelRoutes } from "../query/monitoring/notifications/channels.ts";
import { SILENCE_DOCS, silenceRoutes } from "../query/monitoring/notifications/silences.ts";
import { RETENTION_DOCS, retentionRoutes } from "../query/monitoring/retention.ts";
import { SYNTHETIC_DOCS } from "../query/monitoring/synthetics/docs.ts";
import { syntheticRoutes } from "../query/monitoring/synthetics/routes.ts";
import { REPORT_DOCS } from "../query/reports/docs.ts";
import { reportRoutes } from "../query/reports/routes.ts";
import { Queries } from "../query/run.ts";
import type { AuditLog } from "../schema/audit.ts";
import type { ClickHouse } from "../schema/clickhouse.ts";
import type { LiveBus } from "../schema/live/bus.ts";
import type { SecretBox } from "../schema/secret-box.ts";
import type { Settings } from "../settings.ts";
import { exportsOf } from "../storage.ts";
import { complianceFiles } from "../workers/compliance/files.ts";
import type { Notifier } from "../workers/notify/notifier.ts";
import { SyntheticRemote } from "../workers/synthetics/remote.ts";
import { watermark } from "../workers/watermark.ts";
import { instanceOf } from "./instance.ts";

import { retentionReach } from "./retention.ts";

export const QUERY_ROLE_DOCS: readonly RouteDoc[] = [
	...QUERY_DOCS,
	...LIVE_DOCS,
	...ISSUE_DOCS,
	...KPI_DOCS,
	...DASHBOARD_DOCS,
	...ALERT_DOCS,
	...SYNTHETIC_DOCS,
	...LOAD_TEST_DOCS,
	...CHANNEL_DOCS,
	...SILENCE_DOCS,
	...AUDIT_DOCS,
	...DATA_REQUEST_DOCS,
	...REPORT_DOCS,
	...RETENTION_DOCS,
	...ACCOUNT_DOCS,
	...EXPORT_DOCS,
	...DESTINATION_DOCS,
	...COMPLIANCE_DOCS,
];

export interface QueryRoleOptions {
	readonly settings: Settings;
	readonly clickhouse: ClickHouse;
	readonly readers: ClickHouse;
	readonly redis: Redis;
	readonly redisUrl: string;
	readonly bus: LiveBus;
	/** Names this process on the bus. */
	readonly source: string;
	readonly audit: AuditLog;
	readonly box: SecretBox;
	readonly notifier: Notifier;
	/** Where people reach this server, without a slash at the end. */
	readonly publicUrl: () => string;
	readonly requireRole: RequireRole;
	readonly logger: Logger;
}

/** Mounts the routes on the application. @param stops is given what is to be stopped, in reverse */
export function addQueryRole(
	app: Hono<AppEnv>,
	options: QueryRoleOptions,
	stops: (() => Promise<unknown>)[],
): { readonly live: Live } {
	const { settings, clickhouse, readers, redis, redisUrl, bus, source, requireRole, logger, notifier } = options;
	const queries = new Queries({ client: readers });
	const live = createLive({
		...{ bus, source, queries, origins: settings.corsOrigins ?? [] },
		limits: { perKey: settings.streamsPerKey, inAll: settings.streams },
		onError: (err) => logger.error({ err }, "a stream failed"),
	});
	app.route("/", live.routes(requireRole));
	const instance = instanceOf(settings, clickhouse);
	const { signer } = options.box;
	const attestations = (project: string) => attestationsOf(clickhouse, signer).all(project);
	const { reach, reachOf, retention, book } = retentionReach(settings, clickhouse, stops);
	const deps = { compliance: { instance, attestations }, queries, reach, reachOf, requireRole };
	app.route("/", queryRoutes(deps));
	app.route("/", accountRoutes(deps));
	const definitions = { ...deps, client: clickhouse, audit: options.audit, box: options.box };
	app.route("/", issueRoutes(definitions));
	app.route("/", kpiRoutes(definitions));
	const started = Date.now();
	// 0: too early to know.
	const storedThrough = async () => (await watermark(redis, Date.now(), started)) || undefined;
	const report = (err: unknown) => logger.error({ err }, "a widget failed");
	app.route("/", dashboardRoutes({ ...definitions, storedThrough, report }));
	app.route("/", loadTestRoutes(definitions));
	const workers = new SyntheticRemote({ redis, redisUrl, logger });
	stops.push(() => workers.close());
	app.route("/", syntheticRoutes({ ...definitions, workers, location: settings.location }));
	app.route("/", alertRoutes({ ...definitions, testAlert: (project, id) => notifier.test(project, id) }));
	app.route("/", channelRoutes(definitions));
	app.route("/", silenceRoutes(definitions));
	app.route("/", acknowledgeRoutes(definitions));
	app.route("/", auditRoutes(definitions));
	app.route("/", reportRoutes({ ...definitions, publicUrl: options.publicUrl }));
	app.route("/", exportRoutes({ ...definitions, exports: exportsOf(settings) }));
	app.route("/", destinationRoutes(definitions));
	app.route("/", dataRequestRoutes(definitions));
	app.route("/", complianceRoutes({ ...definitions, signer, instance, render: complianceFiles(signer) }));
	app.route("/", retentionRoutes({ ...definitions, retention, book }));
	return { live };
}
