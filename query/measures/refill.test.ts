import { expect, test } from "vitest";
import { LADDER } from "../../schema/granularity.ts";
import { migrations } from "../../schema/migrate.ts";
import { render } from "../../schema/render.ts";
import { retentionDays } from "../../schema/retention.ts";
import { NO_EXPIRY, startDatabase } from "../../tests/support/database.ts";
import { peopleEvents } from "../../tests/support/people.ts";
import { insertEvents, insertSeries } from "../../tests/support/records.ts";

const TABLES = ["identities", "user_days", "session_hours", "event_counts_15m", "feature_uses_15m"];

test("tables filled from the events of a database that has some are those that its views would have filled", async () => {
	const database = await startDatabase(NO_EXPIRY);
	try {
		const from = Date.parse("2026-10-01T00:00:00Z");
		const all = peopleEvents({ from, to: from + 864e6, visits: 200, users: 30, sessions: true, seed: 8 });
		for (const part of [0, 1])
			await insertEvents(
				database.client,
				"p",
				all.filter((_, i) => i % 2 === part),
			);
		const contents = () =>
			Promise.all(
				TABLES.map(async (table) => {
					const query = `SELECT * FROM ${table} FINAL ORDER BY ALL`;
					return (await database.client.query({ query, format: "JSONEachRow" })).json();
				}),
			);
		const byViews = await contents();
		const options = { database: "tidemark", days: retentionDays(NO_EXPIRY) };
		const own = migrations().filter(({ text }) =>
			TABLES.some((table) => text.includes(`EXISTS {{local:${table}}} {{on`)),
		);
		expect(own).toHaveLength(TABLES.length);
		for (const { text } of own) {
			for (const query of render(text, options)) await database.client.command({ query });
		}
		expect(await contents()).toEqual(byViews);
		expect(byViews.every((rows) => rows.length > 0)).toBe(true);
	} finally {
		await database.stop();
	}
});

test("sketches over all components, and what is counted beside each, are filled by their views as from what was there", async () => {
	const database = await startDatabase(NO_EXPIRY);
	try {
		const from = Date.parse("2026-10-30T22:30:00Z");
		const series = ["a", "b", ""].map((component, i) => ({
			...{ name: "spread", kind: "distribution" as const },
			tags: { ...(component === "" ? {} : { component }), ...(component === "b" ? { "error.type": "timeout" } : {}) },
			points: Array.from({ length: 300 }, (_, k): [number, number] => [
				from + k * 1_234_567,
				(i + 1) * 1.07 ** (k % 90),
			]),
		}));
		for (const part of [1, 0])
			await insertSeries(
				database.client,
				"p",
				series.map((one) => ({ ...one, points: one.points.filter((_, k) => k % 2 === part) })),
			);
		await insertSeries(database.client, "other", series.slice(0, 1));
		const merged = async (table: string) => {
			const query = `SELECT project, name, bucket, quantilesDDMerge(0.01, 0.5, 0.9, 0.95, 0.99)(quantiles) AS q
				FROM ${table} GROUP BY project, name, bucket ORDER BY project, name, bucket`;
			return (await database.client.query({ query, format: "JSONEachRow" })).json();
		};
		const options = { database: "tidemark", days: retentionDays(NO_EXPIRY) };
		const truth = { "1h": await merged("sketch_1h"), "1d": await merged("sketch_1d") };
		expect(truth["1d"].length).toBeGreaterThan(8);
		const totals = async () => ({ "1h": await merged("sketch_total_1h"), "1d": await merged("sketch_total_1d") });
		expect(await totals()).toEqual(truth);
		const tables = LADDER.flatMap(({ sketch, sketch_total, rollup }) => [
			{ sketch, rollup, by: "component, " },
			...(sketch_total ? [{ sketch: sketch_total, rollup, by: "" }] : []),
		]);
		const counted = (all: boolean) =>
			Promise.all(
				tables.map(async ({ sketch, rollup, by }) => {
					const from = all
						? sketch
						: `(SELECT *, if(component = 'b', n, 0) AS failed FROM ${rollup} INNER JOIN (SELECT DISTINCT project, name, series_id, component FROM series) AS known USING (project, name, series_id))`;
					const query = `SELECT project, name, ${by}bucket, sum(n) AS size, toInt64(sum(failed)) AS bad, round(sum(s.sum), 4) AS total, max(max) AS top
						FROM ${from} AS s GROUP BY ALL ORDER BY ALL`;
					return (await database.client.query({ query, format: "JSONEachRow" })).json();
				}),
			);
		const counts = await counted(true);
		expect(counts).toEqual(await counted(false));
		for (const { sketch } of tables) await database.client.command({ query: `DROP VIEW ${sketch}_view` });
		for (const { sketch } of tables) {
			const columns = ["n", "failed", "sum", "max"].map((column) => `DROP COLUMN ${column}`).join(", ");
			await database.client.command({ query: `ALTER TABLE ${sketch} ${columns}` });
		}
		for (const { name, text } of migrations()) {
			if (!name.startsWith("sketch_")) continue;
			for (const query of [...render(text, options), ...render(text, options)])
				await database.client.command({ query });
		}
		expect(await totals()).toEqual(truth);
		expect(await counted(true)).toEqual(counts);
	} finally {
		await database.stop();
	}
});
