/** What the audit log is told by the server itself: who was not let in, and which requests it must have a row of. */
import type { Logger } from "pino";
import type { AnsweredRequest } from "../http/app.ts";
import { ChangingCalls } from "../http/changing-calls.ts";
import { Denials } from "../http/denials.ts";
import type { RouteDoc } from "../http/openapi.ts";
import type { AuditLog } from "../schema/audit.ts";
import type { ClickHouse } from "../schema/clickhouse.ts";

const FLUSH_MS = 1_000;

export interface RequestAuditOptions {
	readonly audit: AuditLog;
	readonly clickhouse: ClickHouse;
	readonly docs: readonly RouteDoc[];
	readonly logger: Logger;
}

/** @returns what is to be told of every answered request. @param stops is given what is to be stopped, in reverse */
export function startRequestAudit(
	{ audit, clickhouse, docs, logger }: RequestAuditOptions,
	stops: (() => Promise<unknown>)[],
): (request: AnsweredRequest) => void {
	const denials = new Denials({ append: (entry) => audit.append(entry) });
	const calls = new ChangingCalls(clickhouse, docs);
	const flush = (everything = false) =>
		Promise.all([denials.flush(everything), calls.flush()]).catch((err) =>
			logger.warn({ err }, "who was not let in could not be stored yet"),
		);
	const timer = setInterval(flush, FLUSH_MS, false);
	stops.push(() => {
		clearInterval(timer);
		return flush(true);
	});
	return (request) => {
		denials.note(request);
		calls.note(request);
	};
}
