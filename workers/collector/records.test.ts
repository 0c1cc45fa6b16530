import { describe, expect, test } from "vitest";
import { metricRecord } from "../../schema/wire/ingest.ts";
import { type Readings, realVolumes, trafficInterfaces, type Volume } from "./readings.ts";
import { hostRecords } from "./records.ts";

const host = { id: "h1", name: "box" };
const AT = 1_700_000_000_000;

/** `name tag…` → value, without the tags of the host. */
function values(previous: Readings | undefined, now: Readings): Record<string, number> {
	const records = hostRecords(previous, now, host, AT);
	for (const record of records) {
		expect(record).toEqual(metricRecord.parse(record));
		expect(record).toMatchObject({ timestamp: AT, tags: { "host.id": "h1", "host.name": "box" } });
		// A question about a component finds hosts by other series; see hostRecords.
		expect(record.tags).not.toHaveProperty("component");
	}
	return Object.fromEntries(
		records.map(({ name, tags, value }) => {
			const { "host.id": _, "host.name": __, ...rest } = tags as Record<string, string>;
			return [[name, ...Object.values(rest)].join(" "), value];
		}),
	);
}

test("nothing read, nothing said", () => {
	expect(values(undefined, {})).toEqual({});
	expect(values({ cpu: { busy: 1, total: 2 }, disks: [], interfaces: [] }, {})).toEqual({});
});

describe("CPU", () => {
	test.each([
		["half of the ticks since the last reading", { busy: 100, total: 1_000 }, { busy: 150, total: 1_100 }, 0.5],
		["no tick has passed", { busy: 100, total: 1_000 }, { busy: 100, total: 1_000 }, undefined],
		["the totals went back", { busy: 100, total: 1_000 }, { busy: 10, total: 20 }, undefined],
		["the idle count went back for a moment", { busy: 100, total: 1_000 }, { busy: 120, total: 1_010 }, 1],
	])("%s", (_, before, now, expected) => {
		expect(values({ cpu: before }, { cpu: now })["system.cpu.utilization"]).toBe(expected);
	});

	test("the first reading gives none", () => {
		expect(values(undefined, { cpu: { busy: 900, total: 1_000 } })).toEqual({});
	});
});

test("memory in use leaves out what the kernel can take back", () => {
	expect(values(undefined, { memory: { total_bytes: 1_000, available_bytes: 600 } })).toEqual({
		"system.memory.utilization": 0.4,
		"system.memory.usage used": 400,
		"system.memory.limit": 1_000,
	});
});

test("a volume is as full as df says: what is kept for root is neither used nor free", () => {
	const volume: Volume = {
		...{ device: "/dev/a", mountpoint: "/", type: "ext4" },
		...{ size_bytes: 1_000, used_bytes: 300, available_bytes: 600 },
	};
	expect(values(undefined, { volumes: [volume] })).toEqual({
		"system.filesystem.utilization /dev/a / ext4": 300 / 900,
		"system.filesystem.usage /dev/a / ext4 used": 300,
		"system.filesystem.limit /dev/a / ext4": 900,
	});
});

describe("counters are increases", () => {
	const disk = (read_bytes: number, written_bytes: number, device = "sda") => ({ device, read_bytes, written_bytes });

	test("of what was read before, also of zero", () => {
		expect(values({ disks: [disk(100, 50)] }, { disks: [disk(130, 50)] })).toEqual({
			"system.disk.io sda read": 30,
			"system.disk.io sda write": 0,
		});
	});

	test("the first reading gives none, nor does that of a device that has just come", () => {
		expect(values(undefined, { disks: [disk(100, 50)] })).toEqual({});
		expect(values({ disks: [disk(1, 1)] }, { disks: [disk(100, 50, "sdb")] })).toEqual({});
	});

	test("a total that fell was reset: its new value is the increase", () => {
		expect(values({ disks: [disk(1_000, 50)] }, { disks: [disk(20, 60)] })).toEqual({
			"system.disk.io sda read": 20,
			"system.disk.io sda write": 10,
		});
	});

	test("of both directions of a network interface", () => {
		const at = (n: number) => [
			{ name: "eth0", received_bytes: n, sent_bytes: 2 * n, received_dropped: 3 * n, sent_dropped: 4 * n },
		];
		expect(values({ interfaces: at(10) }, { interfaces: at(11) })).toEqual({
			"system.network.io eth0 receive": 1,
			"system.network.io eth0 transmit": 2,
			"system.network.packet.dropped eth0 receive": 3,
			"system.network.packet.dropped eth0 transmit": 4,
		});
	});
});

test("load, link, temperature and uptime are as read", () => {
	const now: Readings = {
		load: [1, 2, 3],
		links: [{ name: "eth0", bits_per_second: 1e9 }],
		temperature_celsius: 45.5,
		uptime_s: 77,
	};
	expect(values(undefined, now)).toEqual({
		"system.cpu.load_average.1m": 1,
		"system.cpu.load_average.5m": 2,
		"system.cpu.load_average.15m": 3,
		"network.link.capacity eth0": 1e9,
		"hw.temperature cpu": 45.5,
		"system.uptime": 77,
	});
});

test("a volume counts once, at its shortest mount point, and only if it can fill up", () => {
	const volume = (device: string, mountpoint: string, type: string, size_bytes = 10): Volume => ({
		...{ device, mountpoint, type, size_bytes, used_bytes: 1, available_bytes: 9 },
	});
	const kept = realVolumes([
		volume("/dev/a", "/etc/hosts", "ext4"),
		volume("/dev/a", "/", "ext4"),
		volume("/dev/a", "/var/lib/docker", "ext4"),
		volume("/dev/b", "/srv/b", "xfs"),
		volume("/dev/b", "/srv/a", "xfs"),
		volume("tmpfs", "/run", "tmpfs"),
		volume("/dev/loop0", "/snap/core", "squashfs"),
		volume("overlay", "/var/lib/docker/overlay2/x/merged", "overlay"),
		volume("/dev/c", "/mnt", "ext4", 0),
		volume("nas:/export", "/nas", "nfs4"),
	]);
	expect(kept.map(({ mountpoint }) => mountpoint)).toEqual(["/", "/srv/a", "/nas"]);
	expect(realVolumes([volume("overlay", "/", "overlay")])).toHaveLength(1);
});

test("traffic is that of the physical interfaces, in a container that of its default route", () => {
	const one = (name: string, virtual: boolean, isDefault = false) => ({ name, virtual, default: isDefault });
	expect(trafficInterfaces([one("lo", true), one("eth0", false), one("eth1", false), one("br0", true, true)])).toEqual(
		new Set(["eth0", "eth1"]),
	);
	expect(trafficInterfaces([one("lo", true), one("eth0", true, true), one("tun0", true)])).toEqual(new Set(["eth0"]));
	expect(trafficInterfaces([one("lo", true, true)])).toEqual(new Set());
});
