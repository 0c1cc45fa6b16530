// Compiles the program into dist/: TypeScript, and the files that compiled code reads at run time.
// As a script (`npm run build`) it always builds; `ensureBuild()` only when a source changed since the last build.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { SetupError } from "./prepare.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const stamp = join(root, "dist/.built-from");
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
	const tsc = join(root, "node_modules/typescript/bin/tsc");
	const { status } = spawnSync(process.execPath, [tsc, "-p", "tsconfig.build.json"], { cwd: root, stdio: "inherit" });
	if (status !== 0) throw new SetupError("the build failed; the compiler's message is above");
	for (const asset of ASSETS) cpSync(join(root, asset), join(root, "dist", asset), { recursive: true });
	mkdirSync(join(root, "dist"), { recursive: true });
	writeFileSync(stamp, before);
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
		build();
	} catch (error) {
		if (error.name !== "SetupError") throw error;
		console.error(`build: ${error.message}`);
		process.exitCode = 1;
	}
}
