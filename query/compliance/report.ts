/** A report: made once, hashed, and from then on only signed. */
import { z } from "zod";
import { canonicalJson, sha256 } from "../../schema/canonical-json.ts";
import type { ClickHouse } from "../../schema/clickhouse.ts";
import { type Definition, Definitions } from "../../schema/definitions.ts";
import type { Signer } from "../../schema/signer.ts";
import {
	type ComplianceReportAnswer,
	type ReportAttestation,
	type ReportContent,
	reportAttestation,
	reportContent,
	signature,
} from "../../schema/wire/index.ts";
import type { Assessment, EvidenceFile } from "./assess.ts";

import { CONTROLS_VERSION, verdict } from "./controls.ts";

const storedReport = z.object({
	content: reportContent,
	sha256: z.string(),
	signature,
	attestations: z.array(reportAttestation),
});
export type StoredReport = z.infer<typeof storedReport>;

export function reportsOf(client: ClickHouse, now?: () => number): Definitions<StoredReport> {
	return new Definitions(client, "compliance_report", storedReport, now);
}

/** Evidence by the hash of its text: what several reports stand on is kept once. */
export function evidenceOf(client: ClickHouse, now?: () => number): Definitions<EvidenceFile> {
	const stored = z.object({
		...{ sha256: z.string(), kind: z.string(), title: z.string(), rows: z.number(), text: z.string() },
	});
	return new Definitions(client, "compliance_evidence", stored, now);
}

export type Asked = Omit<ReportContent, "controls_version" | "controls_satisfied" | "summary" | "controls">;

export function contentOf(asked: Asked, { results }: Assessment): ReportContent {
	const count = (status: string) => results.filter((result) => result.status === status).length;
	return {
		...asked,
		controls_version: CONTROLS_VERSION,
		controls_satisfied: verdict(results.map(({ status }) => status)),
		summary: {
			...{ controls: results.length, pass: count("pass"), fail: count("fail") },
			...{ not_tested: count("not_tested"), manual: count("manual") },
		},
		controls: results.map(({ standard: _, ...result }) => result),
	};
}

/** What is signed with a report, so that nobody can put another one in its place. */
export function signedReport(content: ReportContent, signer: Signer): StoredReport {
	const hash = sha256(canonicalJson(content));
	return { content, sha256: hash, signature: signer.sign(hash), attestations: [] };
}

export function isIntact({ content, sha256: hash, signature, attestations }: StoredReport, signer: Signer): boolean {
	const isWhole = hash === sha256(canonicalJson(content)) && signer.verify(hash, signature) !== false;
	// The hash within an attestation is of the report; its signature is of the attestation.
	return isWhole && attestations.every((one) => one.sha256 === hash && isAttestationSigned(one, signer));
}

/** What the signature of an attestation is of. */
export function attestationText({ signature: _, ...signed }: ReportAttestation): string {
	return canonicalJson(signed);
}

function isAttestationSigned(one: ReportAttestation, signer: Signer): boolean {
	return signer.verify(attestationText(one), one.signature) !== false;
}

export function statusOf({ content, attestations }: StoredReport, now: number): ComplianceReportAnswer["status"] {
	const newest = attestations.at(-1);
	if (newest === undefined) return content.attestation_required ? "draft" : "final";
	return Date.parse(newest.valid_until) < now ? "expired" : "attested";
}

export function reportAnswer(
	report: Definition<StoredReport>,
	{ signer, now, path }: { readonly signer: Signer; readonly now: number; readonly path: string },
): Omit<ComplianceReportAnswer, "evidence"> {
	const { body, id } = report;
	return {
		...body.content,
		status: statusOf(body, now),
		sha256: body.sha256,
		is_intact: isIntact(body, signer),
		attestation: body.attestations.at(-1) ?? null,
		pdf_url: `${path}/${id}/pdf`,
		bundle_url: `${path}/${id}/bundle`,
	};
}
