/** Which runs of reports are due. What has run is known from ClickHouse, so whoever looks, and how often, changes nothing. */
import type { Logger } from "pino";
import type { Definition, Definitions } from "../../schema/definitions.ts";
import type { JobStore } from "../../schema/jobs.ts";
import { RUN_KIND, type RunInput, runInput, scheduledRunId } from "../../schema/reports/runs.ts";
import { lastOccurrence, nextOccurrence, occurrencesBetween } from "../../schema/schedule.ts";
import type { StoredReport } from "../../schema/wire/index.ts";

/** What was missed longer ago nobody waits for any more; jobs are remembered for longer than this. */
const CATCH_UP_MS = 32 * 86_400_000;
/** Missed runs are counted up to here. */
const MAX_MISSED = 1_000;

export interface DueOptions {
	readonly reports: Definitions<StoredReport>;
	readonly jobs: JobStore;
	readonly logger: Logger;
}

/** Asks for the runs that are due. One instance remembers what it need not look at again before it is due. */
export class DueReports {
	readonly #options: DueOptions;
	/** By project, report and version: when it is to be looked at again. */
	#next = new Map<string, number>();

	constructor(options: DueOptions) {
		this.#options = options;
	}

	/** @param now milliseconds since the epoch @returns the ids of the runs that it asked for */
	async look(now: number): Promise<string[]> {
		const all = await this.#options.reports.list();
		const next = new Map<string, number>();
		const asked: string[] = [];
		for (const report of all) {
			const { schedule } = report.body;
			if (schedule === null) continue;
			const key = JSON.stringify([report.project, report.id, report.version]);
			const known = this.#next.get(key);
			if (known === undefined || known <= now) {
				// One that cannot be asked for now must not hold up the others.
				try {
					const run_id = await this.#ask(report, now);
					if (run_id !== undefined) asked.push(run_id);
				} catch (err) {
					this.#options.logger.warn({ err, report_id: report.id }, "a report that is due could not be asked for");
					continue;
				}
			}
			const after = known !== undefined && known > now ? known : nextOccurrence(schedule, now);
			if (after !== undefined) next.set(key, after);
		}
		this.#next = next;
		return asked;
	}

	/** One run for the newest instant that is due; those before it that nobody made are told with it. */
	async #ask({ project, id, body, updated_at }: Definition<StoredReport>, now: number): Promise<string | undefined> {
		const { jobs } = this.#options;
		const schedule = body.schedule!;
		const since = Math.max(updated_at.getTime(), now - CATCH_UP_MS);
		const instant = lastOccurrence(schedule, since, now);
		if (instant === undefined) return undefined;
		const job_id = scheduledRunId(project, id, instant);
		if (await jobs.get(project, RUN_KIND, job_id)) return undefined;
		const scheduled: RunInput["trigger"] = "schedule";
		const before = (await jobs.list(project, { kind: RUN_KIND, of: id, input: ["trigger", scheduled] }))
			.map(({ input }) => runInput.parse(input).scheduled_for)
			.find((at) => at !== null && at < instant);
		const missed = occurrencesBetween(schedule, Math.max(before ?? since, since), instant, MAX_MISSED);
		const input: RunInput = { report_id: id, trigger: "schedule", scheduled_for: instant, as_of: instant, missed };
		await jobs.create({ project, kind: RUN_KIND, job_id, of: id, input });
		return job_id;
	}
}
