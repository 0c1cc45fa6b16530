import { randomBytes } from "node:crypto";
import { type Context, Hono } from "hono";
import { z } from "zod";
import type { RequireRole } from "../../http/auth.ts";
import type { AppEnv } from "../../http/env.ts";
import { ApiError, badParameter, notFound } from "../../http/errors.ts";
import { base58 } from "../../http/secret.ts";
import { parseBody, parseQuery } from "../../http/validate.ts";
import type { AuditLog } from "../../schema/audit.ts";
import { sha256 } from "../../schema/canonical-json.ts";
import type { ClickHouse } from "../../schema/clickhouse.ts";
import { type Definition, Definitions } from "../../schema/definitions.ts";
import type { Signer } from "../../schema/signer.ts";
import {
	type AccessReviewAnswer,
	accessReviewAnswer,
	accessReviewBody,
	type ComplianceKeysAnswer,
	type ComplianceReportAnswer,
	type ComplianceReportsAnswer,
	type ControlsAnswer,
	complianceReportBody,
	complianceReportsQuery,
	controlAttestation,
	controlAttestationAnswer,
	controlsQuery,
	type ReportAttestation,
	reportAttestationBody,
} from "../../schema/wire/index.ts";
import { decodePlace, encodePlace } from "../common/page.ts";
import { isActiveAt, type KeyRecord, keyRecords } from "../measures/compliance.ts";
import { signals } from "../measures/signals.ts";
import { clickHouseError, type Queries } from "../run.ts";
import { ACCESS_REVIEW } from "./access.ts";
import { assess, type EvidenceFile } from "./assess.ts";
import { CONTROL_ATTESTATION, type ControlAttestations, isSigned, newestOf, signedBy } from "./attestations.ts";
import { CONTROLS, CONTROLS_VERSION } from "./controls.ts";
import { COMPLIANCE_PATH, MAKERS, REPORTS_PATH, REVIEWERS } from "./docs.ts";
import { type Instance, iso } from "./finding.ts";
import { resolvePeriod } from "./period.ts";
import {
	attestationText,
	contentOf,
	evidenceFiles,
	evidenceOf,
	reportAnswer,
	reportsOf,
	type StoredReport,
	signedReport,
} from "./report.ts";

export interface ComplianceDeps {
	readonly client: ClickHouse;
	readonly queries: Queries;
	readonly audit: AuditLog;
	readonly signer: Signer;
	readonly instance: Instance;
	readonly requireRole: RequireRole;
	readonly render: Render;
	readonly now?: (() => number) | undefined;
}

export interface RenderedReport {
	readonly report: StoredReport;
	readonly evidence: readonly EvidenceFile[];
}

/** A report as a file. */
export interface Render {
	pdf(of: RenderedReport): Promise<Uint8Array>;
	bundle(of: RenderedReport): Promise<Uint8Array>;
}

const noParameters = z.strictObject({});
const YEAR_MS = 366 * 86_400_000;
const MAX_IDEMPOTENCY_KEY = 200;

