import { expect, test } from "vitest";
import { errorRecord, eventRecord, logRecord, metricRecord, profileRecord } from "../../schema/wire/index.ts";
import { demoDays } from "./days.ts";
import { DAY_MS } from "./world.ts";

const SCHEMAS = {
	metric: metricRecord,
	event: eventRecord,
	log: logRecord,
	error: errorRecord,
	profile: profileRecord,
};
const NOW = Date.parse("2026-11-22T13:45:00Z");
const DAYS = 8;
const all = (seed: number, now = NOW) => [...demoDays({ seed, now, days: DAYS })];

test("the same seed and end give the same records, another seed others", () => {
	expect(all(1).slice(0, 3)).toEqual(all(1).slice(0, 3));
	expect(all(2)[0]).not.toEqual(all(1)[0]);
});

test.each([NOW, Date.parse("2026-11-22T00:00:00.001Z"), Date.parse("2026-11-22T23:59:59Z")])(
	"no record is of the future or older than its days (%d)",
	(now) => {
		for (const record of all(1, now).flat()) {
			const times = "timestamps" in record ? record.timestamps : [record.timestamp];
			for (const time of times as number[]) {
				if (time < now && time >= now - DAYS * DAY_MS) continue;
				expect.fail(`${JSON.stringify(record).slice(0, 200)} is at ${time}, now is ${now}`);
			}
		}
	},
);

test("every record is one that the ingest routes take", () => {
	for (const record of all(3)[DAYS - 1]!) {
		const { success, error } = SCHEMAS[record.type].safeParse(record);
		if (!success) expect.fail(`${JSON.stringify(record).slice(0, 200)}: ${error.message}`);
	}
});
