import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadSettings, parseSettings, SettingsError, settingsTable } from "./config.ts";
import { parseBytes, parseDuration } from "./units.ts";

const DAY_MS = 86_400_000;

function problems(env: Record<string, string>): string[] {
	try {
		parseSettings(env);
	} catch (error) {
		if (error instanceof SettingsError) return error.problems;
		throw error;
	}
	return [];
}

test("nothing set gives the documented defaults", () => {
	const settings = parseSettings({});
	expect(settings).toMatchObject({
		port: 8000,
		host: "127.0.0.1",
		dataDir: "./data",
		roles: ["ingest", "query", "worker"],
		metricsRetentionMs: 90 * DAY_MS,
		logsRetentionMs: 90 * DAY_MS,
		eventsRetentionMs: 400 * DAY_MS,
		maxBodyBytes: 20 * 2 ** 20,
		maxRecords: 10_000,
		seriesLimit: 1_000_000,
		journalBudgetBytes: 5 * 2 ** 30,
		enginePort: 0,
		logLevel: "info",
		rateLimit: 10_000,
		collectIntervalMs: 10_000,
	});
	expect(settings.engineMemoryBytes).toBeLessThanOrEqual(totalmem() / 2);
	expect(settings.clickhouseUrl).toBeUndefined();
	expect(settings.redisUrl).toBeUndefined();
});

test.each([
	["PORT", "80000", 'PORT is "80000", expected a port from 0 to 65535 (0 takes a free one)'],
	["PORT", "eighty", 'PORT is "eighty", expected a port from 0 to 65535 (0 takes a free one)'],
	[
		"TIDEMARK_METRICS_RETENTION",
		"90",
		'TIDEMARK_METRICS_RETENTION is "90", expected a duration of 1h or more, such as 90d',
	],
	["TIDEMARK_MAX_BODY", "-1", 'TIDEMARK_MAX_BODY is "-1", expected a size of 1KiB to 512MiB, such as 20MiB'],
	[
		"TIDEMARK_ROLES",
		"ingest,cook",
		'TIDEMARK_ROLES is "ingest,cook", expected some of ingest, query, worker, separated by commas',
	],
	[
		"TIDEMARK_LOG_LEVEL",
		"loud",
		'TIDEMARK_LOG_LEVEL is "loud", expected one of fatal, error, warn, info, debug, trace, silent',
	],
	[
		"TIDEMARK_COLLECT_INTERVAL",
		"never",
		'TIDEMARK_COLLECT_INTERVAL is "never", expected a duration from 1s to 1h, such as 10s, or off',
	],
	[
		"TIDEMARK_CORS_ORIGINS",
		"https://a.example,b.example",
		'TIDEMARK_CORS_ORIGINS is "https://a.example,b.example", expected origins such as https://app.example.com, separated by commas, or *',
	],
	[
		"TIDEMARK_OUTBOUND_ALLOW",
		"10.0.0.0/8,http://a",
		'TIDEMARK_OUTBOUND_ALLOW is "10.0.0.0/8,http://a", expected private, ranges such as 10.0.0.0/8, addresses, and host names such as hooks.internal or *.internal, separated by commas',
	],
	["CLICKHOUSE_CLUSTER", "a b", 'CLICKHOUSE_CLUSTER is "a b", expected a cluster name of letters, digits, _ and -'],
])("a bad %s is one line with what was given and what is valid", (name, given, line) => {
	expect(problems({ [name]: given })).toEqual([line]);
});

test.each([
	["TIDEMARK_ADMIN_KEY", "hunter2"],
	["REDIS_URL", "http://:hunter2@localhost"],
	["CLICKHOUSE_URL", "tcp://u:hunter2@localhost"],
])("a bad %s is never printed", (name, given) => {
	const [line] = problems({ [name]: given });
	expect(line).toContain(`${name} is set to a value that is not shown, expected`);
	expect(line).not.toContain("hunter2");
});

