/** Request bodies of a dataset, rendered before the clock starts: sending them costs the generator almost nothing. */
import {
	ALL_SERIES,
	type Dataset,
	eventRecord,
	logLine,
	type MetricSeries,
	placeOf,
	pointTime,
	pointValue,
} from "./workload.ts";

export const PROTOCOLS = ["tidemark", "victoria", "influx"] as const;
export type Protocol = (typeof PROTOCOLS)[number];

/** @returns bodies of `rowsPerRequest` rows each, the last one of what is left */
export function renderBodies(dataset: Dataset, protocol: Protocol, rowsPerRequest: number): Buffer[] {
	const row = renderer(dataset, protocol);
	const array = protocol === "tidemark";
	const step = dataset.workload === "series" ? dataset.pointsPerSeries : 1;
	const bodies: Buffer[] = [];
	for (let from = 0; from < dataset.rows; from += rowsPerRequest) {
		const to = Math.min(from + rowsPerRequest, dataset.rows);
		let text = array ? "[" : "";
		for (let i = from; i < to; i += step)
			text += (i === from ? "" : array ? ",\n" : "\n") + row(i, Math.min(step, to - i));
		bodies.push(Buffer.from(array ? `${text}]` : `${text}\n`));
	}
	return bodies;
}

/** Renders `points` rows from `row` on, which is one record of the protocol. */
type Render = (row: number, points: number) => string;

function renderer(dataset: Dataset, protocol: Protocol): Render {
	switch (dataset.workload) {
		case "logs":
			return (row) => {
				const { ts, level, component, message, context } = logLine(dataset, row);
				return `{"timestamp":${ts},"level":"${level}","component":"${component}","message":"${message}","context":${context}}`;
			};
		case "events":
			return (row) => {
				const { ts, event, event_id, user_id, strings, numbers } = eventRecord(dataset, row);
				const properties = JSON.stringify(Object.fromEntries<string | number>([...strings, ...numbers]));
				return `{"event":"${event}","timestamp":${ts},"event_id":"${event_id}","user_id":"${user_id}","properties":${properties}}`;
			};
		case "metrics":
			return protocol === "tidemark" ? onePoint(dataset) : peerLine(dataset, protocol);
		case "series":
			return protocol === "tidemark" ? seriesRecord(dataset) : peerLine(dataset, protocol);
	}
}

function onePoint(dataset: Dataset): Render {
	const heads = ALL_SERIES.map(({ name, tags }) => `{"name":"${name}","tags":${tagsJson(tags)},"value":`);
	return (row) => {
		const { series, tick } = placeOf(dataset, row);
		return `${heads[series]}${pointValue(dataset, series, tick)},"timestamp":${pointTime(dataset, series, tick)}}`;
	};
}

function seriesRecord(dataset: Dataset): Render {
	return (row, points) => {
		const { series, tick } = placeOf(dataset, row);
		const { name, tags } = ALL_SERIES[series]!;
		const { timestamps, values } = columns(dataset, series, tick, points);
		return `{"name":"${name}","tags":${tagsJson(tags)},"timestamps":[${timestamps}],"values":[${values}]}`;
	};
}

/** A line of VictoriaMetrics' `/api/v1/import`, or of InfluxDB's line protocol (which has one point a line). */
function peerLine(dataset: Dataset, protocol: Protocol): Render {
	if (protocol === "victoria") {
		const heads = ALL_SERIES.map(({ name, tags }) => {
			const labels = tagsJson([["__name__", name.replaceAll(".", "_")], ...tags]);
			return `{"metric":${labels},"values":[`;
		});
		return (row, points) => {
			const { series, tick } = placeOf(dataset, row);
			const { timestamps, values } = columns(dataset, series, tick, points);
			return `${heads[series]}${values}],"timestamps":[${timestamps}]}`;
		};
	}
	const heads = ALL_SERIES.map(({ name, tags }) => [name, ...tags.map(([key, value]) => `${key}=${value}`)].join(","));
	return (row, points) => {
		const { series, tick } = placeOf(dataset, row);
		const lines: string[] = [];
		for (let i = tick; i < tick + points; i++) {
			lines.push(`${heads[series]} value=${pointValue(dataset, series, i)} ${pointTime(dataset, series, i)}`);
		}
		return lines.join("\n");
	};
}

function columns(dataset: Dataset, series: number, tick: number, points: number) {
	const timestamps: number[] = [];
	const values: number[] = [];
	for (let i = tick; i < tick + points; i++) {
		timestamps.push(pointTime(dataset, series, i));
		values.push(pointValue(dataset, series, i));
	}
	return { timestamps: timestamps.join(","), values: values.join(",") };
}

function tagsJson(tags: MetricSeries["tags"]): string {
	return JSON.stringify(Object.fromEntries(tags));
}
