import { z } from "zod";
import type { RouteDoc } from "../../http/openapi.ts";
import type { Role } from "../../http/roles.ts";
import {
	accessReviewAnswer,
	accessReviewBody,
	accessReviewsAnswer,
	complianceKeysAnswer,
	complianceReportAnswer,
	complianceReportBody,
	complianceReportsAnswer,
	complianceReportsQuery,
	controlAttestation,
	controlAttestationAnswer,
	controlsAnswer,
	controlsQuery,
	reportAttestationBody,
} from "../../schema/wire/index.ts";

export const COMPLIANCE_PATH = "/v1/monitoring/compliance";
export const REPORTS_PATH = `${COMPLIANCE_PATH}/reports`;
const one = `${REPORTS_PATH}/{id}`;

/** Reports name keys and what they did: not for everybody who may look at a chart. */
export const MAKERS: readonly Role[] = ["analytics_editor", "compliance_officer"];
export const REVIEWERS: readonly Role[] = ["admin", "compliance_officer"];
const tag = "Compliance";
const maker = { tag, role: MAKERS } as const;
const officer = { tag, role: "compliance_officer" } as const;

export const COMPLIANCE_DOCS: readonly RouteDoc[] = [
	{
		...{ method: "get", path: `${COMPLIANCE_PATH}/controls`, ...maker },
		summary: "The controls of each standard, and what people attested of the manual ones",
		query: controlsQuery,
		answers: { 200: controlsAnswer },
	},
	{
		...{ method: "post", path: `${COMPLIANCE_PATH}/controls/{id}/attest`, ...officer },
		summary: "Attest a manual control, until a day; signed",
		body: controlAttestation,
		answers: { 201: controlAttestationAnswer },
	},
	{
		...{ method: "get", path: `${COMPLIANCE_PATH}/access-reviews`, tag, role: REVIEWERS },
		summary: "Active keys with their roles and last use, and the reviews of them so far",
		answers: { 200: accessReviewsAnswer },
	},
	{
		...{ method: "post", path: `${COMPLIANCE_PATH}/access-reviews`, ...officer },
		summary: "Review access: decide on every active key; signed",
		body: accessReviewBody,
		answers: { 201: accessReviewAnswer },
	},
	{
		...{ method: "post", path: REPORTS_PATH, ...maker },
		summary: "Make a compliance report: what was found of each control, with its evidence",
		description:
			"Automated controls are computed from the server's own records, manual ones from signed attestations. Nothing passes without evidence. With an `Idempotency-Key` a repetition answers the report that was made the first time. It says whether controls are satisfied; it is no legal advice.",
		body: complianceReportBody,
		answers: { 201: complianceReportAnswer },
	},
	{
		...{ method: "get", path: REPORTS_PATH, ...maker },
		summary: "List compliance reports",
		query: complianceReportsQuery,
		answers: { 200: complianceReportsAnswer },
	},
	{
		...{ method: "get", path: one, ...maker },
		summary: "A compliance report",
		answers: { 200: complianceReportAnswer },
	},
	{
		...{ method: "post", path: `${one}/attest`, ...officer },
		summary: "Sign a report: from now on it is no draft",
		body: reportAttestationBody,
		answers: { 200: complianceReportAnswer },
	},
	{
		...{ method: "get", path: `${one}/pdf`, ...maker },
		summary: "A compliance report as PDF",
		answerType: "application/pdf",
		answers: { 200: z.string().describe("The file.") },
	},
	{
		...{ method: "get", path: `${one}/bundle`, ...maker },
		summary: "A compliance report with its evidence, signed: a tar that `tidemark compliance verify` checks",
		description:
			"`report.json`, `report.pdf`, `attestations.json`, `evidence/<sha256>.json`, `manifest.json` with the SHA-256 of each, `manifest.sig` (Ed25519 of the bytes of the manifest) and `public-key.pem`.",
		answerType: "application/x-tar",
		answers: { 200: z.string().describe("The file.") },
	},
	{
		...{ method: "get", path: `${COMPLIANCE_PATH}/keys`, tag },
		summary: "Public keys that bundles and attestations are signed with; the first one signs now. Needs no key",
		answers: { 200: complianceKeysAnswer },
	},
];
