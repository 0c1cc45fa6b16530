/** Which issues were met before, so that the answer to an error can say whether it is a new one. */

/** A hundred bytes each. */
export const ISSUES_KNOWN = 200_000;

export interface KnownIssue {
	/** Nobody knows whether the record that made it known is stored. */
	doubtful: boolean;
}

export interface KnownIssuesOptions {
	/** No other process takes in errors: an issue that is not here is new. Else nobody can tell. */
	readonly alone: boolean;
	/** Issues held in memory; of those beyond nothing is said. Default: {@link ISSUES_KNOWN} */
	readonly capacity?: number;
}

export class KnownIssues {
	readonly #alone: boolean;
	readonly #capacity: number;
	readonly #issues = new Map<string, KnownIssue>();
	#isComplete = false;

	constructor({ alone, capacity = ISSUES_KNOWN }: KnownIssuesOptions) {
		this.#alone = alone;
		this.#capacity = capacity;
	}

	/** All that are stored have been added. */
	complete(): void {
		this.#isComplete = this.#issues.size < this.#capacity;
	}

	/** Adds one that is stored, or on its way. */
	know(project: string, issueId: string): void {
		this.#add(project, issueId);
	}

	/**
	 * Meets an issue.
	 * @returns whether it is new, null when nobody can tell; and the entry that the record made, to be doubted if that is lost
	 */
	meet(project: string, issueId: string): { readonly isNew: boolean | null; readonly made?: KnownIssue } {
		const known = this.#issues.get(keyOf(project, issueId));
		if (known) return { isNew: known.doubtful ? null : false };
		const made = this.#add(project, issueId);
		if (!made) return { isNew: null };
		return { isNew: this.#alone && this.#isComplete ? true : null, made };
	}

	#add(project: string, issueId: string): KnownIssue | undefined {
		if (this.#issues.size >= this.#capacity) {
			// From here on one that is not here may have been met.
			this.#isComplete = false;
			return undefined;
		}
		const issue = { doubtful: false };
		this.#issues.set(keyOf(project, issueId), issue);
		return issue;
	}
}

function keyOf(project: string, issueId: string): string {
	return `${issueId}${project}`;
}
