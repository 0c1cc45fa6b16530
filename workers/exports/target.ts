/** Where the files of an export go. */

export interface Target {
	/** Removes what attempts that were killed have left half-way. */
	clear(): Promise<void>;
	/**
	 * Writes a file that is there under its name only once it is whole, and lasts from then on; one of the same name is replaced.
	 * @throws PermanentJobError when trying again would not help
	 */
	write(name: string, body: AsyncIterable<Buffer>): Promise<void>;
	/** Removes files that were written, those that are there. */
	remove(names: readonly string[]): Promise<void>;
}
