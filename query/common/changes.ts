import { DefinitionChangedError } from "../../schema/definitions.ts";

/** Does again what was built on a version that somebody else replaced meanwhile: it reads first what it builds on. */
export async function untilUnchanged<T>(change: () => Promise<T>): Promise<T> {
	for (;;) {
		try {
			return await change();
		} catch (error) {
			if (!(error instanceof DefinitionChangedError)) throw error;
		}
	}
}
