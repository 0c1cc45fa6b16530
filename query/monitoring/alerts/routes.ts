/** `/v1/monitoring/alerts`: rules, how they stand, and when they would have fired. */
import { randomBytes } from "node:crypto";
import { type Context, Hono } from "hono";
import { z } from "zod";
import type { RequireRole } from "../../../http/auth.ts";
import type { AppEnv } from "../../../http/env.ts";
import { ApiError, badParameter, notFound, unavailable } from "../../../http/errors.ts";
import { base58 } from "../../../http/secret.ts";
import { parseBody, parseQuery } from "../../../http/validate.ts";
import type { AuditLog } from "../../../schema/audit.ts";
import type { ClickHouse } from "../../../schema/clickhouse.ts";
import { DefinitionError, Definitions } from "../../../schema/definitions.ts";
import { sealSecrets } from "../../../schema/sealed-notifications.ts";
import type { SecretBox } from "../../../schema/secret-box.ts";
import {
	type AlertAnswer,
	type AlertRule,
	acknowledgeBody,
	alertHistoryQuery,
	alertPatch,
	alertRule,
	alertsQuery,
	type BacktestAnswer,
	type CreatedAlertAnswer,
	kpiBody,
	NOTIFICATIONS_KIND,
	newAlertRule,
	sentBacktest,
	storedNotifications,
	type TestAlertAnswer,
} from "../../../schema/wire/index.ts";
import { untilUnchanged } from "../../common/changes.ts";
import { decodePlace, encodePlace } from "../../common/page.ts";
import { ConditionError } from "../../measures/alerting/asking.ts";
import { backtest, backtestInstants } from "../../measures/alerting/backtest.ts";
import { failingChannels } from "../../measures/alerting/channels.ts";
import { firingId } from "../../measures/alerting/names.ts";
import {
	acknowledgements,
	alertFirings,
	alertHistory,
	alertInstances,
	alertProgress,
	alertStates,
} from "../../measures/alerting/records.ts";
import { signals } from "../../measures/signals.ts";
import { RetentionError } from "../../plan/plan.ts";
import type { QueryDeps } from "../../route.ts";
import { type Asker, clickHouseError } from "../../run.ts";
import { resolveWindow } from "../../time/window.ts";
import { acknowledgeRows } from "./acknowledge.ts";
import { alertAnswer, evaluationOf, historyEntry, listedAlert, type StoredRule, unreadableAlert } from "./answers.ts";
import { alertAsking } from "./asking.ts";
import { checkRule } from "./check.ts";
import { decodeHistoryPlace, encodeHistoryPlace } from "./cursor.ts";
import { ALERTS_PATH as PATH } from "./docs.ts";
import { warningsOf } from "./warnings.ts";

export interface AlertDeps extends QueryDeps {
	readonly client: ClickHouse;
	readonly audit: AuditLog;
	readonly requireRole: RequireRole;
	/** Sends a marked message over every channel of a rule, as an alert would; absent where nothing can be sent. */
	/** Seals the secrets of notifications before they are stored. */
	readonly box: SecretBox;
	readonly testAlert?: (project: string, alert_id: string) => Promise<TestAlertAnswer>;
}

const noParameters = z.strictObject({});
const DAY_MS = 86_400_000;
const MAX_INSTANCES_ANSWERED = 1_000;
const BACKTEST_DAYS = 7;
/** Whoever makes a rule waits so long for its backtest. */
const CREATE_BACKTEST_MS = 3_000;

