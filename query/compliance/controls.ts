/** The controls of each standard, as data: what it asks, and which check computes it, or that a person has to attest it. */
import type { Standard } from "../../schema/wire/index.ts";

/** Raised with every change of the tables: a report says by which it was made. */
export const CONTROLS_VERSION = "2026-11.1";

export const CHECKS = [
	"audit_chain",
	"changes_logged",
	"access_review",
	"keys_rotated",
	"retention",
	"alerts_answered",
	"monitoring_active",
	"backups",
	"data_requests",
	"jobs_finished",
	"encryption_in_transit",
	"secrets_sealed",
] as const;
export type CheckName = (typeof CHECKS)[number];

export interface Control {
	readonly control_id: string;
	readonly standard: Standard;
	/** Where the standard has it. */
	readonly reference: string;
	readonly title: string;
	readonly requirement: string;
	/** Null: a person attests it. */
	readonly check: CheckName | null;
}

type Row = readonly [id: string, reference: string, title: string, requirement: string, check: CheckName | null];

const table = (standard: Standard, rows: readonly Row[]): Control[] =>
	rows.map(([id, reference, title, requirement, check]) => ({
		...{ control_id: `${standard.toLowerCase()}.${id}`, standard, reference, title, requirement, check },
	}));

const AUDIT_CHAIN =
	"Every entry follows from the one before it, none is missing, and every day with entries has an anchor.";
const CHANGES = "Every request that changed something has its entry, with who, what and when.";
const ROTATION = "No key is used longer than 90 days without a new text.";
const REVIEW = "Who holds which key is reviewed at least once a quarter, and what is refused is revoked.";
const DISPOSAL = "Data are deleted when their retention ends.";
const JOBS = "Jobs end, and what failed was done again.";
const TRANSIT = "Connections that leave the machine are encrypted, and people reach the server by https.";
const BACKUP = "Backups are made, and one was restored to prove that they can be.";

export const CONTROLS: readonly Control[] = [
	...table("SOC2", [
		["policies", "CC5.3", "Policies", "Policies on security are written down, approved and known.", null],
		["risk_assessment", "CC3.2", "Risk assessment", "Risks are assessed at least once a year.", null],
		["audit_chain", "CC4.1", "The audit log is whole", AUDIT_CHAIN, "audit_chain"],
		["key_rotation", "CC6.1", "Keys are rotated", ROTATION, "keys_rotated"],
		[
			"secrets",
			"CC6.1",
			"Secrets are sealed",
			"Secrets at rest are encrypted with a key that does not lie beside them.",
			"secrets_sealed",
		],
		["access_review", "CC6.2, CC6.3", "Access is reviewed", REVIEW, "access_review"],
		["transmission", "CC6.7", "Transmissions are encrypted", TRANSIT, "encryption_in_transit"],
		[
			"monitoring",
			"CC7.2",
			"The system is monitored",
			"Alert rules exist and are evaluated without delay.",
			"monitoring_active",
		],
		[
			"incidents",
			"CC7.3, CC7.4",
			"Alerts are answered",
			"Whatever fires is acknowledged or over within a day.",
			"alerts_answered",
		],
		["changes_recorded", "CC8.1", "Changes are recorded", CHANGES, "changes_logged"],
		[
			"change_approval",
			"CC8.1",
			"Changes are approved",
			"Changes are approved by someone else than their author.",
			null,
		],
		["vendors", "CC9.2", "Vendors", "Risks of vendors and partners are assessed.", null],
		["recovery", "A1.2, A1.3", "Backup and recovery", BACKUP, "backups"],
		["processing", "PI1.3", "Processing is complete", JOBS, "jobs_finished"],
		["disposal", "C1.2", "Data are disposed of", DISPOSAL, "retention"],
	]),
	...table("GDPR", [
		["retention", "Art. 5(1)(e)", "Retention", DISPOSAL, "retention"],
		[
			"requests_in_time",
			"Art. 12(3)",
			"Requests of data subjects",
			"Requests for erasure and access are closed within a month.",
			"data_requests",
		],
		["access_logged", "Art. 5(2)", "Access is logged", CHANGES, "changes_logged"],
		["audit_trail", "Art. 32(1)(b)", "The audit log is whole", AUDIT_CHAIN, "audit_chain"],
		["encryption_in_transit", "Art. 32(1)(a)", "Encryption in transit", TRANSIT, "encryption_in_transit"],
		[
			"encryption_at_rest",
			"Art. 32(1)(a)",
			"Encryption at rest",
			"The disks that hold data and backups are encrypted.",
			null,
		],
		[
			"breach_notice",
			"Art. 33(1)",
			"Notice of breaches",
			"Breaches are notified within 72 hours: who does it is settled and rehearsed.",
			null,
		],
		["processing_record", "Art. 30", "Record of processing", "The record of processing activities is kept.", null],
	]),
	...table("HIPAA", [
		["access_control", "164.312(a)", "Access control", REVIEW, "access_review"],
		["audit_controls", "164.312(b)", "Audit controls", CHANGES, "changes_logged"],
		["integrity", "164.312(c)", "Integrity", AUDIT_CHAIN, "audit_chain"],
		["authentication", "164.312(d)", "Authentication", ROTATION, "keys_rotated"],
		["transmission_security", "164.312(e)", "Transmission security", TRANSIT, "encryption_in_transit"],
		["activity_review", "164.308(a)(1)(ii)(D)", "Activity review", "Records of activity are reviewed regularly.", null],
		[
			"associate_agreement",
			"164.308(b)",
			"Business associates",
			"Agreements with business associates are signed.",
			null,
		],
	]),
	...table("SOX", [
		["access_review", "404, ITGC access", "Access review", REVIEW, "access_review"],
		["change_log", "404, ITGC change", "Changes are recorded", CHANGES, "changes_logged"],
		[
			"change_approval",
			"404, ITGC change",
			"Change approval",
			"Changes are approved by someone else than their author.",
			null,
		],
		["audit_trail", "404, ITGC operations", "The audit log is whole", AUDIT_CHAIN, "audit_chain"],
		["backup_restore", "404, ITGC operations", "Backup and restore", BACKUP, "backups"],
		["job_monitoring", "404, ITGC operations", "Jobs are monitored", JOBS, "jobs_finished"],
	]),
];

/** @returns false when a control failed, null when one is not tested or not attested, true when all passed; none is no verdict */
export function verdict(statuses: readonly string[]): boolean | null {
	if (statuses.includes("fail")) return false;
	return statuses.length > 0 && statuses.every((status) => status === "pass") ? true : null;
}
