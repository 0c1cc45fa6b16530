/** Checks of how the system is run: alerts, retention, backups, long work. */
import { Temporal } from "temporal-polyfill";
import type { AlertRule } from "../../schema/wire/index.ts";
import { lagOf } from "../measures/alerting/lag.ts";
import { alertProgress } from "../measures/alerting/records.ts";
import { answeredFirings, definitionBodies, jobRecords, rowsBefore } from "../measures/compliance.ts";
import { type Assessing, DAY_MS, type Finding, iso, notTested, testedAll } from "./finding.ts";

const ANSWER_MS = DAY_MS;
const STUCK_MS = DAY_MS;
/** What is due may be evaluated so much later: so long may an outage be. */
const LATE_MS = 15 * 60_000;
/** ClickHouse drops what is over when it merges, and whole days at a time. */
const RETENTION_SLACK_DAYS = 2;
const MAX_RECORDS = 100_000;
/** How far back a restore is a proof. */
const RESTORE_DAYS = 365;
/** Kinds of job that do what people have a right to. */
const SUBJECT_JOBS = ["erasure", "subject_access"];
/** Verifications of the log have a control of their own, and one more each hour would hide all others. */
const ROUTINE_JOBS = ["audit_verify"];

/**
 * What began in a window, or before it and was over or due in it: whatever has a deadline is due in exactly one window.
 * @param begun when it was asked for, when it was over (null for not yet), and its deadline, which is in time itself
 */
function isOf(start: number, begun: number, over: number | null, due: number): boolean {
	return begun >= start || (over ?? due) >= start;
}

/** Whatever fired was acknowledged or over within a day. What fires for less than that is not due yet. */
export async function alertsAnswered({ asker, start, end }: Assessing): Promise<Finding> {
	const asked = await asker.ask(answeredFirings({ start: start - ANSWER_MS, end }, MAX_RECORDS));
	const answer = ({ acknowledged_at, resolved_at }: (typeof asked)[number]) =>
		Math.min(acknowledged_at ?? Number.POSITIVE_INFINITY, resolved_at ?? Number.POSITIVE_INFINITY);
	const firings = asked.filter((firing) => {
		const answered = answer(firing);
		const due = firing.fired_at + ANSWER_MS;
		return isOf(start, firing.fired_at, Number.isFinite(answered) ? answered : null, due);
	});
	const due = firings.filter((firing) => answer(firing) < end || firing.fired_at + ANSWER_MS < end);
	return testedAll({
		...{ what: "alerts that fired", population: firings.length, tested: due.length },
		exceptions: due
			.filter((firing) => answer(firing) > firing.fired_at + ANSWER_MS)
			.map(({ alert_id, firing_id, fired_at }) => `${iso(fired_at)}: ${alert_id}, ${firing_id}`),
		evidence: [
			{
				kind: "firings",
				title: "Alerts that fired, and when they were acknowledged or over",
				content: firings.map((firing) => ({
					...firing,
					...{ fired_at: iso(firing.fired_at), resolved_at: iso(firing.resolved_at) },
					acknowledged_at: iso(firing.acknowledged_at),
				})),
			},
		],
	});
}

/**
 * Enabled rules are evaluated in time, without an error. How far a rule is evaluated is known as of now only: one that went on, or was
 * changed, after the window says nothing of it.
 */
export async function monitoringActive({ asker, end }: Assessing): Promise<Finding> {
	const [rules, progress] = await Promise.all([asker.ask(definitionBodies("alert", end)), asker.ask(alertProgress())]);
	const enabled = rules.filter(({ body }) => (body as { enabled?: boolean }).enabled !== false);
	const standing = enabled.map(({ id, body: stored, changed }) => {
		const body = stored as Pick<AlertRule, "name" | "interval" | "evaluation_delay">;
		const { evaluated_at, error } = progress.get(id) ?? {};
		const due = { body, updated_at: new Date(changed), evaluated_at };
		const isLate = changed < end - LATE_MS && lagOf(due, end - LATE_MS) > 0;
		const isKnown = changed < end && (evaluated_at ?? 0) < end + LATE_MS;
		return {
			...{ alert_id: id, name: body.name, interval: body.interval, evaluated_at: iso(evaluated_at ?? null) },
			...{ error: error || null, is_late: isLate, is_tested: isKnown && (isLate || evaluated_at !== undefined) },
		};
	});
	const tested = standing.filter(({ is_tested }) => is_tested);
	return testedAll({
		...{ what: "enabled alerts", population: enabled.length, tested: tested.length },
		exceptions: tested.flatMap(({ alert_id, evaluated_at, error, is_late }) => {
			if (error !== null) return [`${alert_id}: ${error}`];
			return is_late ? [`${alert_id}: was last evaluated ${evaluated_at ?? "never"}`] : [];
		}),
		evidence: [{ kind: "alert_rules", title: "Enabled alerts, and how far they are evaluated", content: standing }],
	});
}

/** Of a project that keeps its records for less time than the server. */
type Days = { readonly [Name in "metrics_days" | "logs_days" | "events_days"]?: number | null };

