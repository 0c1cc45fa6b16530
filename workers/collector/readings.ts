/** What was read from the host at one moment. A member that is missing could not be read, or is not there. */
export interface Readings {
	readonly cpu?: CpuTime;
	/** Runnable processes, mean over 1, 5 and 15 minutes. */
	readonly load?: readonly [number, number, number];
	readonly memory?: { readonly total_bytes: number; readonly available_bytes: number };
	readonly volumes?: readonly Volume[];
	readonly disks?: readonly DiskCounters[];
	readonly interfaces?: readonly InterfaceCounters[];
	readonly links?: readonly { readonly name: string; readonly bits_per_second: number }[];
	readonly temperature_celsius?: number;
	readonly uptime_s?: number;
}

/** Running totals over all CPUs, in ticks of any length: only their ratio is used. */
export interface CpuTime {
	readonly busy: number;
	readonly total: number;
}

export interface Volume {
	readonly device: string;
	readonly mountpoint: string;
	/** Of the file system, such as `ext4`. */
	readonly type: string;
	readonly size_bytes: number;
	readonly used_bytes: number;
	/** To unprivileged users, so used and available may be less than the size. */
	readonly available_bytes: number;
}

/** Running totals since the device came up. */
export interface DiskCounters {
	/** Missing where only the sum of all disks is known. */
	readonly device?: string;
	readonly read_bytes: number;
	readonly written_bytes: number;
}

/** Running totals since the interface came up. */
export interface InterfaceCounters {
	readonly name: string;
	readonly received_bytes: number;
	readonly sent_bytes: number;
	readonly received_dropped: number;
	readonly sent_dropped: number;
}

/** Memory, pseudo and read-only image file systems: no volume that could fill up. */
const UNREAL = new Set([
	...["tmpfs", "ramfs", "devtmpfs", "devfs", "efivarfs", "proc", "sysfs", "autofs", "cgroup", "cgroup2"],
	...["squashfs", "iso9660", "cramfs", "erofs", "udf", "fuse.lxcfs", "fuse.snapfuse", "fuse.portal"],
]);

/**
 * The volumes that can fill up, each device once: a bind mount shows the same disk again. The overlay of a container counts
 * at `/`, where it stands for the disk beneath.
 */
export function realVolumes(mounted: readonly Volume[]): Volume[] {
	const byDevice = new Map<string, Volume>();
	for (const volume of mounted) {
		if (volume.size_bytes <= 0 || UNREAL.has(volume.type)) continue;
		if (volume.type === "overlay" && volume.mountpoint !== "/") continue;
		const known = byDevice.get(volume.device);
		if (!known || before(volume.mountpoint, known.mountpoint)) byDevice.set(volume.device, volume);
	}
	return [...byDevice.values()];
}

/** The shortest mount point names a volume; of equally long ones the same on every sample. */
function before(a: string, b: string): boolean {
	return a.length < b.length || (a.length === b.length && a < b);
}

/** An interface as the kernel describes it. */
export interface Interface {
	readonly name: string;
	/** Made by software: loopback, bridge, tunnel, one end of a container's pair. */
	readonly virtual: boolean;
	/** The default route leaves by it. */
	readonly default: boolean;
}

/**
 * Names of the interfaces that carry the host's traffic: the physical ones, and where there is none (in a container) that of
 * the default route. All of them would count a packet once per bridge and tunnel that it passes.
 */
export function trafficInterfaces(all: readonly Interface[]): Set<string> {
	const physical = all.filter((one) => !one.virtual);
	const chosen = physical.length > 0 ? physical : all.filter((one) => one.default && one.name !== "lo");
	return new Set(chosen.map((one) => one.name));
}