/** Alerts of the asking key's project; one of another project is not found, like one that never was. */
export function alertRoutes(deps: AlertDeps): Hono<AppEnv> {
	const now = deps.now ?? Date.now;
	const rules = new Definitions(deps.client, "alert", alertRule, deps.now);
	const kpis = new Definitions(deps.client, "kpi", kpiBody, deps.now);
	const config = new Definitions(deps.client, NOTIFICATIONS_KIND, storedNotifications, deps.now);
	const viewer = deps.requireRole("analytics_viewer");
	const editor = deps.requireRole("analytics_editor");
	const sealed = (project: string, rule: AlertRule): AlertRule => ({
		...rule,
		notifications: rule.notifications.map((one) => sealSecrets(one, deps.box, project)),
	});
	const projectOf = (c: Context<AppEnv>) => c.get("key").project;
	const askerOf = (c: Context<AppEnv>) => deps.queries.of(projectOf(c), c.req.raw.signal);

	const find = async (c: Context<AppEnv>, id = c.req.param("id") ?? ""): Promise<StoredRule> => {
		const rule = await stored(rules.get(projectOf(c), id));
		if (!rule) throw notFound("Alert");
		return rule;
	};
	const check = async (c: Context<AppEnv>, rule: Pick<AlertRule, "conditions" | "group_by" | "allow_unknown">) => {
		const [sent, known] = await Promise.all([askerOf(c).ask(signals(now())), stored(kpis.list(projectOf(c)))]);
		checkRule(rule, { sent, kpis: known.map(({ id }) => id) });
	};
	const record = (
		c: Context<AppEnv>,
		action: string,
		{ id, project, body }: Pick<StoredRule, "id" | "project"> & { readonly body: Pick<AlertRule, "name"> },
		detail: object = {},
	) =>
		stored(
			deps.audit.append({
				...{ project, actor: c.get("key").key_id, action, target: id, request_id: c.get("requestId") },
				detail: { name: body.name, ...detail },
			}),
		);

	/** A rule with all that is known of it. */
	const whole = async (asker: Asker, rule: StoredRule): Promise<AlertAnswer> => {
		const [states, firings, byInstance, progress, records, failing, channels] = await Promise.all([
			asker.ask(alertStates()),
			asker.ask(alertFirings()),
			asker.ask(alertFirings({ alert_id: rule.id })),
			asker.ask(alertProgress()),
			asker.ask(alertInstances({ alert_id: rule.id, limit: MAX_INSTANCES_ANSWERED })),
			asker.ask(failingChannels(now())),
			stored(config.list(rule.project)),
		]);
		const burning = records.filter(({ standing }) => standing.fired_at !== null);
		const ids = burning.map(({ instance, standing }) => firingId(rule.project, rule.id, instance, standing.fired_at!));
		const acknowledged = ids.length === 0 ? new Map() : await asker.ask(acknowledgements(rule.id, ids));
		const standing = { states: states.get(rule.id), firings: firings.get(rule.id), progress: progress.get(rule.id) };
		const warnings = warningsOf(rule.id, rule.body, { config: channels[0]?.body, failing });
		return alertAnswer(rule, standing, { records, firings: byInstance, acknowledged }, warnings);
	};

	/** For who makes a rule: what it would have told in the last week, unless that takes too long. */
	const lastWeek = async (
		project: string,
		rule: AlertRule,
	): Promise<{ backtest: BacktestAnswer | null; backtest_skipped?: string }> => {
		const signal = AbortSignal.timeout(CREATE_BACKTEST_MS);
		try {
			const instants = backtestInstants(rule, now() - BACKTEST_DAYS * DAY_MS, now());
			return { backtest: await backtest(alertAsking({ ...deps, kpis }, project, signal), rule, instants) };
		} catch (error) {
			if (signal.aborted)
				return { backtest: null, backtest_skipped: `it takes more than ${CREATE_BACKTEST_MS / 1_000} seconds` };
			const isAnswer = error instanceof ApiError || error instanceof ConditionError || error instanceof RetentionError;
			if (!isAnswer) throw error;
			return { backtest: null, backtest_skipped: error.message };
		}
	};

	return new Hono<AppEnv>()
		.post(PATH, editor, async (c) => {
			parseQuery(c, noParameters);
			const body = await parseBody(c, newAlertRule);
			await check(c, body);
			const rule = await stored(
				rules.put(projectOf(c), `alert_${base58(randomBytes(12))}`, sealed(projectOf(c), body)),
			);
			await record(c, "alert.create", rule);
			const [answer, tested] = await Promise.all([whole(askerOf(c), rule), lastWeek(rule.project, body)]);
			return c.json({ ...answer, ...tested } satisfies CreatedAlertAnswer, 201);
		})
		.get(PATH, viewer, async (c) => {
			const { limit, cursor, ...filter } = parseQuery(c, alertsQuery);
			const [offset = 0] = decodePlace(cursor, 1) ?? [];
			const asker = askerOf(c);
			const [{ definitions: all, unreadable }, states, firings, recent, progress] = await Promise.all([
				stored(rules.scan(projectOf(c))),
				asker.ask(alertStates()),
				asker.ask(alertFirings()),
				asker.ask(alertFirings({ since: now() - DAY_MS })),
				asker.ask(alertProgress()),
			]);
			const standing = (id: string) => ({
				...{ states: states.get(id), firings: firings.get(id), progress: progress.get(id) },
			});
			const listed = [
				...all.map((rule) => listedAlert(rule, standing(rule.id))),
				...unreadable.map((rule) => unreadableAlert(rule, standing(rule.id))),
			]
				.sort((a, b) => Date.parse(a.created_at) - Date.parse(b.created_at))
				.filter(
					(one) =>
						(filter.status ?? one.status) === one.status &&
						(filter.state ?? one.state) === one.state &&
						(filter.severity ?? one.severity) === one.severity &&
						one.name.toLowerCase().includes((filter.name ?? "").toLowerCase()),
				);
			const ids = new Set([...all, ...unreadable].map(({ id }) => id));
			const fired = [...recent].filter(([id]) => ids.has(id));
			return c.json({
				alerts: listed.slice(offset, offset + limit),
				total_alerts: all.length + unreadable.length,
				active_alerts: all.filter(({ body }) => body.enabled).length + unreadable.length,
				triggered_last_24h: fired.length,
				firings_last_24h: fired.reduce((sum, [, { count }]) => sum + count, 0),
				evaluation: evaluationOf(all, progress, now()),
				next_cursor: offset + limit < listed.length ? encodePlace([offset + limit]) : null,
			});
		})
		.post(`${PATH}/backtest`, viewer, async (c) => {
			parseQuery(c, noParameters);
			const { alert_id, start, end, ...given } = await parseBody(c, sentBacktest);
			const rule = alert_id === undefined ? alertRule.parse(given) : (await find(c, alert_id)).body;
			if (alert_id === undefined) await check(c, rule);
			const until = end ?? new Date(now()).toISOString();
			const window = resolveWindow(
				{ end: until, ...(start === undefined ? { timeframe: "7d" } : { start }) },
				{ timeframes: ["7d"], defaultTimeframe: "7d", now: now() },
			);
			try {
				const asking = alertAsking({ ...deps, kpis }, projectOf(c), c.req.raw.signal);
				return c.json(await backtest(asking, rule, backtestInstants(rule, window.start, window.end)));
			} catch (error) {
				if (!(error instanceof ConditionError) && !(error instanceof RetentionError)) throw error;
				throw badParameter({ parameter: "start", provided: start ?? null, valid_options: [], reason: error.message });
			}
		})
		.get(`${PATH}/:id`, viewer, async (c) => {
			parseQuery(c, noParameters);
			return c.json(await whole(askerOf(c), await find(c)));
		})
		.patch(`${PATH}/:id`, editor, async (c) => {
			parseQuery(c, noParameters);
			const patch = await parseBody(c, alertPatch);
			const rule = await untilUnchanged(async () => {
				const { project, id, version, body: before } = await find(c);
				const body = { ...before, ...patch } as AlertRule;
				if (patch.conditions !== undefined || patch.group_by !== undefined) await check(c, body);
				return stored(rules.put(project, id, sealed(project, body), { expected: version }));
			});
			await record(c, "alert.update", rule, { changed: Object.keys(patch) });
			return c.json(await whole(askerOf(c), rule));
		})
		.delete(`${PATH}/:id`, editor, async (c) => {
			parseQuery(c, noParameters);
			// Also one that cannot be read: whoever wants to be rid of it need not repair it first.
			const [project, id] = [projectOf(c), c.req.param("id")];
			const { name } = await find(c).then(
				({ body }) => body,
				(error: unknown) => {
					if (error instanceof ApiError && error.cause instanceof DefinitionError) return { name: id };
					throw error;
				},
			);
			await stored(rules.delete(project, id));
			await record(c, "alert.delete", { id, project, body: { name } });
			return c.body(null, 204);
		})
		.post(`${PATH}/:id/acknowledge`, editor, async (c) => {
			parseQuery(c, noParameters);
			const { note, instance } = await parseBody(c, acknowledgeBody);
			const rule = await find(c);
			const { instances } = await whole(askerOf(c), rule);
			const burning = instances.filter((one) => one.firing_id !== null && (instance ?? one.instance) === one.instance);
			if (burning.length === 0) {
				throw new ApiError(
					409,
					instance === undefined ? "Nothing of this alert fires" : `The instance ${instance} does not fire`,
				);
			}
			const by = c.get("key").key_id;
			const news = burning.filter((one) => one.acknowledged === null);
			await stored(acknowledgeRows(deps.client, rule, news, { at: now(), by, note }));
			await record(c, "alert.acknowledge", rule, { instances: news.map((one) => one.instance) });
			return c.json({
				alert_id: rule.id,
				acknowledged: burning.map((one) => ({ instance: one.instance, firing_id: one.firing_id! })),
			});
		})
		.post(`${PATH}/:id/test`, editor, async (c) => {
			parseQuery(c, noParameters);
			const rule = await find(c);
			if (!deps.testAlert) throw unavailable("notifications", "This process sends no notifications");
			const answer = await deps.testAlert(rule.project, rule.id);
			await record(c, "alert.test", rule);
			return c.json(answer);
		})
		.get(`${PATH}/:id/history`, viewer, async (c) => {
			const { limit, cursor, kind, instance } = parseQuery(c, alertHistoryQuery);
			const rule = await find(c);
			const after = decodeHistoryPlace(cursor);
			const found = await askerOf(c).ask(alertHistory(rule.id, { kind, instance, after, limit: limit + 1 }));
			const last = found.length > limit ? found[limit - 1] : undefined;
			return c.json({
				alert_id: rule.id,
				history: found.slice(0, limit).map(historyEntry),
				next_cursor: last ? encodeHistoryPlace(last) : null,
			});
		});
}

/** Definitions are not read through `Queries`: a database that is away must be a 503 here as well. */
function stored<T>(work: Promise<T>): Promise<T> {
	return work.catch((error: unknown) => {
		throw clickHouseError(error, "definitions");
	});
}
