/** A report: made once, hashed, and from then on only signed. */
import { z } from "zod";
import { canonicalJson, sha256 } from "../../schema/canonical-json.ts";
import type { ClickHouse } from "../../schema/clickhouse.ts";
import { type Definition, DefinitionError, Definitions } from "../../schema/definitions.ts";
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

/** @returns undefined when a key that signed is none of ours any more, so that nobody can tell */
function isIntact(report: StoredReport, signer: Signer): boolean | undefined {
	const { content, sha256: hash, signature, attestations } = report;
	// The hash within an attestation is of the report; its signature is of the attestation.
	if (hash !== sha256(canonicalJson(content)) || attestations.some((one) => one.sha256 !== hash)) return false;
	const fits = [
		signer.verify(hash, signature),
		...attestations.map((one) => signer.verify(attestationText(one), one.signature)),
	];
	if (fits.includes(false)) return false;
	return fits.includes(undefined) ? undefined : true;
}

/** What a report stands on, as it was signed: without texts that are not, or not any more, those that it names. */
export async function evidenceFiles(
	{ project, body: { content } }: Definition<StoredReport>,
	evidence: Definitions<EvidenceFile>,
): Promise<{ readonly files: EvidenceFile[]; readonly isWhole: boolean }> {
	const refs = [...new Map(content.controls.flatMap((one) => one.evidence).map((ref) => [ref.sha256, ref])).values()];
	const files = await Promise.all(
		refs.map(async (ref) => {
			const text = (await textOf(evidence, project, ref.sha256)) ?? "";
			return sha256(text) === ref.sha256 ? [{ ...ref, text }] : [];
		}),
	);
	return { files: files.flat(), isWhole: files.every((found) => found.length > 0) };
}

async function textOf(evidence: Definitions<EvidenceFile>, project: string, hash: string): Promise<string | undefined> {
	try {
		return (await evidence.get(project, hash))?.body.text;
	} catch (error) {
		if (error instanceof DefinitionError) return undefined;
		throw error;
	}
}

/** What the signature of an attestation is of. */
export function attestationText({ signature: _, ...signed }: ReportAttestation): string {
	return canonicalJson(signed);
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
		is_intact: isIntact(body, signer) ?? null,
		attestation: body.attestations.at(-1) ?? null,
		pdf_url: `${path}/${id}/pdf`,
		bundle_url: `${path}/${id}/bundle`,
	};
}
