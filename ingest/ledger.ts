/** Where every accepted record is. The balance of these numbers is the promise that no record is dropped. */
export class Ledger {
	/** Records that ClickHouse has. */
	stored = 0;
	/** Records that ClickHouse refused and the quarantine has. */
	quarantined = 0;
	/** Events left out because their event_id was stored before. */
	duplicates = 0;
	/** Records that were not taken, and said so to the sender. */
	rejected = 0;
	/** Records found in the journal when this process started. */
	readonly recovered: number;

	constructor(recovered: number) {
		this.recovered = recovered;
	}

	/**
	 * 0 when every record is in exactly one place.
	 * @param accepted records that this process made durable
	 * @param journal records in the journal now
	 */
	imbalance(accepted: number, journal: number): number {
		return this.recovered + accepted - this.stored - this.quarantined - this.duplicates - journal;
	}
}
