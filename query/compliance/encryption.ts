/** Checks of what is encrypted, as far as the settings and the tables can say. */
import { sealedDefinitions } from "../measures/compliance.ts";
import { type Assessing, type Finding, notTested, testedAll } from "./finding.ts";

const SEALED = /\btm1\.([\w-]{8})\.[\w-]+/g;

/** Connections that leave the machine are encrypted, and people reach the server by https. */
export async function encryptionInTransit({ instance }: Assessing): Promise<Finding> {
	const { connections } = instance;
	if (!instance.public_url_known) return notTested("TIDEMARK_PUBLIC_URL does not say how people reach the server");
	return testedAll({
		...{ what: "connections", population: connections.length, tested: connections.length },
		exceptions: connections
			.filter(({ encrypted, local }) => !encrypted && !local)
			.map(({ name, address }) => `${name}: ${address} is not encrypted`),
		evidence: [{ kind: "connections", title: "Connections by the settings of the server", content: connections }],
	});
}

/** Secrets in the tables are sealed with a key that does not lie in the data folder. */
export async function secretsSealed({ asker, instance, end }: Assessing): Promise<Finding> {
	const sealed = (await asker.ask(sealedDefinitions(end))).flatMap(({ kind, id, body }) =>
		[...body.matchAll(SEALED)].map(([, key]) => ({ kind, id, sealed_with: key! })),
	);
	if (sealed.length === 0) return notTested("there are no secrets to look at");
	return testedAll({
		...{ what: "secrets at rest", population: sealed.length, tested: sealed.length },
		exceptions: instance.secret_key_set
			? []
			: sealed.map(({ kind, id }) => `${kind} ${id}: is sealed with a key that lies in the data folder`),
		evidence: [
			{ kind: "sealed_secrets", title: "Definitions with sealed secrets, and the keys' ids", content: sealed },
		],
	});
}
