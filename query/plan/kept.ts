import { RetentionError } from "./plan.ts";

/** A part of an answer, or why the data that could answer it is gone. */
export interface Kept<T> {
	readonly value: T | undefined;
	readonly reason: string | undefined;
}

/** Leaves one part of an answer out when what it is made of is no longer kept, instead of refusing all of it. */
export async function kept<T>(ask: () => Promise<T>): Promise<Kept<T>> {
	try {
		return { value: await ask(), reason: undefined };
	} catch (error) {
		if (!(error instanceof RetentionError)) throw error;
		return { value: undefined, reason: `null: ${error.message}` };
	}
}
