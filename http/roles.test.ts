import { expect, test } from "vitest";
import { allows, ROLES } from "./roles.ts";

test("a role allows exactly itself and what it implies", () => {
	const table = Object.fromEntries(ROLES.map((held) => [held, ROLES.filter((required) => allows([held], required))]));
	expect(table).toEqual({
		ingest: ["ingest"],
		analytics_viewer: ["analytics_viewer"],
		analytics_editor: ["analytics_viewer", "analytics_editor"],
		admin: ["ingest", "analytics_viewer", "analytics_editor", "admin"],
		compliance_officer: ["compliance_officer"],
	});
});

test("several roles add up, none allows nothing", () => {
	expect(allows(["ingest", "analytics_viewer"], "analytics_viewer")).toBe(true);
	expect(allows([], "ingest")).toBe(false);
});
