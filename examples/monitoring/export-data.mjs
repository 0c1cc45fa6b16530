// Export monitoring data.
import { createHash } from "node:crypto";
import { createGunzip } from "node:zlib";
import { Client } from "tidemark";

// TIDEMARK_KEY is a key of the project; TIDEMARK_URL is only needed when it is not http://127.0.0.1:8000.
const client = new Client({ apiKey: process.env.TIDEMARK_KEY, baseUrl: process.env.TIDEMARK_URL });

// To a bucket instead: destination: "s3://your-bucket/monitoring-exports/", once an admin has added the keys to it with
// client.monitoring.putDestination("archive", { bucket: "your-bucket", region, access_key_id, secret_access_key }).
const { export_id } = await client.monitoring.exportData({
	timeframe: "30d",
	metrics: ["all"],
	granularity: "1h",
	format: "csv",
	compression: "gzip",
});
const { rows, bytes, parts } = await client.monitoring.waitForExport(export_id);
console.log(`${rows} rows in ${parts.length} files of ${bytes} bytes`);

for (const part of parts) {
	const { name, stream } = await client.monitoring.downloadExport(export_id, { part: part.name });
	const hash = createHash("sha256");
	let lines = -1; // The first one names the columns.
	async function* hashed() {
		for await (const chunk of stream) {
			hash.update(chunk);
			yield chunk;
		}
	}
	const text = createGunzip();
	const reading = (async () => {
		for await (const chunk of text) lines += chunk.toString("latin1").split("\n").length - 1;
	})();
	for await (const chunk of hashed()) text.write(chunk);
	text.end();
	await reading;
	console.log(
		`${name}: ${lines} rows, sha256 ${hash.digest("hex") === part.sha256 ? "as the manifest says" : "WRONG"}`,
	);
}