/** Compliance of the asking key's project; a report of another project is not found, like one that never was. */
export function complianceRoutes(deps: ComplianceDeps): Hono<AppEnv> {
	const { client, queries, audit, signer, instance, requireRole, render, now = Date.now } = deps;
	const reports = reportsOf(client, now);
	const evidence = evidenceOf(client, now);
	const attestations = attestationsOf(client, signer, now);
	const reviews = new Definitions(client, ACCESS_REVIEW, accessReviewAnswer, now);
	const [maker, officer, reviewer] = [requireRole(MAKERS), requireRole("compliance_officer"), requireRole(REVIEWERS)];
	const projectOf = (c: Context<AppEnv>) => c.get("key").project;

	const record = (c: Context<AppEnv>, action: string, target: string, detail: Record<string, unknown>) => {
		const { project, key_id: actor } = c.get("key");
		return stored(audit.append({ project, actor, action, target, detail, request_id: c.get("requestId") }));
	};
	const find = async (c: Context<AppEnv>): Promise<Definition<StoredReport>> => {
		const report = await stored(reports.get(projectOf(c), c.req.param("id") ?? ""));
		if (!report) throw notFound("Compliance report");
		return report;
	};
	const lookAt = async (report: Definition<StoredReport>) => {
		const { files, isWhole } = await stored(evidenceFiles(report, evidence));
		const found = reportAnswer(report, { signer, now: now(), path: REPORTS_PATH });
		return { files, found: { ...found, is_intact: isWhole ? found.is_intact : false } };
	};
	const answer = async (report: Definition<StoredReport>): Promise<ComplianceReportAnswer> => {
		const { files, found } = await lookAt(report);
		if (!found.include_evidence) return found;
		return { ...found, evidence: files.map(({ text, ...ref }) => ({ ...ref, content: contentOfFile(text) })) };
	};
	/** What is about to be signed must be what was. @throws ApiError 409 */
	const findIntact = async (c: Context<AppEnv>) => {
		const report = await find(c);
		const { files, found } = await lookAt(report);
		if (found.is_intact === null)
			throw new ApiError(409, "This report was signed with a key that the server has no more");
		if (!found.is_intact) throw new ApiError(409, "This report, or its evidence, was changed after it was made");
		return { report, files, status: found.status };
	};
	const file = async (c: Context<AppEnv>, make: keyof Render, type: string, extension: string) => {
		parseQuery(c, noParameters);
		const { report, files } = await findIntact(c);
		const bytes = await render[make]({ report: report.body, evidence: files });
		return c.body(new Uint8Array(bytes), 200, {
			"Content-Type": type,
			"Content-Disposition": `attachment; filename="${report.id}.${extension}"`,
		});
	};

	return new Hono<AppEnv>()
		.get(`${COMPLIANCE_PATH}/keys`, (c) => {
			parseQuery(c, noParameters);
			return c.json({ keys: signer.publicKeys } satisfies ComplianceKeysAnswer);
		})
		.get(`${COMPLIANCE_PATH}/controls`, maker, async (c) => {
			const { standard } = parseQuery(c, controlsQuery);
			const attested = await attestations.all(projectOf(c));
			return c.json({
				version: CONTROLS_VERSION,
				controls: CONTROLS.filter((control) => (standard ?? control.standard) === control.standard).map((control) => ({
					...control,
					kind: control.check === null ? "manual" : "automated",
					attestation: listedAttestation(attested, control.control_id, now()),
				})),
			} satisfies ControlsAnswer);
		})
		.post(`${COMPLIANCE_PATH}/controls/:id/attest`, officer, async (c) => {
			parseQuery(c, noParameters);
			const control = CONTROLS.find(({ control_id }) => control_id === c.req.param("id"));
			if (!control) throw notFound("Control");
			if (control.check !== null) throw new ApiError(409, "This control is computed, and cannot be attested");
			const body = await parseBody(c, controlAttestation);
			const valid_until = within(body.valid_until, now());
			const key = c.get("key");
			const attestation = signedBy(
				{
					attestation_id: `att_${base58(randomBytes(12))}`,
					...{ control_id: control.control_id, controls_version: CONTROLS_VERSION, statement: body.statement },
					...{ by: key.key_id, signed_by: body.signed_by ?? key.name, role: "compliance_officer" },
					...{ signed_at: iso(now()), valid_until, documents: body.documents },
				},
				signer,
			);
			await attestations.put(key.project, attestation.attestation_id, attestation);
			await record(c, "control.attest", control.control_id, {
				...{ attestation_id: attestation.attestation_id, sha256: attestation.sha256, valid_until },
			});
			return c.json(attestation, 201);
		})
		.get(`${COMPLIANCE_PATH}/access-reviews`, reviewer, async (c) => {
			parseQuery(c, noParameters);
			const [keys, made] = await Promise.all([
				queries.of(projectOf(c)).ask(keyRecords(now() + 1)),
				stored(reviews.list(projectOf(c))),
			]);
			return c.json({
				active_keys: keys.filter((key) => isActiveAt(key, now() + 1)).map(reviewedKey),
				reviews: made.map(({ body }) => body).reverse(),
			});
		})
		.post(`${COMPLIANCE_PATH}/access-reviews`, officer, async (c) => {
			parseQuery(c, noParameters);
			const body = await parseBody(c, accessReviewBody);
			const key = c.get("key");
			const known = await queries.of(key.project).ask(keyRecords(now() + 1));
			const active = known.filter((one) => isActiveAt(one, now() + 1));
			const decided = new Map(body.decisions.map((decision) => [decision.key_id, decision]));
			assertDecided(active, decided);
			const review: AccessReviewAnswer = signedBy(
				{
					...{ review_id: `review_${base58(randomBytes(12))}`, reviewed_at: iso(now()), by: key.key_id },
					...{ signed_by: body.signed_by ?? key.name, statement: body.statement },
					keys: active.map((one) => {
						const { decision, note } = decided.get(one.key_id)!;
						return { ...reviewedKey(one), decision, note };
					}),
				},
				signer,
			);
			await stored(reviews.put(key.project, review.review_id, review));
			const revoke = review.keys.filter(({ decision }) => decision === "revoke").map(({ key_id }) => key_id);
			const detail = { keys: active.length, revoke, sha256: review.sha256 };
			await record(c, "access.review", review.review_id, detail);
			return c.json(review, 201);
		})
		.post(REPORTS_PATH, maker, async (c) => {
			parseQuery(c, noParameters);
			const body = await parseBody(c, complianceReportBody);
			const { project, key_id } = c.get("key");
			const report_id = reportId(c.req.header("idempotency-key"), project);
			const before = await stored(reports.get(project, report_id));
			if (before) {
				c.set("unchanged", true);
				return c.json(await answer(before), 201);
			}
			const { start, end, as_of, timezone, timeframe } = resolvePeriod(body, now());
			const asker = queries.of(project, c.req.raw.signal);
			const sent = await asker.ask(signals(end));
			const assessment = await assess(
				{ asker, instance, sent, start, end },
				[body.standard],
				await attestations.all(project),
			);
			const { standard, include_evidence, attestation_required } = body;
			const content = contentOf(
				{
					...{ report_id, project, standard, as_of: iso(as_of), generated_at: iso(now()), generated_by: key_id },
					period: { start: iso(start), end: iso(end), timezone, timeframe },
					...{ include_evidence, attestation_required },
				},
				assessment,
			);
			// The evidence first: a report is there with all that it stands on, or not at all.
			for (const one of assessment.evidence) await stored(evidence.put(project, one.sha256, one));
			const report = await stored(reports.put(project, report_id, signedReport(content, signer)));
			const detail = { standard, sha256: report.body.sha256, controls_satisfied: content.controls_satisfied };
			await record(c, "compliance_report.create", report_id, detail);
			return c.json(await answer(report), 201);
		})
		.get(REPORTS_PATH, maker, async (c) => {
			const { standard, limit, cursor } = parseQuery(c, complianceReportsQuery);
			const [offset = 0] = decodePlace(cursor, 1) ?? [];
			const all = (await stored(reports.list(projectOf(c))))
				.filter(({ body }) => (standard ?? body.content.standard) === body.content.standard)
				.reverse();
			const next_cursor = offset + limit < all.length ? encodePlace([offset + limit]) : null;
			return c.json({
				reports: all.slice(offset, offset + limit).map((report) => {
					const { controls: _, ...listed } = reportAnswer(report, { signer, now: now(), path: REPORTS_PATH });
					return listed;
				}),
				...{ total: all.length, next_cursor },
			} satisfies ComplianceReportsAnswer);
		})
		.get(`${REPORTS_PATH}/:id`, maker, async (c) => {
			parseQuery(c, noParameters);
			return c.json(await answer(await find(c)));
		})
		.get(`${REPORTS_PATH}/:id/pdf`, maker, (c) => file(c, "pdf", "application/pdf", "pdf"))
		.get(`${REPORTS_PATH}/:id/bundle`, maker, (c) => file(c, "bundle", "application/x-tar", "tar"))
		.post(`${REPORTS_PATH}/:id/attest`, officer, async (c) => {
			parseQuery(c, noParameters);
			const body = await parseBody(c, reportAttestationBody);
			const { report, status } = await findIntact(c);
			if (status === "attested") throw new ApiError(409, "This report is signed already");
			const key = c.get("key");
			const valid_until = within(body.valid_until ?? iso(now() + YEAR_MS), now());
			const unsigned = {
				...{ by: key.key_id, signed_by: body.signed_by ?? key.name, role: "compliance_officer" as const },
				...{ statement: body.statement, signed_at: iso(now()), valid_until, sha256: report.body.sha256 },
			};
			const signature = signer.sign(attestationText({ ...unsigned, signature: { key_id: "", signature: "" } }));
			const attestation: ReportAttestation = { ...unsigned, signature };
			const attestations = [...report.body.attestations, attestation];
			const signed = await stored(reports.put(report.project, report.id, { ...report.body, attestations }));
			await record(c, "compliance_report.attest", report.id, { sha256: report.body.sha256, valid_until });
			return c.json(await answer(signed));
		});
}

