// What a fresh clone lacks: npm packages and redis-server. Each step is skipped in milliseconds when it is not needed,
// says in one line what it does when it is, and in one line what to do by hand where it may not.
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseEnv } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));

export class SetupError extends Error {
	name = "SetupError";
}

/** Runs `npm ci` unless node_modules holds exactly what package-lock.json says. */
export function ensurePackages() {
	const reason = whyPackagesAreStale(
		JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")),
		readJson(join(root, "node_modules/.package-lock.json")),
	);
	if (!reason) return;
	console.error(`setup: installing npm packages (${reason})`);
	// NODE_ENV=production would leave out the compiler; the program is built from source here.
	const npm = process.env.npm_execpath ? [process.execPath, process.env.npm_execpath] : ["npm"];
	run([...npm, "ci", "--include=dev", "--loglevel=error"], "npm ci failed; its own message is above");
}

/**
 * Compares the lock file with npm's record of what it last installed (`node_modules/.package-lock.json`, written at the
 * end of an install, so an interrupted one leaves none). A hash of the lock file kept beside it would be simpler, but
 * after `npm install some-package` it would reinstall everything for nothing.
 *
 * @returns why an install is needed, or undefined
 */
export function whyPackagesAreStale(lock, installed) {
	if (!installed) return "none are installed";
	for (const [path, wanted] of Object.entries(lock.packages)) {
		if (path === "") continue;
		const found = installed.packages[path];
		// Optional packages of other platforms are in the lock file and never on the disk.
		if (!found && (wanted.optional || wanted.devOptional)) continue;
		if (found?.version !== wanted.version) return `${path.replace(/^node_modules\//, "")} ${wanted.version} is missing`;
	}
	return undefined;
}

/**
 * Installs redis-server when none is on the PATH. Not needed when REDIS_URL names a running one, except by the tests
 * (`always`), which start their own.
 */
export function ensureRedis({ always }) {
	if (!always && (process.env.REDIS_URL || readDotEnv().REDIS_URL)) return;
	if (onPath("redis-server")) return;
	const apt = onPath("apt-get");
	const asRoot =
		process.getuid?.() === 0 ? [] : onPath("sudo") && quiet(["sudo", "-n", "true"]) ? ["sudo", "-n"] : null;
	const byHand = "install redis-server (Debian, Ubuntu: apt-get install redis-server) or set REDIS_URL";
	if (!apt) throw new SetupError(`no redis-server on the PATH and no apt-get here: ${byHand}`);
	if (!asRoot) throw new SetupError(`no redis-server on the PATH, and neither root nor password-less sudo: ${byHand}`);
	console.error("setup: installing redis-server with apt-get");
	const aptGet = [...asRoot, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"];
	const install = [...aptGet, "install", "-y", "--no-install-recommends", "redis-server"];
	// A fresh image has no package lists, an old one has lists whose files are gone: both are cured by an update.
	if (quiet(install) || (quiet([...aptGet, "update"]) && quiet(install, "shown"))) {
		if (onPath("redis-server")) return;
	}
	throw new SetupError(`apt-get could not install redis-server: ${byHand}`);
}

function onPath(name) {
	return (process.env.PATH ?? "").split(delimiter).some((dir) => dir !== "" && isExecutable(join(dir, name)));
}

function isExecutable(path) {
	try {
		accessSync(path, constants.X_OK);
		return true;
	} catch {
		return false;
	}
}

function readDotEnv() {
	const path = join(root, ".env");
	return existsSync(path) ? parseEnv(readFileSync(path, "utf8")) : {};
}

function readJson(path) {
	return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : undefined;
}

function run([command, ...args], failure) {
	const { status, error } = spawnSync(command, args, { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
	if (error) throw new SetupError(`${failure} (${error.message})`);
	if (status !== 0) throw new SetupError(failure);
}

/** Runs a command without showing its output (or, asked to, showing its errors); true when it went well. */
function quiet([command, ...args], errors = "hidden") {
	const stderr = errors === "shown" ? "inherit" : "ignore";
	return spawnSync(command, args, { stdio: ["ignore", "ignore", stderr] }).status === 0;
}
