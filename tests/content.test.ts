// What a person wrote, and where they are: nothing of it lands anywhere unless that is wanted.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { type Server, startServer, temporaryFolder } from "./server.ts";

const SECRETS = ["wombat", "81.2.69.160", "81.2.69.161"];
const MESSAGE = "Thanks, the wombat was really great!";

let server: Server | undefined;
afterEach(() => server?.stop());

/** Every table whose rows, as texts, contain one of these. */
async function tablesWith({ query }: Server, texts: readonly string[]): Promise<string[]> {
	const tables = await query<{ table: string; columns: string[] }>(
		`SELECT table, groupArrayIf(name, type NOT LIKE 'AggregateFunction%') AS columns FROM system.columns
		WHERE database = currentDatabase() AND table IN (
			SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'
		) GROUP BY table`,
	);
	expect(tables.length).toBeGreaterThan(20);
	const found: string[] = [];
	for (const { table, columns } of tables) {
		const text = columns.map((column) => `toString(\`${column}\`)`).join(", ");
		const [row] = await query<{ n: number }>(
			`SELECT countIf(multiSearchAnyCaseInsensitive(concat(${text}, ''), {texts:Array(String)})) AS n FROM ${table}`,
			{ texts },
		);
		if (row!.n > 0) found.push(table);
	}
	return found;
}

/** All bytes of the journal. */
function journalOf({ dataDir }: Server): Buffer {
	const folder = join(dataDir, "journal");
	const files = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile());
	return Buffer.concat(files.map(({ name }) => readFileSync(join(folder, name))));
}

const inference = { model: "m", latency_ms: 7, prompt: MESSAGE, response: [{ text: MESSAGE }] };
const lines = [
	{ type: "event", event: "chat.message.sent", properties: { role: "user", content: MESSAGE, n: 1 } },
	{ type: "event", event: "chat.message.sent", properties: { role: "user", n: 2, text: MESSAGE, $ip: "81.2.69.160" } },
	{ type: "event", event: "model_inference_completed", properties: { ...inference, n: 3 } },
	{ type: "event", event: "page_view", properties: { client: { address: "::ffff:81.2.69.161" }, n: 4 } },
	{ type: "event", event: "page_view", properties: { ip: "81.2.69.160", n: 5 } },
	{ type: "log", message: "an innocent line" },
];

async function send({ request }: Server): Promise<void> {
	const ndjson = `${lines.map((line) => JSON.stringify(line)).join("\n")}\n{"type":"event","wombat":wombat}\n`;
	const answer = await request("/v1/ingest/batch", {
		body: ndjson,
		headers: { "Content-Type": "application/x-ndjson", "Idempotency-Key": "once" },
	});
	expect(await answer.json()).toMatchObject({ accepted: 6, rejected: [{ index: 6, reason: /^not JSON: / }] });
}

test("unless it is captured, no text of a message and no address is in a table, the journal or the log", async () => {
	const dataDir = temporaryFolder();
	server = await startServer({ dataDir });
	await send(server);
	// Before the loader gets to it: what is durable is in the journal, and nowhere else.
	await server.kill("SIGKILL");
	const journal = journalOf(server);
	expect(journal.includes("an innocent line")).toBe(true);
	expect(SECRETS.filter((secret) => journal.includes(secret))).toEqual([]);
	server = await startServer({ dataDir });
	for (const path of ["events?wait=true", "batch?wait=true"]) {
		for (const line of lines.slice(0, 5)) {
			expect(await (await server.request(`/v1/ingest/${path}`, { body: [line] })).json()).toMatchObject({
				accepted: 1,
			});
		}
	}
	expect((await server.request("/v1/ingest/events", { body: { event: 7, properties: inference } })).status).toBe(400);
	const broken = { body: '{"event": wombat}', headers: { "Content-Type": "application/json" } };
	expect((await server.request("/v1/ingest/events", broken)).status).toBe(400);
	expect((await tablesWith(server, ["an innocent line"])).sort()).toEqual(["log_patterns", "logs"]);
	expect(await tablesWith(server, SECRETS)).toEqual([]);
	expect(SECRETS.filter((secret) => server!.output().toLowerCase().includes(secret))).toEqual([]);
	const rows = await server.query<{ n: number; strings: object; times: number }>(
		"SELECT numbers['n'] AS n, any(strings) AS strings, count() AS times FROM events WHERE mapContains(numbers, 'n') GROUP BY n ORDER BY n",
	);
	expect(rows).toEqual([
		{ n: 1, times: 3, strings: { role: "user", content_captured: "false" } },
		{ n: 2, times: 3, strings: { role: "user", "geo.country.iso_code": "GB", content_captured: "false" } },
		{ n: 3, times: 3, strings: { model: "m", content_captured: "false" } },
		{ n: 4, times: 3, strings: { "geo.country.iso_code": "GB" } },
		{ n: 5, times: 3, strings: { "geo.country.iso_code": "GB" } },
	]);
});

test("where it is analysed, what is read out of it is stored, and no text", async () => {
	server = await startServer({ env: { TIDEMARK_CONTENT_CAPTURE: "analyse" } });
	await send(server);
	await send(server);
	expect((await server.request("/v1/ingest/batch?wait=true", { body: [] })).status).toBe(200);
	expect(await tablesWith(server, SECRETS)).toEqual([]);
	const rows = await server.query(
		`SELECT strings['sentiment'] AS sentiment, strings['sentiment_method'] AS by, round(numbers['sentiment_compound'], 2) AS compound,
			strings['language'] AS language, numbers['response_chars'] AS chars
		FROM events WHERE mapContains(numbers, 'n') ORDER BY numbers['n']`,
	);
	const read = { sentiment: "positive", by: "vader", compound: 0.82, language: "en", chars: 0 };
	const none = { sentiment: "", by: "", compound: 0, language: "", chars: 0 };
	expect(rows).toEqual([read, read, { ...none, chars: MESSAGE.length }, none, none]);
});