test("an unknown TIDEMARK_ name is an error that names the nearest setting; other names are let be", () => {
	expect(problems({ TIDEMARK_METRIC_RETENTION: "1d", PATH: "/bin" })).toEqual([
		"TIDEMARK_METRIC_RETENTION is not a setting; did you mean TIDEMARK_METRICS_RETENTION?",
	]);
});

test("every problem is told at once", () => {
	expect(problems({ PORT: "x", TIDEMARK_DAAT: "/tmp" })).toHaveLength(2);
});

test("an empty value counts as unset", () => {
	expect(parseSettings({ PORT: "", CLICKHOUSE_URL: "  " })).toMatchObject({ port: 8000 });
});

test("the environment wins over .env, and .env is checked too", () => {
	const folder = mkdtempSync(join(tmpdir(), "tidemark-config-"));
	try {
		writeFileSync(join(folder, ".env"), "PORT=9000\nHOST=0.0.0.0\n");
		expect(loadSettings({ PORT: "9001" }, folder)).toMatchObject({ port: 9001, host: "0.0.0.0" });
		writeFileSync(join(folder, ".env"), "TIDEMARK_PROT=9000\n");
		expect(() => loadSettings({}, folder)).toThrow(SettingsError);
	} finally {
		rmSync(folder, { recursive: true });
	}
});

test("the collector can be switched off", () => {
	expect(parseSettings({ TIDEMARK_COLLECT_INTERVAL: "off" }).collectIntervalMs).toBeUndefined();
});

test("own records go to the project that is named, to default when none is, and nowhere when off", () => {
	expect(parseSettings({}).selfProject).toBe("default");
	expect(parseSettings({ TIDEMARK_SELF_PROJECT: "tidemark" }).selfProject).toBe("tidemark");
	expect(parseSettings({ TIDEMARK_SELF_PROJECT: "off" }).selfProject).toBeUndefined();
	expect(() => parseSettings({ TIDEMARK_SELF_PROJECT: "two words" })).toThrow("TIDEMARK_SELF_PROJECT");
});

test("the outbound door takes a list", () => {
	expect(parseSettings({ TIDEMARK_OUTBOUND_ALLOW: "private, 10.0.0.0/8,*.internal" }).outboundAllow).toEqual([
		"private",
		"10.0.0.0/8",
		"*.internal",
	]);
	expect(parseSettings({}).outboundAllow).toBeUndefined();
});

test("the engine's memory is a size or a share", () => {
	expect(parseSettings({ TIDEMARK_ENGINE_MEMORY: "1.5GiB" }).engineMemoryBytes).toBe(1.5 * 2 ** 30);
	expect(problems({ TIDEMARK_ENGINE_MEMORY: "1MB" })).toHaveLength(1);
});

test("each setting has a row in the table", () => {
	const rows = settingsTable().trim().split("\n");
	expect(rows[0]).toBe("| Setting | Default | Meaning |");
	expect(rows).toContain("| `PORT` | `8000` | Port of the HTTP interface |");
	for (const row of rows) expect(row.split("|")).toHaveLength(5);
});

test.each([
	["20MiB", 20_971_520],
	["20 MB", 20_000_000],
	["1.5kib", 1536],
	["512", 512],
	["1 parsec", undefined],
	["-5MiB", undefined],
	["", undefined],
	["99999999TiB", undefined],
])("size %s", (text, size) => expect(parseBytes(text)).toBe(size));

test.each([
	["90d", 90 * DAY_MS],
	["1.5h", 5_400_000],
	["250ms", 250],
	["5y", 5 * 365 * DAY_MS],
	["90", undefined],
	["d", undefined],
])("duration %s", (text, length) => expect(parseDuration(text)).toBe(length));

const readme = new URL("README.md", import.meta.url);
test("the README's table of settings is the one that `tidemark config` prints", () => {
	expect(readFileSync(readme, "utf8")).toContain(settingsTable());
});
