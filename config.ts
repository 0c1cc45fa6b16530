// Reads the settings from text, says what is wrong with them, and prints their table.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { nearMatches } from "./query/near.ts";
import type { Setting } from "./setting-kinds.ts";
import { SETTINGS, type Settings } from "./settings.ts";

/** Settings that cannot be used. The message has one line for each problem, fit to be shown as it is. */
export class SettingsError extends Error {
	override name = "SettingsError";
	readonly problems: string[];
	constructor(problems: string[]) {
		super(problems.join("\n"));
		this.problems = problems;
	}
}

/**
 * Reads the settings from `env`, and from the file `.env` in `folder` for what `env` does not set.
 *
 * @throws SettingsError naming each bad value and each unknown `TIDEMARK_*` name
 */
export function loadSettings(env: NodeJS.ProcessEnv, folder: string): Settings {
	const path = join(folder, ".env");
	const file = existsSync(path) ? parseEnv(readFileSync(path, "utf8")) : {};
	return parseSettings({ ...file, ...env });
}

/** Checks settings given as text; an empty text is as good as none (Compose files pass unset variables that way). */
export function parseSettings(env: Record<string, string | undefined>): Settings {
	const problems = Object.keys(env).flatMap(unknownName);
	const settings: Record<string, unknown> = {};
	for (const [name, { env: variable, default: fallback, valid, schema, secret }] of Object.entries<Setting<unknown>>(
		SETTINGS,
	)) {
		const given = env[variable]?.trim() || fallback;
		if (given === undefined) continue;
		const result = schema.safeParse(given);
		if (result.success) settings[name] = result.data;
		else
			problems.push(
				`${variable} is ${secret ? "set to a value that is not shown" : JSON.stringify(given)}, expected ${valid}`,
			);
	}
	if (problems.length > 0) throw new SettingsError(problems);
	return settings as Settings;
}

/** The table of settings as the README has it, in Markdown. */
export function settingsTable(): string {
	const rows = Object.values<Setting<unknown>>(SETTINGS).map(
		(row) => `| \`${row.env}\` | ${row.default === undefined ? "" : `\`${row.default}\``} | ${row.about} |`,
	);
	return ["| Setting | Default | Meaning |", "| --- | --- | --- |", ...rows, ""].join("\n");
}

function unknownName(name: string): string[] {
	const known = Object.values(SETTINGS).map((row) => row.env);
	if (!name.startsWith("TIDEMARK_") || known.includes(name)) return [];
	const [nearest] = nearMatches(name, known, 1);
	return [`${name} is not a setting${nearest === undefined ? "" : `; did you mean ${nearest}?`}`];
}
