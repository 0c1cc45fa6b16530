/** From the body of a request to what a job is asked for. */

import type { z } from "zod";
import { badParameter } from "../../../http/errors.ts";
import type { Definition } from "../../../schema/definitions.ts";
import type { ExportInput } from "../../../schema/export-job.ts";
import { tierOf } from "../../../schema/granularity.ts";
import {
	type Destination,
	EXPORT_DATA,
	type ExportData,
	type exportBody,
	readS3Url,
} from "../../../schema/wire/index.ts";
import { resolveWindow } from "../../time/window.ts";

type Body = z.infer<typeof exportBody>;

const ALL = "all";

/**
 * A rolling window of a tier begins with a whole bucket; one that was named is exported as it was named.
 * @param destinations of the project, by name
 * @throws ApiError 400
 */
export function exportInputOf(body: Body, destinations: readonly Definition<Destination>[], now: number): ExportInput {
	const window = resolveWindow(body, { timeframes: ["1h", "6h", "24h", "7d", "30d"], defaultTimeframe: "24h", now });
	const { granularity, format, compression } = body;
	const rolling = window.timeframe !== "custom" && granularity !== "raw";
	const step_ms = rolling ? tierOf(granularity).step_seconds * 1_000 : 1;
	const data = dataOf(body);
	return {
		...{ data, granularity, format, compression, asked_at: now },
		...namesOf(body, "metrics"),
		...namesOf(body, "events"),
		...{ start: Math.floor(window.start / step_ms) * step_ms, end: window.end },
		...{ as_of: window.as_of, timezone: window.timezone },
		target: targetOf(body, destinations),
	};
}

function dataOf({ data, metrics, events }: Body): ExportData[] {
	const named = [...(metrics ? ["metrics"] : []), ...(events ? ["events"] : [])];
	const asked: readonly string[] = data ?? (named.length > 0 ? named : [ALL]);
	const chosen = EXPORT_DATA.filter((one) => asked.includes(one) || asked.includes(ALL));
	for (const [parameter, names] of Object.entries({ metrics, events })) {
		if (names === undefined || (chosen as string[]).includes(parameter)) continue;
		const reason = `${parameter} are named, and data leaves them out`;
		throw badParameter({ parameter: "data", provided: data, valid_options: EXPORT_DATA, reason });
	}
	return chosen;
}

function namesOf(body: Body, member: "metrics" | "events"): Partial<Pick<ExportInput, "metrics" | "events">> {
	const names = body[member];
	return names === undefined || names.includes(ALL) ? {} : { [member]: [...new Set(names)].sort() };
}

function targetOf(body: Body, destinations: readonly Definition<Destination>[]): ExportInput["target"] {
	const url = readS3Url(body.destination);
	const refuse = (parameter: "destination" | "destination_name", valid_options: readonly string[], reason: string) =>
		badParameter({ parameter, provided: body[parameter] ?? null, valid_options, reason });
	if (!url) {
		if (body.destination_name === undefined) return { type: "local" };
		throw refuse("destination_name", [], "an export to download has no destination with keys");
	}
	const able = destinations.filter(
		({ body: { bucket, prefix } }) => bucket === url.bucket && url.prefix.startsWith(slashed(prefix)),
	);
	const names = able.map(({ id }) => id);
	const shown = destinations.map(({ body: { bucket, prefix } }) => `s3://${bucket}/${slashed(prefix)}`);
	if (able.length === 0) {
		throw refuse(
			"destination",
			[...shown, "local"],
			`no destination has keys to ${body.destination}: an admin adds them with PUT /v1/monitoring/destinations/{name}`,
		);
	}
	if (body.destination_name === undefined && able.length > 1) {
		throw refuse("destination_name", names, "several destinations have keys to this bucket: name one");
	}
	const found = able.find(({ id }) => id === (body.destination_name ?? id));
	if (!found) throw refuse("destination_name", names, "this destination has no keys to the bucket and prefix");
	return { type: "s3", destination: found.id, ...url };
}

function slashed(prefix: string): string {
	return prefix === "" || prefix.endsWith("/") ? prefix : `${prefix}/`;
}
