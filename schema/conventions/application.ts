/** Records of running programs: logs, errors, profiles, load tests. */
import {
	boolean,
	COMPONENT,
	event,
	type Family,
	metric,
	needed,
	number,
	type RecordConvention,
	text,
} from "./record.ts";

const LEVELS = ["debug", "info", "warning", "error", "critical"];
const TESTED = [text("testid", "Which load test", needed)];
const LATER = { fills_nothing: "Load tests are compared by a route of their own, /v1/monitoring/load-tests/{id}" };
const k6 = (name: string, kind: "counter" | "distribution" | "gauge", unit: string, about: string): RecordConvention =>
	metric(name, kind, unit, about, TESTED, LATER);

export const APPLICATION: readonly Family[] = [
	{
		family: "log",
		title: "Logs",
		records: [
			{
				signal: "log",
				name: "",
				text: "A line of a log",
				attributes: [
					text("message", "What happened", needed),
					text("level", "Absent, info; the usual aliases are accepted", { values: LEVELS }),
					COMPONENT,
					{ name: "context", type: "object", text: "Whatever else is known; searched as context.name" },
					text("trace_id", "Of the trace it belongs to"),
					text("span_id", "Of the span it belongs to"),
				],
			},
		],
	},
	{
		family: "error",
		title: "Errors",
		records: [
			{
				signal: "error",
				name: "",
				text: "An error; those of one kind share an issue",
				attributes: [
					text("error_message", "What it says", needed),
					text("error_type", "Its class", needed),
					text("stack_trace", "Where it came from; the topmost frames of your own code tell issues apart"),
					text("severity", "Absent, error", { values: LEVELS }),
					COMPONENT,
					text("user_id", "Whom it hit; a member of context"),
				],
			},
		],
	},
	{
		family: "profile",
		title: "Profiles",
		records: [
			{
				signal: "profile",
				name: "",
				text: "One run of an operation",
				attributes: [
					text("operation", "Its name", needed),
					number("wall_ns", "Time it took", { ...needed, unit: "ns" }),
					number("cpu_ns", "Processor time", { unit: "ns" }),
					number("alloc_bytes", "Memory it allocated", { unit: "By" }),
					{ name: "spans", type: "list", text: "Its parts: {name, parent, start_ns, end_ns}" },
					boolean("success", "Whether it went well; absent, it did"),
				],
			},
		],
	},
	{
		family: "load_test",
		title: "Load tests",
		records: [
			event(
				"load_test.started",
				"A load test begins",
				[text("test_id", "Which one", needed), number("vus", "Virtual users")],
				LATER,
			),
			event("load_test.ended", "A load test is over", [text("test_id", "Which one", needed)], LATER),
			k6("http_req_duration", "distribution", "ms", "One point a request, as k6 sends it"),
			k6("http_req_failed", "gauge", "1", "1 for a request that failed, else 0, as k6 sends it"),
			k6("iterations", "counter", "{iteration}", "Iterations, as k6 sends them"),
			k6("vus", "gauge", "{user}", "Virtual users, as k6 sends them"),
		],
	},
];
