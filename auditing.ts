/** Commands of whoever audits: is the audit log whole, is a bundle of evidence what was signed. */
import { readFileSync } from "node:fs";
import { Command } from "commander";
import { project, withClickHouse } from "./admin.ts";
import { auditedProjects, verifyChain } from "./schema/audit-verification.ts";
import type { Settings } from "./settings.ts";
import { openSecretBox, StartError } from "./storage.ts";
import { BundleError, verifyBundle } from "./workers/compliance/bundle.ts";
import { ArchiveError } from "./workers/compliance/tar.ts";

/** @param settings read when a command runs, so that a bad setting does not spoil `--help` */
export function auditingCommands(settings: () => Settings): Command[] {
	return [auditCommand(settings), complianceCommand(settings)];
}

function auditCommand(settings: () => Settings): Command {
	const audit = new Command("audit").description("the log of who changed what, and of who was not allowed to");
	audit
		.command("verify")
		.description("walk the chain of a project, or of every one; ends with 1 when one does not hold, and says where")
		.option("--project <name>", "only this one", project)
		.action((options: { project?: string }) =>
			withClickHouse(settings(), async (client) => {
				const { signer } = openSecretBox(settings());
				const projects = options.project === undefined ? await auditedProjects(client) : [options.project];
				for (const project of projects) {
					const found = await verifyChain(project, { client, signer, now: Date.now() });
					const outcome =
						found.broken_at === null
							? `holds, ${found.rows} rows, ends with ${found.last_hash}`
							: `BROKEN at seq ${found.broken_at}: ${found.reason}`;
					process.stdout.write(`${project}: ${outcome}\n`);
					if (found.broken_at !== null) process.exitCode = 1;
				}
			}),
		);
	return audit;
}

function complianceCommand(settings: () => Settings): Command {
	const compliance = new Command("compliance").description(
		"bundles of evidence, and the key that they are signed with",
	);
	compliance
		.command("key")
		.description("print the public keys; the first one signs")
		.action(() => {
			for (const { key_id, public_key } of openSecretBox(settings()).signer.publicKeys) {
				process.stdout.write(`${key_id}\n${public_key}`);
			}
		});
	compliance
		.command("verify")
		.description("check every byte of a bundle of evidence; ends with 1 when it is not what was signed, and says why")
		.argument("<file>")
		.option(
			"--key <file>",
			"PEM of the public key that must have signed it; without, the one in the bundle is believed",
		)
		.action((file: string, { key }: { key?: string }) => {
			try {
				const found = verifyBundle(readFileSync(file), key === undefined ? undefined : readFileSync(key, "utf8"));
				const signers = found.attested_by.length > 0 ? `attested by ${found.attested_by.join(", ")}` : "not attested";
				process.stdout.write(
					`${found.standard} ${found.report_id} of ${found.project}: whole, ${found.files} files, ${signers}, ` +
						`signed with ${found.key_id}${key === undefined ? " (compare it with `tidemark compliance key`)" : ""}\n`,
				);
			} catch (error) {
				if (!(error instanceof BundleError) && !(error instanceof ArchiveError)) throw error;
				throw new StartError(`NOT what was signed: ${error.message}`, { cause: error });
			}
		});
	return compliance;
}
