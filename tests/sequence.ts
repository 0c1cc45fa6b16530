import { BaseSequencer, type TestSpecification } from "vitest/node";

/** What takes longest, in this order; where nothing is known of earlier runs, as in a fresh clone, vitest goes by the size of a file. */
const FIRST = ["tests/kill", "tests/outage", "tests/start", "benchmarks/bench", "tests/", "workers/"];

/** Long files first: one of them at the end would keep all workers but one waiting. */
export class LongestFirst extends BaseSequencer {
	override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
		const root = this.ctx.config.root;
		const rank = ({ moduleId }: TestSpecification) => {
			const place = FIRST.findIndex((start) => moduleId.startsWith(`${root}/${start}`));
			return place < 0 ? FIRST.length : place;
		};
		return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
	}
}
