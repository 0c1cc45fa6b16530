/** From readings of the host to metric records under OpenTelemetry's names. */
import type { MetricPoint } from "../../schema/wire/ingest.ts";
import type { Readings } from "./readings.ts";

export interface Host {
	readonly id: string;
	readonly name: string;
}

/**
 * Records of one sample. Counters are the increase since `previous`: none for what was not read before. A total that fell was
 * reset, and what it shows now is the increase since.
 *
 * They carry no `component`: a machine runs several. A question about a component finds its hosts by the series that carry
 * both, such as those of Tidemark's own processes.
 *
 * @param previous the last reading of each kind, undefined on the first sample
 * @param at_ms milliseconds since the epoch
 */
export function hostRecords(previous: Readings | undefined, now: Readings, host: Host, at_ms: number): MetricPoint[] {
	const records: MetricPoint[] = [];
	const add = (name: string, kind: "gauge" | "counter", unit: string, value: number | undefined, tags: Tags = {}) => {
		if (value === undefined) return;
		const all = { "host.id": host.id, "host.name": host.name, ...tags };
		records.push({ name, kind, unit, value, timestamp: at_ms, tags: all });
	};
	const gauge = (name: string, unit: string, value: number | undefined, tags?: Tags) =>
		add(name, "gauge", unit, value, tags);
	const counter = (name: string, unit: string, before: number | undefined, total: number, tags: Tags) =>
		add(name, "counter", unit, before === undefined ? undefined : total < before ? total : total - before, tags);

	gauge("system.cpu.utilization", "1", cpuUtilization(previous, now));
	for (const [index, minutes] of ["1m", "5m", "15m"].entries()) {
		gauge(`system.cpu.load_average.${minutes}`, "{thread}", now.load?.[index]);
	}
	if (now.memory) {
		const { total_bytes, available_bytes } = now.memory;
		const used = total_bytes - available_bytes;
		gauge("system.memory.utilization", "1", used / total_bytes);
		gauge("system.memory.usage", "By", used, { "system.memory.state": "used" });
		gauge("system.memory.limit", "By", total_bytes);
	}
	for (const { device, mountpoint, type, used_bytes, available_bytes } of now.volumes ?? []) {
		const tags = {
			"system.device": device,
			"system.filesystem.mountpoint": mountpoint,
			"system.filesystem.type": type,
		};
		// As df has it: a part that only root may fill, or that a quota keeps back, is neither used nor free. The limit leaves it
		// out too, so that usage ÷ limit is the utilization and a volume on which writes fail is at 100 %.
		const usable = used_bytes + available_bytes;
		gauge("system.filesystem.utilization", "1", usable > 0 ? used_bytes / usable : undefined, tags);
		gauge("system.filesystem.usage", "By", used_bytes, { ...tags, "system.filesystem.state": "used" });
		gauge("system.filesystem.limit", "By", usable, tags);
	}
	for (const disk of now.disks ?? []) {
		const before = previous?.disks?.find((other) => other.device === disk.device);
		const tags = disk.device === undefined ? {} : { "system.device": disk.device };
		const io = (direction: string, from: number | undefined, to: number) =>
			counter("system.disk.io", "By", from, to, { ...tags, "disk.io.direction": direction });
		io("read", before?.read_bytes, disk.read_bytes);
		io("write", before?.written_bytes, disk.written_bytes);
	}
	for (const one of now.interfaces ?? []) {
		const before = previous?.interfaces?.find((other) => other.name === one.name);
		const count = (name: string, unit: string, direction: string, from: number | undefined, to: number) =>
			counter(name, unit, from, to, { "network.interface.name": one.name, "network.io.direction": direction });
		count("system.network.io", "By", "receive", before?.received_bytes, one.received_bytes);
		count("system.network.io", "By", "transmit", before?.sent_bytes, one.sent_bytes);
		const dropped = "system.network.packet.dropped";
		count(dropped, "{packet}", "receive", before?.received_dropped, one.received_dropped);
		count(dropped, "{packet}", "transmit", before?.sent_dropped, one.sent_dropped);
	}
	for (const { name, bits_per_second } of now.links ?? []) {
		gauge("network.link.capacity", "bit/s", bits_per_second, { "network.interface.name": name });
	}
	gauge("hw.temperature", "Cel", now.temperature_celsius, { "hw.id": "cpu" });
	gauge("system.uptime", "s", now.uptime_s);
	return records;
}

type Tags = Readonly<Record<string, string>>;

/** Mean over all CPUs since the last reading; undefined without one, or when no tick has passed. */
function cpuUtilization(previous: Readings | undefined, now: Readings): number | undefined {
	if (!previous?.cpu || !now.cpu) return undefined;
	const total = now.cpu.total - previous.cpu.total;
	const busy = now.cpu.busy - previous.cpu.busy;
	// Linux lets single idle counters run back for a moment when a CPU goes off line.
	return total > 0 ? Math.min(1, Math.max(0, busy / total)) : undefined;
}
