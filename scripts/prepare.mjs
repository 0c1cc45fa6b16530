// What a fresh clone lacks: npm packages and redis-server. Each step is skipped in milliseconds when it is not needed,
// says in one line what it does when it is, and in one line what to do by hand where it may not.
import { spawn, spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseEnv } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));

export class SetupError extends Error {
	name = "SetupError";
}

/** Runs `npm ci` unless node_modules holds exactly what package-lock.json says. */
export async function ensurePackages() {
	const reason = whyPackagesAreStale(
		JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")),
		readJson(join(root, "node_modules/.package-lock.json")),
	);
	if (!reason) return;
	console.error(`setup: installing npm packages (${reason})`);
	// NODE_ENV=production would leave out the compiler; the program is built from source here.
	const options = ["--include=dev", "--loglevel=error"];
	let { status, said } = await npm("ci", ...options);
	if (status !== 0 && said.includes("EUSAGE")) {
		// A lock file that was made where a package for another platform could not be had lacks that platform, and
		// `npm ci` refuses it there. The versions of everything else still come from it.
		console.error("setup: package-lock.json lacks packages of this platform, adding them");
		({ status, said } = await npm("install", "--no-save", ...options));
	}
	if (status === 0) return;
	process.stderr.write(said);
	throw new SetupError("npm could not install the packages; its own message is above");
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
	const byHand = "install redis-server (Debian, Ubuntu: apt-get install redis-server) or set REDIS_URL";
	installByApt("redis-server", "no redis-server on the PATH", byHand);
}

/** Installs OpenStack Swift, the S3 server that the tests of exports start. */
export function ensureS3Server() {
	if (run(["/usr/bin/python3", "-c", 'import importlib.util as u, sys; sys.exit(u.find_spec("swift") is None)']).ok)
		return;
	const byHand = "install OpenStack Swift for /usr/bin/python3 (Debian, Ubuntu: apt-get install python3-swift)";
	installByApt("python3-swift", "no OpenStack Swift, which the tests use as S3 server", byHand);
}

function installByApt(name, lacking, byHand) {
	const apt = onPath("apt-get");
	const asRoot =
		process.getuid?.() === 0 ? [] : onPath("sudo") && run(["sudo", "-n", "true"]).ok ? ["sudo", "-n"] : null;
	if (!apt) throw new SetupError(`${lacking} and no apt-get here: ${byHand}`);
	if (!asRoot) throw new SetupError(`${lacking}, and neither root nor password-less sudo: ${byHand}`);
	console.error(`setup: installing ${name} with apt-get`);
	const aptGet = [...asRoot, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"];
	const install = [...aptGet, "install", "-y", "--no-install-recommends", name];
	// A fresh image has no package lists, an old one has lists whose files are gone: both are cured by an update.
	if (run(install).ok) return;
	// An update that fails for one of several sources is good enough if the package is then found.
	const updated = run([...aptGet, "update"]);
	const installed = run(install);
	if (installed.ok) return;
	process.stderr.write(updated.said + installed.said);
	throw new SetupError(`apt-get could not install ${name}, its own message is above: ${byHand}`);
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

/** Runs npm, and hands it the signals that come meanwhile, or it would go on alone. */
async function npm(...args) {
	const own = process.env.npm_execpath;
	const [command, ...first] = own ? [process.execPath, own] : ["npm"];
	const child = spawn(command, [...first, ...args], { cwd: root, stdio: ["ignore", "inherit", "pipe"] });
	const pass = (signal) => child.kill(signal);
	for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, pass);
	let said = "";
	child.stderr.setEncoding("utf8").on("data", (text) => {
		said += text;
	});
	const [status, signal] = await new Promise((resolve) => {
		child.once("error", (error) => resolve([error.message]));
		child.once("close", (...how) => resolve(how));
	});
	for (const name of ["SIGINT", "SIGTERM"]) process.off(name, pass);
	if (signal) throw new SetupError(`npm was ended by ${signal}`);
	if (typeof status === "string") throw new SetupError(`npm cannot be run (${status})`);
	return { status, said };
}

/** Runs a command without showing what it says. */
function run([command, ...args]) {
	const { status, stderr } = spawnSync(command, args, { stdio: ["ignore", "ignore", "pipe"], encoding: "utf8" });
	return { ok: status === 0, said: stderr ?? "" };
}
