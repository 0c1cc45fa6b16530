// Adds to package-lock.json the packages of other platforms that npm left out of it, as it does when it cannot see them
// (npm/cli#4828). Without them `npm ci` refuses the lock file. Run it after `npm install some-package`; a test tells when.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const OS = ["aix", "android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony", "sunos", "win32"];
const CPU = ["arm", "arm64", "ia32", "loong64", "mips64el", "ppc64", "riscv64", "s390x", "wasm32", "x64"];

const path = fileURLToPath(new URL("../package-lock.json", import.meta.url));
const lock = JSON.parse(readFileSync(path, "utf8"));
for (const parent of Object.values(lock.packages)) {
	for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
		const known = Object.keys(lock.packages).some((at) => at.endsWith(`node_modules/${name}`));
		if (!known) lock.packages[`node_modules/${name}`] = entry(name, version, parent.dev);
	}
}
const { "": root, ...packages } = lock.packages;
const sorted = Object.entries(packages).sort(([a], [b]) => a.localeCompare(b, "en"));
lock.packages = { "": root, ...Object.fromEntries(sorted) };
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);

/** What the name tells: `binding-linux-arm-gnueabihf` is for Linux on ARM with glibc. */
function entry(name, version, dev) {
	if (!/^\d+\.\d+\.\d+/.test(version)) throw new Error(`${name} is not of one version: ${version}`);
	const words = name.split("/").at(-1).split("-");
	const cpu = CPU.filter((one) => words.includes(one));
	const os = OS.filter((one) => words.includes(one));
	const libc = words.some((word) => word.startsWith("musl"))
		? "musl"
		: words.some((word) => word.startsWith("gnu")) && "glibc";
	return { version, cpu, ...(dev && { dev }), ...(libc && { libc: [libc] }), optional: true, os };
}
