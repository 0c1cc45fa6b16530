import { expect, test } from "vitest";
import { migrations } from "../../schema/migrate.ts";
import { render } from "../../schema/render.ts";
import { retentionDays } from "../../schema/retention.ts";
import { NO_EXPIRY, startDatabase } from "../../tests/support/database.ts";
import { peopleEvents } from "../../tests/support/people.ts";
import { insertEvents } from "../../tests/support/records.ts";

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
