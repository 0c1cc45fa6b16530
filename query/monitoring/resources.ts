import type { z } from "zod";
import { badParameter } from "../../http/errors.ts";
import {
	RESOURCE_SECTIONS,
	type ResourcesAnswer,
	resourcesAnswer,
	resourcesQuery,
	TIMEFRAMES,
} from "../../schema/wire/index.ts";
import {
	CPU,
	CPU_TIME,
	FILESYSTEM,
	FILESYSTEM_USAGE,
	MEMORY,
	moved,
	NETWORK_IO,
	saysUsed,
	utilization,
} from "../measures/hosts.ts";
import { type LastValue, lastValues } from "../measures/last-values.ts";
import { planOf, type Scope } from "../measures/scope.ts";
import { signals } from "../measures/signals.ts";
import { type Needs, withMeta } from "../meta.ts";
import { percentOf, significant } from "../rounding.ts";
import { type Asking, listOf, read } from "../route.ts";
import { resolveWindow } from "../time/window.ts";

export const FILESYSTEM_LIMIT = "system.filesystem.limit";
export const LINK_CAPACITY = "network.link.capacity";

const NEEDS: Needs = {
	"cpu.avg_utilization": [`metric ${CPU}`, `metric ${CPU_TIME}`],
	"cpu.max_utilization": `metric ${CPU}`,
	"memory.avg_utilization": `metric ${MEMORY}`,
	"memory.max_utilization": `metric ${MEMORY}`,
	"storage.utilization": [`metric ${FILESYSTEM}`, `metric ${FILESYSTEM_LIMIT}`],
	"storage.volumes": `metric ${FILESYSTEM}`,
	"network.utilization": { all: [`metric ${NETWORK_IO}`, `metric ${LINK_CAPACITY}`] },
	"network.throughput_mbps": `metric ${NETWORK_IO}`,
	"network.capacity_mbps": `metric ${LINK_CAPACITY}`,
};

/** `GET /v1/monitoring/resources` */
export const resourcesRead = read({
	path: "/v1/monitoring/resources",
	summary: "Utilisation of processor, memory, storage and network, in percent",
	query: resourcesQuery,
	answer: resourcesAnswer,
	needs: NEEDS,
	ask: resources,
});

async function resources(asking: Asking, query: z.infer<typeof resourcesQuery>): Promise<ResourcesAnswer> {
	const { asker, now, reach } = asking;
	const window = resolveWindow(query, { timeframes: TIMEFRAMES, defaultTimeframe: "24h", now });
	const sections = sectionsOf(query.components);
	const scope: Scope = { start: window.start, end: window.end, now, reach };
	const none = Promise.resolve(undefined);
	const gauges = [
		...(sections.has("storage") ? [FILESYSTEM, FILESYSTEM_USAGE, FILESYSTEM_LIMIT] : []),
		...(sections.has("network") ? [LINK_CAPACITY] : []),
	];
	const [sent, hosts, network, last] = await Promise.all([
		asker.ask(signals(window.as_of)),
		sections.has("compute") ? asker.ask(utilization(scope)) : none,
		sections.has("network") ? asker.ask(moved(scope, NETWORK_IO)) : none,
		gauges.length > 0 ? asker.ask(lastValues(scope, gauges)) : [],
	]);
	const part = (name: string) => ({
		avg_utilization: percentOf(hosts?.[name]?.get(0)?.sample_mean),
		max_utilization: percentOf(hosts?.[name]?.get(0)?.peak),
	});
	const bytes = network?.get(0);
	const seconds = (window.end - window.start) / 1_000;
	const answer = {
		timeframe: window.timeframe,
		...(sections.has("compute") ? { cpu: part(CPU), memory: part(MEMORY) } : {}),
		...(sections.has("storage") ? { storage: storageOf(last) } : {}),
		...(sections.has("network") ? { network: networkOf(last, bytes, seconds) } : {}),
	};
	const parts = {
		window,
		data_through: sent.dataThrough("metric"),
		methods: { "storage.utilization": storageMethod(last), "cpu.avg_utilization": "mean of all samples" },
		source: planOf(scope).main,
	};
	return withMeta(answer, parts, { needs: NEEDS, sent });
}

function sectionsOf(text: string | undefined): ReadonlySet<string> {
	const names = listOf(text);
	const unknown = names.find((name) => !RESOURCE_SECTIONS.some((section) => section === name));
	if (unknown !== undefined) {
		throw badParameter({ parameter: "components", provided: unknown, valid_options: RESOURCE_SECTIONS });
	}
	return new Set(names.length === 0 ? RESOURCE_SECTIONS : names);
}

const bytesOf = (last: readonly LastValue[], name: string) =>
	last.filter((value) => value.name === name && saysUsed(value)).reduce((sum, { value }) => sum + value, 0);

function storageMethod(last: readonly LastValue[]): string {
	return bytesOf(last, FILESYSTEM_LIMIT) > 0 ? "sum of used / sum of capacity" : "mean over volumes";
}

/** Used over capacity where both are sent, else the mean of what each volume says; of the last values in a day. */
function storageOf(last: readonly LastValue[]): NonNullable<ResourcesAnswer["storage"]> {
	const capacity = bytesOf(last, FILESYSTEM_LIMIT);
	const volumes = last.filter((value) => value.name === FILESYSTEM && saysUsed(value));
	const mean = volumes.length > 0 ? volumes.reduce((sum, { value }) => sum + value, 0) / volumes.length : null;
	return {
		utilization: percentOf(capacity > 0 ? bytesOf(last, FILESYSTEM_USAGE) / capacity : mean),
		volumes: volumes.map(({ host, tags, value }) => ({
			host,
			device: tags.device || tags["system.device"] || tags.mountpoint || tags["system.filesystem.mountpoint"] || "",
			utilization: percentOf(value),
		})),
	};
}

/** The busier direction over the capacity of all links. */
export function networkOf(
	last: readonly LastValue[],
	bytes: { readonly in: number; readonly out: number } | undefined,
	seconds: number,
): NonNullable<ResourcesAnswer["network"]> {
	const capacity = bytesOf(last, LINK_CAPACITY);
	const busier = bytes && (8 * Math.max(bytes.in, bytes.out)) / seconds;
	return {
		utilization: busier !== undefined && capacity > 0 ? percentOf(busier / capacity) : null,
		throughput_mbps: bytes ? significant((8 * (bytes.in + bytes.out)) / seconds / 1e6) : null,
		capacity_mbps: capacity > 0 ? significant(capacity / 1e6) : null,
	};
}
