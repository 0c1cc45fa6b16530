// The set-up inside `npm start` and `npm test`, run in a copy of the checkout with stand-ins for npm and apt-get.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
	chmodSync,
	cpSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
let copy: string;
let bin: string;

beforeEach(() => {
	copy = mkdtempSync(join(tmpdir(), "tidemark-setup-"));
	bin = join(copy, "bin");
	mkdirSync(bin);
	cpSync(join(root, "scripts"), join(copy, "scripts"), { recursive: true });
	for (const file of ["package.json", "package-lock.json", "tsconfig.json", "tsconfig.build.json"]) {
		cpSync(join(root, file), join(copy, file));
	}
	for (const tool of ["sh", "env", "cp", "chmod"]) symlinkSync(join("/bin", tool), join(bin, tool));
	command("redis-server", "exit 0");
});

afterEach(() => rmSync(copy, { recursive: true, force: true }));

function command(name: string, script: string): void {
	writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
	chmodSync(join(bin, name), 0o755);
}

function setup(args: string[], env: Record<string, string> = {}): { status: number | null; out: string; err: string } {
	const { status, stdout, stderr } = spawnSync(process.execPath, ["scripts/setup.mjs", ...args], {
		cwd: copy,
		env: { PATH: bin, ...env },
		encoding: "utf8",
	});
	return { status, out: stdout, err: stderr };
}

test("a clone without packages runs npm ci, with the compiler even in production", () => {
	const npm = join(copy, "npm.mjs");
	writeFileSync(npm, "console.log(process.argv.slice(2).join(' '))");
	const { status, out, err } = setup(["install"], { npm_execpath: npm, NODE_ENV: "production" });
	expect({ status, err }).toEqual({ status: 0, err: "setup: installing npm packages (none are installed)\n" });
	expect(out).toContain("ci --include=dev");
});

test("a lock file that moved on runs npm ci and names the package", () => {
	const npm = join(copy, "npm.mjs");
	writeFileSync(npm, "");
	mkdirSync(join(copy, "node_modules"));
	writeFileSync(
		join(copy, "node_modules/.package-lock.json"),
		JSON.stringify({ packages: { "node_modules/a": { version: "1.0.0" } } }),
	);
	writeFileSync(
		join(copy, "package-lock.json"),
		JSON.stringify({ packages: { "": {}, "node_modules/a": { version: "1.0.1" } } }),
	);
	expect(setup(["install"], { npm_execpath: npm }).err).toBe("setup: installing npm packages (a 1.0.1 is missing)\n");
});

test("a failing npm ci is told with npm's own words and exit code 1", () => {
	const npm = join(copy, "npm.mjs");
	writeFileSync(npm, "console.error('no network'); process.exit(7)");
	const { status, err } = setup(["start"], { npm_execpath: npm });
	expect(status).toBe(1);
	expect(err.split("\n").slice(1)).toEqual([
		"no network",
		"setup: npm could not install the packages; its own message is above",
		"",
	]);
});

test("a lock file that was made on another platform is completed, not refused", () => {
	const npm = join(copy, "npm.mjs");
	writeFileSync(
		npm,
		"if (process.argv[2] === 'ci') { console.error('npm error code EUSAGE'); process.exit(1); } console.log(process.argv.slice(2).join(' '));",
	);
	const { status, out, err } = setup(["install"], { npm_execpath: npm });
	expect(status).toBe(0);
	expect(out).toContain("install --no-save --include=dev");
	expect(err.split("\n")[1]).toBe("setup: package-lock.json lacks packages of this platform, adding them");
});

test("a signal during the installation ends npm too", async () => {
	const npm = join(copy, "npm.mjs");
	writeFileSync(npm, "setInterval(() => {}, 1000); console.log(process.pid);");
	const child = spawn(process.execPath, ["scripts/setup.mjs", "install"], {
		cwd: copy,
		env: { PATH: bin, npm_execpath: npm },
		stdio: ["ignore", "pipe", "ignore"],
	});
	const [pid] = await once(child.stdout, "data");
	child.kill("SIGTERM");
	expect(await once(child, "close")).toEqual([1, null]);
	expect(() => process.kill(Number(pid), 0)).toThrow(/ESRCH/);
});

test("start builds once, then goes on in the same process; a warm start says nothing", () => {
	symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
	mkdirSync(join(copy, "schema/migrations"), { recursive: true });
	const program = (word: string) =>
		writeFileSync(join(copy, "main.ts"), `console.log("${word}", ...process.argv.slice(2));\n`);
	program("first");
	expect(setup(["start", "--demo"])).toEqual({ status: 0, out: "first start --demo\n", err: "setup: building\n" });
	expect(setup(["start"])).toEqual({ status: 0, out: "first start\n", err: "" });
	program("second");
	expect(setup(["start"])).toEqual({ status: 0, out: "second start\n", err: "setup: building\n" });
});

