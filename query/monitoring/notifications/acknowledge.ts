/**
 * `/acknowledge/{token}`: acknowledges an alert from a message, without a key; the token is signed and expires. Looking at the page
 * does nothing, since programs that check mail for bad links look at all of them: only its button acknowledges.
 */
import { type Context, Hono } from "hono";
import { html } from "hono/html";
import type { AppEnv } from "../../../http/env.ts";
import { ACKNOWLEDGE_PATH, type AcknowledgeLink, readAcknowledgeToken } from "../../../schema/acknowledge-link.ts";
import type { AuditLog } from "../../../schema/audit.ts";
import type { ClickHouse } from "../../../schema/clickhouse.ts";
import { type Definition, Definitions } from "../../../schema/definitions.ts";
import type { SecretBox } from "../../../schema/secret-box.ts";
import { type AlertRule, alertRule } from "../../../schema/wire/index.ts";
import { firingId } from "../../measures/alerting/names.ts";
import { acknowledgements, alertInstances } from "../../measures/alerting/records.ts";
import { clickHouseError, type Queries } from "../../run.ts";
import { acknowledgeRows } from "../alerts/acknowledge.ts";

export interface AcknowledgeDeps {
	readonly client: ClickHouse;
	readonly queries: Queries;
	readonly audit: AuditLog;
	readonly box: SecretBox;
	readonly now?: (() => number) | undefined;
}

/** Whom the history and the audit log name. */
const ACTOR = "link";
const MAX_INSTANCES = 1_000;

export function acknowledgeRoutes({ client, queries, audit, box, now = Date.now }: AcknowledgeDeps): Hono<AppEnv> {
	const rules = new Definitions(client, "alert", alertRule, now);
	const linked = async (c: Context<AppEnv>): Promise<Linked | Response> => {
		const link = readAcknowledgeToken(c.req.param("token") ?? "", box);
		if (!link) return page(c, 404, "This link is not valid", "It was not made here, or not all of it was copied.");
		if (link.expires_at <= now()) return page(c, 410, "This link has expired", "Open the alert with a key instead.");
		const rule = await stored(rules.get(link.project, link.alert_id));
		if (!rule) return page(c, 410, "This alert was deleted", "There is nothing to acknowledge.");
		return { rule, open: await openFirings(queries, link) };
	};
	return new Hono<AppEnv>()
		.get(`${ACKNOWLEDGE_PATH}/:token`, async (c) => {
			const found = await linked(c);
			if (found instanceof Response) return found;
			if (found.open.length === 0) return page(c, 200, found.rule.body.name, "Acknowledged already, or over.");
			return page(c, 200, found.rule.body.name, "Nobody is told of it any more until it fires again.", true);
		})
		.post(`${ACKNOWLEDGE_PATH}/:token`, async (c) => {
			const found = await linked(c);
			if (found instanceof Response) return found;
			const { rule, open } = found;
			if (open.length > 0) {
				await stored(acknowledgeRows(client, rule, open, { at: now(), by: ACTOR, note: "by a link in a message" }));
				await stored(
					audit.append({
						...{ project: rule.project, actor: ACTOR, action: "alert.acknowledge", target: rule.id },
						...{ detail: { instances: open.map(({ instance }) => instance) }, request_id: c.get("requestId") },
					}),
				);
			}
			return page(c, 200, rule.body.name, "Acknowledged. Nobody is told of it any more until it fires again.");
		});
}

interface Linked {
	readonly rule: Definition<AlertRule>;
	readonly open: Parameters<typeof acknowledgeRows>[2];
}

/** Those of the link that burn and that nobody has acknowledged. */
async function openFirings(
	queries: Queries,
	{ project, alert_id, firing_ids }: AcknowledgeLink,
): Promise<Linked["open"]> {
	const asker = queries.of(project);
	const instances = await asker.ask(alertInstances({ alert_id, limit: MAX_INSTANCES }));
	const burning = instances.flatMap(({ instance, labels, standing }) => {
		if (standing.fired_at === null) return [];
		const firing_id = firingId(project, alert_id, instance, standing.fired_at);
		if (firing_ids.length > 0 && !firing_ids.includes(firing_id)) return [];
		const { state, since, value, threshold } = standing;
		return [
			{
				...{ instance, labels, state, since: new Date(since).toISOString(), value, threshold, firing_id },
				...{ trigger_count: 0, last_triggered: null, acknowledged: null },
			},
		];
	});
	if (burning.length === 0) return [];
	const ids = burning.map(({ firing_id }) => firing_id);
	const known = await asker.ask(acknowledgements(alert_id, ids));
	return burning.filter(({ firing_id }) => !known.has(firing_id));
}

function page(
	c: Context<AppEnv>,
	status: 200 | 404 | 410,
	title: string,
	text: string,
	canAcknowledge = false,
): Response | Promise<Response> {
	// The address is the right to acknowledge: it goes nowhere else.
	c.header("Referrer-Policy", "no-referrer");
	c.header("Cache-Control", "no-store");
	c.header("Content-Security-Policy", "default-src 'none'; form-action 'self'; frame-ancestors 'none'");
	c.header("X-Robots-Tag", "noindex");
	const form = canAcknowledge ? html`<form method="post"><button type="submit">Acknowledge</button></form>` : "";
	return c.html(
		html`<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${title}</title></head><body><main><h1>${title}</h1><p>${text}</p>${form}</main></body></html>`,
		status,
	);
}

function stored<T>(work: Promise<T>): Promise<T> {
	return work.catch((error: unknown) => {
		throw clickHouseError(error, "definitions");
	});
}