/** No raw table has rows that are older than its retention. */
export async function retentionEnforced({ asker, instance, end, sent }: Assessing): Promise<Finding> {
	const [own] = await asker.ask(definitionBodies("retention", end));
	// What was made shorter a moment ago is enforced within the day.
	const wanted = own !== undefined && own.changed < end - RETENTION_SLACK_DAYS * DAY_MS ? (own.body as Days) : {};
	const shorter = (name: keyof Days) => Math.min(wanted[name] ?? Number.POSITIVE_INFINITY, instance.retention[name]);
	const [metrics_days, logs_days, events_days] = [
		shorter("metrics_days"),
		shorter("logs_days"),
		shorter("events_days"),
	];
	const tables = (
		[
			["metric", "points", metrics_days],
			["event", "events", events_days],
			["log", "logs", logs_days],
			["error", "errors", logs_days],
			["profile", "profiles", logs_days],
		] as const
	).filter(([signal]) => sent.firstOf(signal) !== null);
	if (tables.length === 0) return notTested("there are no records that could be too old");
	const limitOf = (days: number) => end - (days + RETENTION_SLACK_DAYS) * DAY_MS;
	const limits = Object.fromEntries(tables.map(([, table, days]) => [table, Math.max(0, limitOf(days))]));
	const old = await asker.ask(rowsBefore(limits));
	return testedAll({
		...{ what: "raw tables with records", population: tables.length, tested: tables.length },
		exceptions: old.map(
			({ table, rows, oldest }) => `${table}: ${rows} rows are too old, the oldest of ${iso(oldest)}`,
		),
		evidence: [
			{
				kind: "retention",
				title: "Raw tables, the days that they are kept, and rows that are older",
				content: tables.map(([signal, table, days]) => {
					const found = old.find((one) => one.table === table);
					return {
						...{ signal, table, retention_days: days, no_rows_before: iso(limits[table]!) },
						...{ rows_before: found?.rows ?? 0, oldest_of_them: iso(found?.oldest ?? null) },
					};
				}),
			},
		],
	});
}

/** Backups of the window worked, and one was restored within a year. */
export async function backupsRestored({ instance, start, end }: Assessing): Promise<Finding> {
	const runs = await instance.backups({ start: Math.min(start, end - RESTORE_DAYS * DAY_MS), end });
	const backups = runs.filter(({ kind, at }) => kind === "backup" && at >= start);
	const restores = runs.filter(({ kind }) => kind === "restore");
	if (backups.length === 0) return notTested("no backup was made in this time");
	if (restores.length === 0) return notTested("no backup was ever restored to prove that it can be");
	const looked = [...backups, ...restores].sort((a, b) => a.at - b.at);
	const isMadeGood = ({ kind, at }: (typeof looked)[number]) =>
		looked.some((other) => other.kind === kind && other.at > at && other.status === "completed");
	const over = looked.filter(({ status }) => status !== "open");
	return testedAll({
		...{ what: "backups and restores", population: looked.length, tested: over.length },
		exceptions: over
			.filter((run) => run.status === "failed" && !isMadeGood(run))
			.map(({ kind, id, at }) => `${iso(at)}: ${kind} ${id} failed, and none worked after it`),
		evidence: [
			{
				kind: "backups",
				title: "Backups of the server, and what was restored from one",
				content: looked.map(({ at, ...run }) => ({ at: iso(at), ...run })),
			},
		],
	});
}

/** Requests for erasure and access are closed within a calendar month. */
export async function dataRequestsClosed({ asker, start, end }: Assessing): Promise<Finding> {
	// One that was made before the window may have been due in it.
	const asked = await asker.ask(jobRecords({ start: start - 62 * DAY_MS, end }, SUBJECT_JOBS, MAX_RECORDS));
	const dated = asked
		.map((job) => ({ ...job, due_at: monthAfter(job.created_at) }))
		.filter(({ created_at, due_at, finished_at }) => isOf(start, created_at, finished_at, due_at));
	const isClosed = ({ status }: (typeof dated)[number]) => status === "completed" || status === "cancelled";
	const tested = dated.filter((job) => isClosed(job) || job.due_at < end);
	return testedAll({
		...{ what: "requests of data subjects", population: dated.length, tested: tested.length },
		exceptions: tested
			.filter((job) => !isClosed(job) || job.finished_at! > job.due_at)
			.map(({ kind, job_id, due_at }) => `${kind} ${job_id}: was due ${iso(due_at)}`),
		evidence: [
			{
				kind: "data_requests",
				title: "Requests for erasure and access",
				content: dated.map(({ created_at, finished_at, due_at, ...job }) => ({
					...job,
					...{ created_at: iso(created_at), due_at: iso(due_at), finished_at: iso(finished_at) },
				})),
			},
		],
	});
}

function monthAfter(ms: number): number {
	const asked = Temporal.Instant.fromEpochMilliseconds(ms).toZonedDateTimeISO("UTC");
	return asked.add({ months: 1 }).epochMilliseconds;
}

/** Long work ends; what failed was done again. */
export async function jobsFinished({ asker, start, end }: Assessing): Promise<Finding> {
	const asked = await asker.ask(jobRecords({ start: start - STUCK_MS, end }, undefined, MAX_RECORDS));
	const jobs = asked.filter(
		({ kind, created_at, finished_at }) =>
			!ROUTINE_JOBS.includes(kind) && isOf(start, created_at, finished_at, created_at + STUCK_MS),
	);
	const due = jobs.filter(({ status, created_at }) => status !== "open" || created_at + STUCK_MS < end);
	const isMadeGood = ({ kind, of, created_at }: (typeof jobs)[number]) =>
		jobs.some(
			(other) =>
				other.kind === kind && other.of === of && other.created_at > created_at && other.status === "completed",
		);
	return testedAll({
		...{ what: "jobs", population: jobs.length, tested: due.length },
		exceptions: due
			.filter((job) => job.status === "open" || (job.status === "failed" && !isMadeGood(job)))
			.map(({ kind, job_id, status, error }) => `${kind} ${job_id}: ${status === "open" ? "did not end" : error}`),
		evidence: [
			{
				kind: "jobs",
				title: "Long work that was asked for",
				content: jobs.map(({ created_at, finished_at, ...job }) => ({
					...job,
					...{ created_at: iso(created_at), finished_at: iso(finished_at) },
				})),
			},
		],
	});
}
