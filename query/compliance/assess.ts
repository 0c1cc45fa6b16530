/** Puts what the checks found together with what people attested: one result for each control. */
import { sha256 } from "../../schema/canonical-json.ts";
import type { ControlResult, EvidenceRef, Standard } from "../../schema/wire/index.ts";
import { accessReview, keysRotated } from "./access.ts";
import { type ControlAttestations, newestOf } from "./attestations.ts";
import { type CheckName, CONTROLS, type Control } from "./controls.ts";
import { encryptionInTransit, secretsSealed } from "./encryption.ts";
import { type Assessing, type Evidence, type Finding, iso } from "./finding.ts";
import {
	alertsAnswered,
	backupsRestored,
	dataRequestsClosed,
	jobsFinished,
	monitoringActive,
	retentionEnforced,
} from "./operations.ts";
import { auditChain, changesLogged } from "./trail.ts";

const CHECKS_BY_NAME: Readonly<Record<CheckName, (assessing: Assessing) => Promise<Finding>>> = {
	audit_chain: auditChain,
	changes_logged: changesLogged,
	access_review: accessReview,
	keys_rotated: keysRotated,
	retention: retentionEnforced,
	alerts_answered: alertsAnswered,
	monitoring_active: monitoringActive,
	backups: backupsRestored,
	data_requests: dataRequestsClosed,
	jobs_finished: jobsFinished,
	encryption_in_transit: encryptionInTransit,
	secrets_sealed: secretsSealed,
};

/** Evidence as it is kept: its text, whose hash names it. */
export interface EvidenceFile extends EvidenceRef {
	readonly text: string;
}

export interface Assessment {
	readonly results: readonly (ControlResult & { readonly standard: Standard })[];
	/** Each once, however many controls stand on it. */
	readonly evidence: readonly EvidenceFile[];
}

/** @param standards of which the controls are looked at; each check runs once, however many controls it is of */
export async function assess(
	assessing: Assessing,
	standards: readonly Standard[],
	attestations: ControlAttestations,
): Promise<Assessment> {
	const controls = CONTROLS.filter(({ standard }) => standards.includes(standard));
	const names = [...new Set(controls.flatMap(({ check }) => check ?? []))];
	const findings = new Map(
		await Promise.all(names.map(async (name) => [name, await CHECKS_BY_NAME[name](assessing)] as const)),
	);
	const files = new Map<string, EvidenceFile>();
	const results = controls.map((control) => {
		const finding =
			control.check === null ? attested(control, attestations, assessing.end) : findings.get(control.check)!;
		const { evidence, exception_sample, ...found } = finding;
		const { control_id, standard, reference, title, requirement, check } = control;
		const refs = evidence.map((one) => fileOf(one, assessing));
		for (const file of refs) files.set(file.sha256, file);
		return {
			...{ control_id, standard, reference, title, requirement, check },
			kind: check === null ? ("manual" as const) : ("automated" as const),
			...found,
			exception_sample: [...exception_sample],
			evidence: refs.map(({ text: _, ...ref }) => ref),
		};
	});
	return { results, evidence: [...files.values()] };
}

type Attested = Omit<Finding, "status"> & { readonly status: Finding["status"] | "manual" };

function attested({ control_id }: Control, attestations: ControlAttestations, end: number): Attested {
	const found = newestOf(attestations, control_id, end);
	const nothing = { population: null, tested: null, exceptions: null, exception_sample: [] };
	if (found === undefined) return { status: "manual", reason: "nobody has attested it", ...nothing, evidence: [] };
	const { attestation, is_intact } = found;
	const evidence = [
		{ kind: "control_attestation", title: `Attestation ${attestation.attestation_id}`, content: [attestation] },
	];
	const of = `attested by ${attestation.signed_by} on ${attestation.signed_at}`;
	if (is_intact === undefined) {
		const gone = `${of}, with a key that the server has no more`;
		return { status: "manual", reason: gone, ...nothing, evidence };
	}
	if (!is_intact)
		return { status: "fail", reason: `the attestation was changed after it was signed`, ...nothing, evidence };
	if (Date.parse(attestation.valid_until) < end) {
		return { status: "manual", reason: `${of}, expired ${attestation.valid_until}`, ...nothing, evidence };
	}
	const counts = { population: 1, tested: 1, exceptions: 0, exception_sample: [] };
	return { status: "pass", reason: `${of}, valid until ${attestation.valid_until}`, ...counts, evidence };
}

function fileOf({ kind, title, content }: Evidence, { start, end }: Assessing): EvidenceFile {
	const text = `${JSON.stringify({ kind, title, window: { start: iso(start), end: iso(end) }, content }, null, "\t")}\n`;
	return { sha256: sha256(text), kind, title, rows: content.length, text };
}