/** What people attested of a project's manual controls. */
export function attestationsOf(client: ClickHouse, signer: Signer, now?: () => number) {
	const all = new Definitions(client, CONTROL_ATTESTATION, controlAttestationAnswer, now);
	return {
		put: (...[project, id, body]: Parameters<typeof all.put>) => stored(all.put(project, id, body)),
		all: async (project: string): Promise<ControlAttestations> =>
			(await stored(all.list(project))).map(({ body }) => ({ attestation: body, is_intact: isSigned(body, signer) })),
	};
}

function listedAttestation(
	all: ControlAttestations,
	control_id: string,
	now: number,
): ControlsAnswer["controls"][number]["attestation"] {
	const found = newestOf(all, control_id, now + 1);
	if (found === undefined) return null;
	const { attestation_id, statement, by, signed_at, valid_until, sha256: hash } = found.attestation;
	const is_valid = found.is_intact === true && Date.parse(valid_until) >= now;
	return { attestation_id, statement, by, signed_at, valid_until, sha256: hash, is_valid };
}

/** @throws ApiError 400 */
function within(valid_until: string, now: number): string {
	const until = Date.parse(valid_until);
	if (until > now && until <= now + 2 * YEAR_MS) return iso(until);
	throw badParameter({
		...{ parameter: "valid_until", provided: valid_until },
		valid_options: [`after ${iso(now)}`, `until ${iso(now + 2 * YEAR_MS)}`],
	});
}

