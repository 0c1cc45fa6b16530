/** Record names that Tidemark gives a meaning to, as far as ingest must know them. */
import type { MetricKind } from "./wire/ingest.ts";

/** Kinds of the metrics that the conventions name; what a client leaves out is taken from here. */
const KINDS: Readonly<Record<string, MetricKind>> = {
	"http.server.request.duration": "distribution",
	response_time: "distribution",
	"db.client.operation.duration": "distribution",
	"net.ping": "distribution",
	"system.disk.io": "counter",
	"system.network.io": "counter",
	"system.network.packet.dropped": "counter",
};

/** The kind of a metric whose record does not say it: the convention's, else gauge. */
export function conventionKind(name: string): MetricKind {
	return Object.hasOwn(KINDS, name) ? KINDS[name]! : "gauge";
}
