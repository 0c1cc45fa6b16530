import { afterAll, beforeAll, expect, test } from "vitest";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { insertEvents } from "../../tests/support/records.ts";
import { Queries } from "../run.ts";
import { checkResults } from "./components.ts";
import { reachOf } from "./scope.ts";

const END = Date.UTC(2026, 4, 10, 12);
let database: TestDatabase;
beforeAll(async () => {
	database = await startDatabase(NO_EXPIRY);
}, 60_000);
afterAll(() => database.stop());

test("a check is down everywhere when as many places as its quorum fail; without one each place counts for itself", async () => {
	const runs = (component: string, quorum: number | undefined, failing: number) =>
		["a", "b", "c"].flatMap((location, place) =>
			[1, 2, 3].map((minute) => ({
				event: "check.completed",
				ts: END - minute * 60_000,
				properties: {
					...{ check_id: component, component, location, ok: String(place >= failing) },
					...(quorum === undefined ? {} : { quorum }),
				},
			})),
		);
	await insertEvents(database.client, "p", [
		...runs("below", 2, 1),
		...runs("reached", 2, 2),
		...runs("without", undefined, 2),
	]);
	const scope = { start: END - 60_000, end: END, now: END, reach: reachOf(NO_EXPIRY) };
	const queries = new Queries({ client: database.client, secondLock: false });
	const found = await queries.of("p").ask(checkResults(scope));
	const failing = (name: string) => [found.get(name)?.checks, found.get(name)?.failing, found.get(name)?.reporting];
	expect(failing("below")).toEqual([3, 1, 3]);
	expect(failing("reached")).toEqual([3, 3, 3]);
	expect(failing("without")).toEqual([3, 2, 3]);
}, 60_000);
