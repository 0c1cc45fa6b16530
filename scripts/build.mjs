// Compiles the program into dist/: TypeScript, and the files that compiled code reads at run time.
// As a script (`npm run build`) it always builds, with --if-stale only when a source changed since the last build.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
	cpSync,
	existsSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	statSync,
	writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { SetupError } from "./prepare.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "dist");
const stamp = join(dist, ".built-from");
const ASSETS = ["schema/migrations"];
const NOT_SOURCE = new Set(["node_modules", "dist", "data", "tests"]);

export function ensureBuild() {
	if (existsSync(stamp) && readFileSync(stamp, "utf8") === fingerprint()) return;
	console.error("setup: building");
	build();
}

function build() {
	// Taken first: what is edited while the compiler runs makes the next start build again.
	const before = fingerprint();
	// Beside dist, so that source maps point to the same places, and moved over it when all is well: programs that run
	// from dist meanwhile never load half a file, and a build that fails leaves them the last good one.
	const next = join(root, `.dist-${process.pid}`);
	try {
		const tsc = join(root, "node_modules/typescript/bin/tsc");
		const args = ["-p", "tsconfig.build.json", "--outDir", next];
		const { status } = spawnSync(process.execPath, [tsc, ...args], { cwd: root, stdio: "inherit" });
		if (status !== 0) throw new SetupError("the build failed; the compiler's message is above");
		for (const asset of ASSETS) cpSync(join(root, asset), join(next, asset), { recursive: true });
		moveOver(next, dist);
		writeFileSync(stamp, before);
	} finally {
		rmSync(next, { recursive: true, force: true });
	}
}

/** Makes `to` hold what `from` holds, touching only what differs. */
function moveOver(from, to) {
	const wanted = new Set(filesOf(from));
	for (const file of wanted) {
		const [source, target] = [join(from, file), join(to, file)];
		if (existsSync(target) && readFileSync(source).equals(readFileSync(target))) continue;
		mkdirSync(dirname(target), { recursive: true });
		renameSync(source, target);
	}
	if (!existsSync(to)) return;
	for (const file of filesOf(to))
		if (!wanted.has(file) && join(to, file) !== stamp) rmSync(join(to, file), { force: true });
}

function filesOf(folder) {
	const entries = readdirSync(folder, { withFileTypes: true, recursive: true });
	return entries
		.filter((entry) => entry.isFile())
		.map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

/** Changes when a source file is edited, added, removed or renamed; reads no contents, so it takes milliseconds. */
function fingerprint() {
	const hash = createHash("sha256");
	for (const file of sources(root)) {
		const { size, mtimeMs } = statSync(join(root, file));
		hash.update(`${file}\0${size}\0${mtimeMs}\n`);
	}
	return hash.digest("hex");
}

function sources(folder, prefix = "") {
	return readdirSync(folder, { withFileTypes: true })
		.flatMap((entry) => {
			if (entry.name.startsWith(".") || NOT_SOURCE.has(entry.name)) return [];
			const path = `${prefix}${entry.name}`;
			if (entry.isDirectory()) return sources(join(folder, entry.name), `${path}/`);
			return /\.(ts|sql|json)$/.test(entry.name) && !entry.name.endsWith(".test.ts") ? [path] : [];
		})
		.sort();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	try {
		if (process.argv.includes("--if-stale")) ensureBuild();
		else build();
	} catch (error) {
		if (error.name !== "SetupError") throw error;
		console.error(`build: ${error.message}`);
		process.exitCode = 1;
	}
}
