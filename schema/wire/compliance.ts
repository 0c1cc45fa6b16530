/** Compliance: controls, what was found of them, reports, attestations and reviews of access. */
import { z } from "zod";
import { timestamp, windowParameters } from "./common.ts";

export const STANDARDS = ["SOC2", "GDPR", "HIPAA", "SOX"] as const;
export type Standard = (typeof STANDARDS)[number];

export const COMPLIANCE_TIMEFRAMES = [
	...["month", "quarter", "year", "previous_month", "previous_quarter", "previous_year", "30d", "90d", "365d"],
] as const as readonly ["month", ...string[]];

const sha256 = z.string().describe("SHA-256, hex.");
const text = (max: number) => z.string().trim().min(1).max(max);

export const signature = z.object({
	key_id: z.string().describe("First 16 hex digits of the SHA-256 of the public key."),
	signature: z.string().describe("Ed25519, base64."),
});

export const CONTROL_STATUSES = ["pass", "fail", "not_tested", "manual"] as const;
export type ControlStatus = (typeof CONTROL_STATUSES)[number];
const controlStatus = z
	.enum(CONTROL_STATUSES)
	.describe(
		"not_tested: there is no evidence, which is not a pass. manual: a person has to attest it, and nobody has, or the attestation has expired.",
	);

export const evidenceRef = z.object({
	sha256: sha256.describe("Of the bytes of the evidence: `evidence/<sha256>.json` of the bundle."),
	kind: z.string(),
	title: z.string(),
	rows: z.number().int().describe("How many records the evidence lists."),
});
export type EvidenceRef = z.infer<typeof evidenceRef>;

export const controlResult = z.object({
	control_id: z.string(),
	reference: z.string().describe("Where the standard has it."),
	title: z.string(),
	requirement: z.string().describe("What it asks."),
	kind: z.enum(["automated", "manual"]),
	check: z.string().nullable().describe("What computes it; null for a manual one."),
	status: controlStatus,
	reason: z.string(),
	population: z.number().int().nullable().describe("How many there were that the control is about."),
	tested: z.number().int().nullable().describe("How many of them were looked at."),
	exceptions: z.number().int().nullable().describe("How many of those were not as they should be."),
	exception_sample: z.array(z.string()).describe("The first of them."),
	evidence: z.array(evidenceRef),
});
export type ControlResult = z.infer<typeof controlResult>;

const evidenceFile = evidenceRef.extend({ content: z.unknown() });

export const controlsQuery = z.strictObject({ standard: z.enum(STANDARDS).optional() });
export type ControlsQuery = z.input<typeof controlsQuery>;
export const controlsAnswer = z.object({
	version: z.string().describe("Of the tables of controls."),
	controls: z.array(
		z.object({
			standard: z.enum(STANDARDS),
			...controlResult.pick({
				...{ control_id: true, reference: true, title: true, requirement: true, kind: true, check: true },
			}).shape,
			attestation: z
				.object({
					...{ attestation_id: z.string(), statement: z.string(), by: z.string(), signed_at: timestamp },
					...{ valid_until: timestamp, sha256, is_valid: z.boolean() },
				})
				.nullable()
				.describe("The newest one of a manual control."),
		}),
	),
});
export type ControlsAnswer = z.infer<typeof controlsAnswer>;

const document = z.strictObject({
	name: text(200),
	sha256: z
		.string()
		.regex(/^[0-9a-f]{64}$/)
		.describe("SHA-256, hex, of the document, which stays with you."),
});

/** Attests a manual control. */
export const controlAttestation = z.strictObject({
	statement: text(4_000).describe("What you attest."),
	signed_by: text(200).optional().describe("Your name. Default: the name of the key."),
	valid_until: z.iso.datetime({ offset: true }).describe("At most two years from now."),
	documents: z.array(document).max(50).default([]),
});
export type NewControlAttestation = z.input<typeof controlAttestation>;
export const controlAttestationAnswer = z.object({
	...{ attestation_id: z.string(), control_id: z.string(), controls_version: z.string(), statement: z.string() },
	...{ by: z.string().describe("Id of the key."), signed_by: z.string(), role: z.string() },
	...{ signed_at: timestamp, valid_until: timestamp, documents: z.array(document), sha256 },
	signature,
});
export type ControlAttestationAnswer = z.infer<typeof controlAttestationAnswer>;

export const accessReviewBody = z.strictObject({
	statement: text(4_000),
	signed_by: text(200).optional().describe("Your name. Default: the name of the key."),
	decisions: z
		.array(
			z.strictObject({
				key_id: z.string().max(100),
				decision: z.enum(["keep", "revoke"]).describe("Revoking is an administrator's: DELETE /v1/keys/{id}."),
				note: z.string().max(1_000).default(""),
			}),
		)
		.max(10_000)
		.describe("One for every key that is active."),
});
export type NewAccessReview = z.input<typeof accessReviewBody>;

