/** What the rules on personal, health and financial data ask for, as controls that pass, fail, or were not tested. */

export const PROFILES = ["gdpr", "hipaa", "sox"] as const;
export type Profile = (typeof PROFILES)[number];

export type ControlStatus = "pass" | "fail" | "not_tested";

export interface Control {
	readonly control_id: string;
	readonly profile: Profile;
	readonly title: string;
	/** Manual ones are attested by a person, automated ones have evidence of their own. */
	readonly kind: "automated" | "manual";
}

const control = (profile: Profile, id: string, title: string, kind: Control["kind"] = "automated"): Control => ({
	control_id: `${profile}.${id}`,
	profile,
	title,
	kind,
});

export const CONTROLS: readonly Control[] = [
	control("gdpr", "retention", "Data are deleted when their retention ends"),
	control("gdpr", "requests_in_time", "Requests for erasure and access are closed within a month"),
	control("gdpr", "access_logged", "Access is logged"),
	control("gdpr", "encryption_in_transit", "Data are encrypted in transit"),
	control("gdpr", "encryption_at_rest", "Data are encrypted at rest"),
	control("gdpr", "breach_notice", "Breaches are notified within 72 hours"),
	control("gdpr", "processing_record", "The record of processing is kept", "manual"),
	control("hipaa", "access_control", "164.312(a) Access control"),
	control("hipaa", "audit_controls", "164.312(b) Audit controls"),
	control("hipaa", "integrity", "164.312(c) Integrity"),
	control("hipaa", "authentication", "164.312(d) Authentication"),
	control("hipaa", "transmission_security", "164.312(e) Transmission security"),
	control("hipaa", "activity_review", "Activity is reviewed", "manual"),
	control("hipaa", "associate_agreement", "A business associate agreement is signed", "manual"),
	control("sox", "access_review", "Access is reviewed", "manual"),
	control("sox", "change_approval", "Changes are approved by someone else than their author"),
	control("sox", "backup_restore", "Backups are made, and restored as a test"),
	control("sox", "job_monitoring", "Jobs are monitored"),
];

/** False when a control failed, null when one was not tested, true when all passed. There is no verdict without controls. */
export function verdict(statuses: readonly ControlStatus[]): boolean | null {
	if (statuses.includes("fail")) return false;
	return statuses.length === 0 || statuses.includes("not_tested") ? null : true;
}
