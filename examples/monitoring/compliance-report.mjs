// Make a compliance report, and keep it with its evidence.
import { createWriteStream, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { Client } from "tidemark";

// TIDEMARK_KEY is a key of the project; TIDEMARK_URL is only needed when it is not http://127.0.0.1:8000.
const client = new Client({ apiKey: process.env.TIDEMARK_KEY, baseUrl: process.env.TIDEMARK_URL });

const report = await client.monitoring.complianceReport({
	standard: "SOC2",
	timeframe: "quarter",
	include_evidence: true,
	attestation_required: true,
});

const { pass, fail, not_tested, manual } = report.summary;
console.log(`${report.standard}: ${pass} pass, ${fail} fail, ${not_tested} not tested, ${manual} to be attested`);
for (const { control_id, status, reason } of report.controls) console.log(`  ${control_id}: ${status}, ${reason}`);
// A compliance officer signs it: client.monitoring.attestComplianceReport(report.report_id)
console.log(`${report.report_id} is ${report.status}, SHA-256 ${report.sha256}`);

// Checked by `tidemark compliance verify FILE`, or by examples/verify-evidence-bundle.mjs without Tidemark.
const { name, stream } = await client.monitoring.downloadComplianceReport(report.report_id);
const path = join(tmpdir(), name);
await pipeline(stream, createWriteStream(path));
console.log(`its evidence is in ${path}`);
rmSync(path);