const reviewedKey = z.object({
	...{ key_id: z.string(), name: z.string(), roles: z.array(z.string()) },
	...{
		created_at: timestamp,
		rotated_at: timestamp,
		expires_at: timestamp.nullable(),
		last_used_at: timestamp.nullable(),
	},
});
export const accessReviewAnswer = z.object({
	...{ review_id: z.string(), reviewed_at: timestamp, by: z.string(), signed_by: z.string(), statement: z.string() },
	keys: z.array(reviewedKey.extend({ decision: z.enum(["keep", "revoke"]), note: z.string() })),
	sha256,
	signature,
});
export type AccessReviewAnswer = z.infer<typeof accessReviewAnswer>;
export const accessReviewsAnswer = z.object({
	active_keys: z.array(reviewedKey).describe("What a review has to decide on now."),
	reviews: z.array(accessReviewAnswer).describe("Newest first."),
});
export type AccessReviewsAnswer = z.infer<typeof accessReviewsAnswer>;

const { start, end, as_of, timezone } = windowParameters;
export const complianceReportBody = z.strictObject({
	standard: z.enum(STANDARDS),
	timeframe: z
		.enum(COMPLIANCE_TIMEFRAMES)
		.optional()
		.describe("month, quarter and year are calendar periods to date. Default: quarter."),
	...{ start, end, as_of, timezone },
	include_evidence: z.boolean().default(true).describe("The answer has the evidence itself, not only its hashes."),
	attestation_required: z.boolean().default(false).describe("It is a draft until a compliance officer signs it."),
});
export type NewComplianceReport = z.input<typeof complianceReportBody>;

export const reportAttestation = z.object({
	...{ by: z.string().describe("Id of the key."), signed_by: z.string(), role: z.literal("compliance_officer") },
	...{ statement: z.string(), signed_at: timestamp, valid_until: timestamp },
	sha256: sha256.describe("Of the report that was signed."),
	signature,
});
export type ReportAttestation = z.infer<typeof reportAttestation>;

/** What is hashed, and signed: nothing in it changes any more. */
export const reportContent = z.object({
	...{ report_id: z.string(), project: z.string(), standard: z.enum(STANDARDS), controls_version: z.string() },
	period: z.object({ start: timestamp, end: timestamp, timezone: z.string(), timeframe: z.string() }),
	as_of: timestamp,
	generated_at: timestamp,
	generated_by: z.string().describe("Id of the key."),
	...{ include_evidence: z.boolean(), attestation_required: z.boolean() },
	controls_satisfied: z
		.boolean()
		.nullable()
		.describe("true: all controls pass. false: one fails. null: one is not tested or not attested. Not legal advice."),
	summary: z.object({
		...{ controls: z.int(), pass: z.int(), fail: z.int(), not_tested: z.int(), manual: z.int() },
	}),
	controls: z.array(controlResult),
});
export type ReportContent = z.infer<typeof reportContent>;

export const complianceReportAnswer = reportContent.extend({
	status: z
		.enum(["draft", "final", "attested", "expired"])
		.describe("draft: it waits for its attestation. final: it needs none. expired: the attestation has."),
	sha256: sha256.describe("Of the canonical JSON of the members that do not change: `report.json` of the bundle."),
	is_intact: z
		.boolean()
		.nullable()
		.describe(
			"What is stored has the hash that it was made with, the signatures fit, and so does each evidence, which a list of reports does not look at. " +
				"null: it was signed with a key that the server has no more. Only what is intact can be signed or downloaded.",
		),
	attestation: reportAttestation.nullable(),
	evidence: z.array(evidenceFile).optional(),
	pdf_url: z.string(),
	bundle_url: z.string().describe("A tar of report, evidence, manifest and signature."),
});
export type ComplianceReportAnswer = z.infer<typeof complianceReportAnswer>;

export const complianceReportsQuery = z.strictObject({
	standard: z.enum(STANDARDS).optional(),
	limit: z.coerce.number().int().min(1).max(1_000).default(100),
	cursor: z.string().max(200).optional(),
});
export type ComplianceReportsQuery = z.input<typeof complianceReportsQuery>;
export const complianceReportsAnswer = z.object({
	reports: z.array(complianceReportAnswer.omit({ controls: true, evidence: true })).describe("Newest first."),
	total: z.int(),
	next_cursor: z.string().nullable(),
});
export type ComplianceReportsAnswer = z.infer<typeof complianceReportsAnswer>;

export const reportAttestationBody = z.strictObject({
	statement: text(4_000).default("I have reviewed this report and its evidence."),
	signed_by: text(200).optional().describe("Your name. Default: the name of the key."),
	valid_until: z.iso.datetime({ offset: true }).optional().describe("Default: a year from now; at most two."),
});
export type NewReportAttestation = z.input<typeof reportAttestationBody>;

export const complianceKeysAnswer = z.object({
	keys: z.array(
		z.object({ key_id: z.string(), algorithm: z.literal("ed25519"), public_key: z.string().describe("PEM (SPKI).") }),
	),
});
export type ComplianceKeysAnswer = z.infer<typeof complianceKeysAnswer>;
