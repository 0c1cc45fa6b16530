// The import table is enforced by biome.json; here is the table again, so that neither can lose a line unseen.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const biome = join(root, "node_modules/@biomejs/biome/bin/biome");
const FOLDERS = ["schema", "engine", "http", "ingest", "query", "workers", "client", "cli", "web"];
const MAY_IMPORT: Record<string, string[]> = {
	schema: [],
	engine: ["schema"],
	http: ["schema"],
	ingest: ["schema", "http"],
	query: ["schema", "http"],
	workers: ["schema", "query/measures"],
	client: ["schema/wire"],
	cli: ["client", "schema/wire"],
	web: ["client"],
};
const ONLY_IN: Record<string, string> = { "@clickhouse/client": "schema", chdb: "engine", bullmq: "workers" };

let folder: string;
beforeAll(() => {
	folder = mkdtempSync(join(tmpdir(), "tidemark-imports-"));
	cpSync(join(root, "biome.json"), join(folder, "biome.json"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The imports, of those given, that the linter refuses in a file. */
function refused(file: string, imports: string[]): string[] {
	const path = join(folder, file);
	mkdirSync(dirname(path), { recursive: true });
	writeFileSync(path, imports.map((name, index) => `import * as a${index} from "${name}";\n`).join(""));
	const { stdout, error } = spawnSync(
		process.execPath,
		[biome, "lint", "--vcs-enabled=false", "--max-diagnostics=none", "--reporter=github", file],
		{ cwd: folder, encoding: "utf8" },
	);
	if (error) throw error;
	const lines = [...stdout.matchAll(/title=lint\/style\/noRestrictedImports.*?[ ,]line=(\d+)/g)].map(([, line]) =>
		Number(line),
	);
	return imports.filter((_, index) => lines.includes(index + 1));
}

test.each(FOLDERS)("%s imports what the table allows and nothing else", (from) => {
	const others = [...FOLDERS, "query/measures", "schema/wire"].filter(
		(other) => other !== from && !other.startsWith(`${from}/`),
	);
	const allowed = (other: string) => MAY_IMPORT[from]!.some((may) => `${other}/`.startsWith(`${may}/`));
	const forbidden = others.filter((other) => !allowed(other));
	const packages = Object.keys(ONLY_IN).filter((name) => ONLY_IN[name] !== from);
	for (const [file, up] of [
		[`${from}/made-up.ts`, "../"],
		[`${from}/deeper/made-up.ts`, "../../"],
	] as const) {
		const paths = others.map((other) => `${up}${other}/made-up.ts`);
		const expected = [...forbidden.map((other) => `${up}${other}/made-up.ts`), ...packages];
		expect(refused(file, [...paths, ...Object.keys(ONLY_IN)]), file).toEqual(expected);
	}
});

test("nothing but the start reads the settings: they are passed in", () => {
	for (const from of FOLDERS) {
		const starting = ["../config.ts", "../main.ts", "../settings.ts"];
		expect(refused(`${from}/made-up.ts`, starting)).toEqual(starting);
	}
});

test("tests may import what they need", () => {
	expect(refused("ingest/made-up.test.ts", ["../engine/made-up.ts", "chdb", "@clickhouse/client"])).toEqual([]);
});

test("the compiled SDK imports nothing but itself, so it runs in a browser", () => {
	const client = join(root, "dist/client");
	const files = readdirSync(client).filter((name) => name.endsWith(".js"));
	expect(files).toContain("index.js");
	for (const file of files) {
		const imports = [...readFileSync(join(client, file), "utf8").matchAll(/(?:from|import)\s*\(?"([^"]+)"/g)];
		for (const [, name] of imports) expect(name, file).toMatch(/^\.\/[\w-]+\.js$/);
	}
});
