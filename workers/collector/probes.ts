/** What the host can be asked, each question alone: one that fails or hangs leaves the others' answers whole. */
import { readdir, readFile, realpath } from "node:fs/promises";
import { cpus, loadavg, uptime } from "node:os";
import { cpuTemperature, fsSize, fsStats, mem, networkInterfaces, networkStats } from "systeminformation";
import { parseDefaultRoutes, parseDiskstats, parseNetDev, parseStat } from "./proc.ts";
import { type Interface, type Readings, realVolumes, trafficInterfaces } from "./readings.ts";

export interface Probe {
	readonly name: string;
	/** Reads its part; an empty answer means that the host has no such thing. Throws when it cannot tell. */
	read(): Promise<Readings>;
}

/** The host answered with something that is no measurement. */
export class ProbeError extends Error {
	override readonly name = "ProbeError";
}

/** Which interfaces there are changes seldom, and to ask costs several files each. */
const INTERFACES_EVERY = 30;
/** A host that showed no sensor is asked again after so many samples: the question costs two shells. */
const NO_SENSOR_EVERY = 60;

/** The probes of this platform. */
export function hostProbes(platform: NodeJS.Platform = process.platform): Probe[] {
	return [...everywhere(), ...(platform === "linux" ? linux() : elsewhere())];
}

function everywhere(): Probe[] {
	let samplesWithoutSensor = NO_SENSOR_EVERY;
	return [
		{
			name: "memory",
			async read() {
				const { total, available } = await mem();
				return { memory: { total_bytes: positive(total, "total"), available_bytes: positive(available, "available") } };
			},
		},
		{
			name: "volumes",
			async read() {
				const mounted = await fsSize();
				const volumes = mounted.map(({ fs, mount, type, size, used, available }) => ({
					...{ device: fs, mountpoint: mount, type },
					...{ size_bytes: size, used_bytes: used, available_bytes: available },
				}));
				if (volumes.length === 0) throw new ProbeError("no file system was shown");
				return { volumes: realVolumes(volumes) };
			},
		},
		{
			name: "temperature",
			async read() {
				if (samplesWithoutSensor++ < NO_SENSOR_EVERY) return {};
				const { main } = await cpuTemperature();
				// Null is its "none", and so are 0 and -1 of some drivers.
				if (typeof main !== "number" || !(main > 0)) {
					samplesWithoutSensor = 1;
					return {};
				}
				return { temperature_celsius: main };
			},
		},
		{ name: "uptime", read: async () => ({ uptime_s: positive(uptime(), "uptime") }) },
	];
}

function linux(): Probe[] {
	const interfaces = every(INTERFACES_EVERY, listInterfaces);
	const disks = every(INTERFACES_EVERY, listDisks);
	return [
		{ name: "cpu", read: async () => ({ cpu: parseStat(await readFile("/proc/stat", "utf8")) }) },
		{ name: "load", read: async () => ({ load: loadavg() as [number, number, number] }) },
		{
			name: "disks",
			async read() {
				const real = await disks();
				const all = parseDiskstats(await readFile("/proc/diskstats", "utf8"));
				return { disks: all.filter(({ device }) => real.has(device)) };
			},
		},
		{
			name: "network",
			async read() {
				const chosen = trafficInterfaces(await interfaces());
				const all = parseNetDev(await readFile("/proc/net/dev", "utf8"));
				return { interfaces: all.filter(({ name }) => chosen.has(name)) };
			},
		},
		{
			name: "links",
			async read() {
				const chosen = [...trafficInterfaces(await interfaces())];
				const links = await Promise.all(chosen.map(async (name) => ({ name, bits_per_second: await linkSpeed(name) })));
				return { links: links.filter((link) => link.bits_per_second > 0) };
			},
		},
	];
}

/** Disks as such, whose traffic is not also that of another: no partition, no loop, RAM or mapped device. */
async function listDisks(): Promise<Set<string>> {
	const names = await readdir("/sys/block");
	const real = await Promise.all(names.map(async (name) => !(await isVirtual(`/sys/block/${name}`))));
	return new Set(names.filter((_, index) => real[index]));
}

async function listInterfaces(): Promise<Interface[]> {
	const defaults = parseDefaultRoutes(await readFile("/proc/net/route", "utf8"));
	const names = await readdir("/sys/class/net");
	return Promise.all(
		names.map(async (name) => ({
			name,
			virtual: await isVirtual(`/sys/class/net/${name}`),
			default: defaults.has(name),
		})),
	);
}

async function isVirtual(device: string): Promise<boolean> {
	return (await realpath(device)).includes("/devices/virtual/");
}

/** bit/s; 0 where the driver does not know, as that of a virtual machine or of a wireless card. */
async function linkSpeed(name: string): Promise<number> {
	// EINVAL is the kernel's "not known".
	const megabits = Number(await readFile(`/sys/class/net/${name}/speed`, "utf8").catch(() => "-1"));
	return megabits > 0 ? megabits * 1_000_000 : 0;
}

/** Other systems than Linux, as far as the library reaches. */
function elsewhere(): Probe[] {
	const interfaces = every(INTERFACES_EVERY, async () => {
		const all = [await networkInterfaces()].flat();
		return all.filter((one) => !one.internal && !one.virtual && one.operstate === "up");
	});
	return [
		{
			name: "cpu",
			async read() {
				const times = cpus().map((cpu) => cpu.times);
				const total = times.reduce((sum, { user, nice, sys, idle, irq }) => sum + user + nice + sys + idle + irq, 0);
				return {
					cpu: { busy: total - times.reduce((sum, { idle }) => sum + idle, 0), total: positive(total, "CPU time") },
				};
			},
		},
		{
			name: "load",
			read: async () => (process.platform === "win32" ? {} : { load: loadavg() as [number, number, number] }),
		},
		{
			name: "disks",
			async read() {
				const stats = (await fsStats()) as { rx: number; wx: number } | null;
				return stats && stats.rx > 0 ? { disks: [{ read_bytes: stats.rx, written_bytes: stats.wx }] } : {};
			},
		},
		{
			name: "network",
			async read() {
				const chosen = (await interfaces()).map(({ iface }) => iface);
				if (chosen.length === 0) return {};
				// A failed reading shows as zeros in its answer, which would look like a reset.
				const stats = (await networkStats(chosen.join(","))).filter((one) => one.rx_bytes > 0 || one.tx_bytes > 0);
				return {
					interfaces: stats.map((one) => ({
						name: one.iface,
						...{ received_bytes: one.rx_bytes, sent_bytes: one.tx_bytes },
						...{ received_dropped: one.rx_dropped, sent_dropped: one.tx_dropped },
					})),
				};
			},
		},
		{
			name: "links",
			async read() {
				const links = (await interfaces()).map(({ iface, speed }) => ({
					name: iface,
					bits_per_second: (speed ?? 0) * 1e6,
				}));
				return { links: links.filter((link) => link.bits_per_second > 0) };
			},
		},
	];
}

/** Asks at the first call and then at every `count`-th; a failure is asked again at once. */
function every<T>(count: number, ask: () => Promise<T>): () => Promise<T> {
	let answer: Promise<T> | undefined;
	let calls = 0;
	return () => {
		if (!answer || calls++ >= count) {
			calls = 0;
			const asked = ask();
			answer = asked;
			asked.catch(() => {
				answer = undefined;
			});
		}
		return answer;
	};
}

function positive(value: number, what: string): number {
	if (!(Number.isFinite(value) && value > 0)) throw new ProbeError(`${what} is ${value}`);
	return value;
}