test("a build replaces only what changed, and leaves nothing of what is gone", () => {
	symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
	mkdirSync(join(copy, "schema/migrations"), { recursive: true });
	writeFileSync(join(copy, "schema/migrations/1.sql"), "SELECT 1");
	writeFileSync(join(copy, "main.ts"), 'import "./old.ts";\n');
	for (const name of ["old.ts", "same.ts"]) writeFileSync(join(copy, name), `export const name = "${name}";\n`);
	setup(["start"]);
	const [same, main] = ["dist/same.js", "dist/main.js"].map((file) => statSync(join(copy, file)).ino);
	rmSync(join(copy, "old.ts"));
	writeFileSync(join(copy, "main.ts"), "export {};\n");
	expect(setup(["start"]).err).toBe("setup: building\n");
	expect(readdirSync(join(copy, "dist"), { recursive: true })).toEqual(
		expect.arrayContaining(["main.js", "main.js.map", "schema/migrations/1.sql"]),
	);
	expect(existsSync(join(copy, "dist/old.js"))).toBe(false);
	expect(statSync(join(copy, "dist/same.js")).ino).toBe(same);
	expect(statSync(join(copy, "dist/main.js")).ino).not.toBe(main);
	const map = JSON.parse(readFileSync(join(copy, "dist/main.js.map"), "utf8")) as { sources: string[] };
	expect(map.sources).toEqual(["../main.ts"]);
	expect(readdirSync(copy).filter((name) => name.startsWith(".dist"))).toEqual([]);
});

test("a build that fails is told and not taken for done", () => {
	symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
	mkdirSync(join(copy, "schema/migrations"), { recursive: true });
	writeFileSync(join(copy, "main.ts"), "const n: number = 'text';\nconsole.log(n);\n");
	for (const _ of [1, 2]) {
		const { status, err } = setup(["start"]);
		expect(status).toBe(1);
		expect(err).toContain("setup: the build failed");
	}
});

test("redis-server is installed through apt-get, with an update when the lists are empty", () => {
	symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
	rmSync(join(bin, "redis-server"));
	command("sudo", 'shift\nexec "$@"');
	command("true", "exit 0");
	// Installs only after an update, as a fresh image does.
	command(
		"apt-get",
		`case "$*" in *update*) cp ${bin}/sh ${bin}/updated;; *) [ -e ${bin}/updated ] && cp ${bin}/sh ${bin}/redis-server;; esac`,
	);
	expect(setup(["install"])).toEqual({ status: 0, out: "", err: "setup: installing redis-server with apt-get\n" });
	expect(setup(["install"])).toEqual({ status: 0, out: "", err: "" });
});

test("when apt-get fails, its own words and what to do are shown", () => {
	symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
	rmSync(join(bin, "redis-server"));
	command("sudo", 'shift\nexec "$@"');
	command("true", "exit 0");
	command("apt-get", "echo E: no such package >&2; exit 100");
	const { status, err } = setup(["install"]);
	expect(status).toBe(1);
	expect(err.split("\n").slice(1, 4)).toEqual([
		"E: no such package",
		"E: no such package",
		expect.stringMatching(/^setup: apt-get could not install redis-server, .* or set REDIS_URL$/),
	]);
});

test("where redis-server cannot be installed, one line says what to do", () => {
	symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
	rmSync(join(bin, "redis-server"));
	const { status, err } = setup(["start"]);
	expect(status).toBe(1);
	expect(err).toMatch(
		/^setup: no redis-server on the PATH and no apt-get here: install redis-server .* or set REDIS_URL\n$/,
	);
});

test("REDIS_URL, also from .env, makes redis-server unnecessary to start", () => {
	symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
	mkdirSync(join(copy, "schema/migrations"), { recursive: true });
	rmSync(join(bin, "redis-server"));
	writeFileSync(join(copy, "main.ts"), "console.log('up');\n");
	writeFileSync(join(copy, ".env"), "REDIS_URL=redis://redis.example:6379\n");
	expect(setup(["start"]).out).toBe("up\n");
});

test("Node below the minimum is one line and exit code 1", () => {
	writeFileSync(join(copy, "package.json"), JSON.stringify({ type: "module", engines: { node: ">=99.1" } }));
	expect(setup(["start"])).toEqual({
		status: 1,
		out: "",
		err: `Tidemark needs Node >=99.1, this is ${process.versions.node}. Install a newer Node.\n`,
	});
});

test("the lock file names the packages of every platform, or npm ci refuses it; else run scripts/complete-lockfile.mjs", () => {
	const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
		packages: Record<string, { optionalDependencies?: Record<string, string>; resolved?: string }>;
	};
	const paths = Object.keys(lock.packages);
	const wanted = Object.values(lock.packages).flatMap((one) => Object.keys(one.optionalDependencies ?? {}));
	expect(wanted.length).toBeGreaterThan(0);
	expect(wanted.filter((name) => !paths.some((path) => path.endsWith(`node_modules/${name}`)))).toEqual([]);
});