/** @throws ApiError 400 naming a key that nobody decided on, or that is none */
function assertDecided(active: readonly KeyRecord[], decided: ReadonlyMap<string, unknown>): void {
	const missing = active.filter(({ key_id }) => !decided.has(key_id)).map(({ key_id }) => key_id);
	const ids = new Set(active.map(({ key_id }) => key_id));
	const unknown = [...decided.keys()].filter((id) => !ids.has(id));
	if (missing.length === 0 && unknown.length === 0) return;
	throw badParameter({
		...{ parameter: "decisions", provided: [...decided.keys()], valid_options: [...ids] },
		reason: missing.length > 0 ? `nobody decided on ${missing.join(", ")}` : `${unknown.join(", ")} is no active key`,
	});
}

function reviewedKey({ key_id, name, roles, created_at, rotated_at, expires_at, last_used_at }: KeyRecord) {
	return {
		...{ key_id, name, roles: [...roles], created_at: iso(created_at), rotated_at: iso(rotated_at) },
		...{ expires_at: iso(expires_at), last_used_at: iso(last_used_at) },
	};
}

/** With a key of the client the same one again, so that a repetition finds what was made. @throws ApiError 400 */
function reportId(idempotencyKey: string | undefined, project: string): string {
	if (idempotencyKey === undefined) return `cr_${base58(randomBytes(12))}`;
	if (idempotencyKey.length > 0 && idempotencyKey.length <= MAX_IDEMPOTENCY_KEY) {
		return `cr_${base58(Buffer.from(sha256([project, idempotencyKey]), "hex").subarray(0, 12))}`;
	}
	const valid_options = [`1 to ${MAX_IDEMPOTENCY_KEY} characters`];
	throw badParameter({ parameter: "Idempotency-Key", provided: idempotencyKey, valid_options });
}

function contentOfFile(text: string): unknown {
	return (JSON.parse(text) as { content: unknown }).content;
}

function stored<T>(work: Promise<T>): Promise<T> {
	return work.catch((error: unknown) => {
		throw clickHouseError(error, "compliance");
	});
}
