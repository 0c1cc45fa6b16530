/** Records of servers, hosts, nodes and databases. */
import { boolean, COMPONENT, event, type Family, metric, needed, number, text } from "./record.ts";

const HOST = [
	text("host.id", "Stable id of the host; hosts are told apart by it", needed),
	text("host.name", "Name of the host"),
	COMPONENT,
];
const DEVICE = text("device", "Disk, volume or interface; system.device and network.interface.name do as well");
const DB = text("db", "Logical name of the database; db.namespace does as well");
const NODE_ID = text("node_id", "Id of the node", needed);

export const INFRASTRUCTURE: readonly Family[] = [
	{
		family: "http",
		title: "HTTP",
		records: [
			metric(
				"http.server.request.duration",
				"distribution",
				"s",
				"One point a request",
				[
					number("http.response.status_code", "From 500 on the request failed"),
					text("http.route", "Pattern of the path, such as /users/{id}"),
					text("http.request.method", "GET, POST, …"),
					text("error.type", "Set: the request failed, whatever its status"),
					COMPONENT,
				],
				{
					compatible: [
						{
							name: "response_time",
							text: "In milliseconds, with the status in the tag status",
							accepted: { kind: "distribution", unit: "ms" },
						},
					],
				},
			),
			event("api.call", "A request of a user, where usage is told by user", [
				text("user_id", "Who called", needed),
				text("model", "Model that was called"),
				text("user_type", "Kind of user"),
				text("region", "Where the user is"),
			]),
			metric("queue.wait_ms", "distribution", "ms", "Time a piece of work waited in a queue", [COMPONENT]),
		],
	},
	{
		family: "host",
		title: "Hosts",
		records: [
			metric("system.cpu.utilization", "gauge", "1", "Used share of the processors", [
				...HOST,
				text("cpu.mode", "With a series for each mode the used share is 1 − idle; state does as well"),
			]),
			metric("system.cpu.time", "cumulative", "s", "Time of the processors by mode, where no utilization is sent", [
				...HOST,
				text("cpu.mode", "idle or any other; state does as well", needed),
			]),
			metric("system.memory.utilization", "gauge", "1", "Used share of the memory", [
				...HOST,
				text("system.memory.state", "With a series for each state only used counts; state does as well"),
			]),
			metric("system.filesystem.utilization", "gauge", "1", "Used share of a volume", [...HOST, DEVICE]),
			metric("system.filesystem.usage", "gauge", "By", "Used bytes of a volume", [...HOST, DEVICE]),
			metric("system.filesystem.limit", "gauge", "By", "Capacity of a volume", [...HOST, DEVICE]),
			metric("system.disk.io", "counter", "By", "Bytes read and written", [
				...HOST,
				DEVICE,
				text("disk.io.direction", "direction does as well", { ...needed, values: ["read", "write"] }),
			]),
			metric("system.network.io", "counter", "By", "Bytes received and sent", [
				...HOST,
				DEVICE,
				text("network.io.direction", "direction does as well", { ...needed, values: ["receive", "transmit"] }),
			]),
			metric("system.network.packet.dropped", "counter", "{packet}", "Packets that were dropped", [
				...HOST,
				text("network.io.direction", "direction does as well", { values: ["receive", "transmit"] }),
			]),
			metric("network.link.capacity", "gauge", "bit/s", "Speed of a link", [...HOST, DEVICE]),
			metric("system.cpu.load_average.1m", "gauge", "{thread}", "Load of the last minute", HOST),
			metric("system.cpu.load_average.5m", "gauge", "{thread}", "Load of five minutes", HOST),
			metric("system.cpu.load_average.15m", "gauge", "{thread}", "Load of fifteen minutes", HOST),
			metric("hw.temperature", "gauge", "Cel", "Temperature of a sensor", [...HOST, text("hw.id", "The sensor")]),
			metric("system.uptime", "gauge", "s", "Time since the host started", HOST),
			metric("gpu.utilization", "gauge", "1", "Used share of a graphics processor", [
				...HOST,
				text("device", "The processor"),
			]),
		],
	},
	{
		family: "probe",
		title: "Checks",
		records: [
			event("check.completed", "One run of a check", [
				text("check_id", "Which check", needed),
				text("component", "Part of the system that is checked", needed),
				text("location", "From where"),
				boolean("ok", "Whether it went well", needed),
				number("status_code", "Of an HTTP check"),
				number("duration_ms", "How long it took", { unit: "ms" }),
				text("error", "What went wrong"),
				text("status", "degraded: it went well, and was slow", { values: ["passed", "degraded", "failed"] }),
				number("dns_ms", "Of it the look-up; connect_ms, tls_ms, ttfb_ms and download_ms are the other phases", {
					unit: "ms",
				}),
				number("tls_days_left", "Days until the certificate expires", { unit: "d" }),
				number("quorum", "How many places must fail for the check to be down; absent, all"),
			]),
		],
	},
	{
		family: "node",
		title: "Nodes and peers",
		records: [
			event("node.heartbeat", "A node is alive. Up to two intervals without one are good, more are not", [
				NODE_ID,
				text("cluster_id", "Cluster of the node"),
				number("interval_s", "Seconds between heartbeats; absent, 60", { unit: "s" }),
				COMPONENT,
			]),
			metric("net.ping", "distribution", "ms", "Round trip between two nodes; a pair has no direction", [
				text("src", "Node that sent", needed),
				text("dst", "Node that answered; fl_server is the server of federated training", needed),
				number("sent", "Packets sent for this value"),
				number("received", "Packets that came back"),
			]),
			event("token.transaction", "A transaction of the token system", [
				COMPONENT,
				number("amount", "Of the transaction"),
			]),
		],
	},
	{
		family: "service",
		title: "State of services",
		records: [
			event("circuit_breaker.state_changed", "A circuit breaker opened or closed", [
				text("name", "Which breaker", needed),
				text("from", "State before", { values: ["closed", "open", "half_open"] }),
				text("to", "State from now on", { ...needed, values: ["closed", "open", "half_open"] }),
			]),
			event("process.started", "The root service started", [COMPONENT]),
		],
	},
	{
		family: "database",
		title: "Databases",
		records: [
			metric("db.client.operation.duration", "distribution", "s", "One point an operation", [
				DB,
				text("db.system.name", "postgresql, redis, …"),
			]),
			metric("db.client.connection.count", "gauge", "{connection}", "Connections of a pool", [
				DB,
				text("state", "db.client.connection.state does as well", { ...needed, values: ["idle", "used"] }),
			]),
			metric("db.client.connection.max", "gauge", "{connection}", "Most connections of a pool", [DB]),
			event("db.slow_query", "A slow operation, for a database that sends no durations", [
				DB,
				number("duration_ms", "How long it took", { unit: "ms" }),
			]),
		],
	},
];
