export const ROLES = ["ingest", "analytics_viewer", "analytics_editor", "admin", "compliance_officer"] as const;
export type Role = (typeof ROLES)[number];

/** What each role may do beside itself. Signing an attestation is never implied: whoever administers must not also sign. */
const IMPLIED: Readonly<Record<Role, readonly Role[]>> = {
	ingest: [],
	analytics_viewer: [],
	analytics_editor: ["analytics_viewer"],
	admin: ["ingest", "analytics_viewer", "analytics_editor"],
	compliance_officer: [],
};

/** Whether someone with `held` may do what needs `required`. */
export function allows(held: readonly Role[], required: Role): boolean {
	return held.some((role) => role === required || IMPLIED[role].includes(required));
}

/** Whether someone with `held` may do what any of `required` may. */
export function allowsAny(held: readonly Role[], required: Role | readonly Role[]): boolean {
	return [required].flat().some((role) => allows(held, role));
}

/** Roles of which one is needed, in words. */
export function roleWords(required: Role | readonly Role[]): string {
	return [required].flat().join(" or ");
}

/** The word for the role in the text of a key, so that a leaked key shows what it opens. */
export function roleHint(roles: readonly Role[]): string {
	if (roles.includes("admin")) return "admin";
	if (roles.includes("analytics_editor")) return "editor";
	if (roles.includes("analytics_viewer")) return "viewer";
	if (roles.includes("compliance_officer")) return "compliance";
	return "ingest";
}
