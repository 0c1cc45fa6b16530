/** Commands of whoever audits: is the audit log whole, is a bundle of evidence what was signed. */
import { Command } from "commander";
import { project, withClickHouse } from "./admin.ts";
import type { Settings } from "./config.ts";
import { auditedProjects, verifyChain } from "./schema/audit-verification.ts";
import { openSecretBox } from "./storage.ts";

/** @param settings read when a command runs, so that a bad setting does not spoil `--help` */
export function auditingCommands(settings: () => Settings): Command[] {
	return [auditCommand(settings)];
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
