import { afterEach, expect, test } from "vitest";
import { until } from "../../tests/server.ts";
import { type Inlet, Outbox, type Signal } from "./outbox.ts";

const open: Outbox[] = [];
afterEach(async () => {
	for (const outbox of open.splice(0)) await outbox.close();
});

/** An inlet that keeps what it is given; `takes` and `fails` say what it does with it. */
function inlet() {
	const written: { signal: Signal; records: readonly object[] }[] = [];
	const state = { written, takes: true, fails: false, rejects: 0 };
	const it: Inlet = {
		ready: () => state.takes,
		async write(signal, records) {
			if (state.fails) throw new Error("the disk is full");
			written.push({ signal, records });
			return { rejected: Array.from({ length: state.rejects }) };
		},
	};
	return Object.assign(state, { inlet: it });
}

function outbox(options?: ConstructorParameters<typeof Outbox>[0]) {
	const made = new Outbox({ flush_ms: 5, ...options });
	open.push(made);
	return made;
}

test("what came before the pipeline was up is sent once it is, in order and by signal", async () => {
	const box = outbox();
	const to = inlet();
	box.push("log", { n: 1 });
	box.push("metric", { n: 2 });
	box.push("log", { n: 3 });
	box.open(to.inlet);
	await until(() => to.written.length === 2);
	expect(to.written).toEqual([
		{ signal: "metric", records: [{ n: 2 }] },
		{ signal: "log", records: [{ n: 1 }, { n: 3 }] },
	]);
	expect(box.sent).toBe(3);
});

test("while the pipeline takes nothing the newest wait within the bound, and the lost ones are counted", async () => {
	const box = outbox({ maxBytes: 1_000 });
	const to = inlet();
	to.takes = false;
	box.open(to.inlet);
	for (let n = 0; n < 25_000; n++) box.push("log", { n }, 100);
	expect(box.losses).toEqual({ overflow: 24_990, failed: 0, rejected: 0 });
	to.takes = true;
	await until(() => to.written.length === 1);
	expect(to.written[0]?.records).toEqual(Array.from({ length: 10 }, (_, n) => ({ n: 24_990 + n })));
});

test("a record that is larger than the bound is still sent alone", async () => {
	const box = outbox({ maxBytes: 10 });
	const to = inlet();
	box.push("log", { n: 1 }, 100);
	box.push("log", { n: 2 }, 100);
	box.open(to.inlet);
	await until(() => to.written.length === 1);
	expect(to.written[0]?.records).toEqual([{ n: 2 }]);
});

test("a failing pipeline is counted, not tried again with the same records, and makes no new ones", async () => {
	const box = outbox();
	const to = inlet();
	to.fails = true;
	box.open(to.inlet);
	box.push("log", { n: 1 });
	await until(() => box.losses.failed === 1);
	to.fails = false;
	box.push("log", { n: 2 });
	await until(() => to.written.length === 1);
	expect(to.written).toEqual([{ signal: "log", records: [{ n: 2 }] }]);
	expect(box.losses).toEqual({ overflow: 0, failed: 1, rejected: 0 });
});

test("records that the check refuses are counted", async () => {
	const box = outbox();
	const to = inlet();
	to.rejects = 1;
	box.open(to.inlet);
	box.push("metric", { n: 1 });
	box.push("metric", { n: 2 });
	await until(() => box.losses.rejected === 1);
	expect(box.sent).toBe(1);
});

test("closing sends what waits; what comes later is let go", async () => {
	const box = outbox({ flush_ms: 600_000 });
	const to = inlet();
	box.open(to.inlet);
	box.push("log", { n: 1 });
	await box.close();
	box.push("log", { n: 2 });
	await box.close();
	expect(to.written).toEqual([{ signal: "log", records: [{ n: 1 }] }]);
});

test("a process that sends nothing gathers nothing", async () => {
	const box = outbox();
	const to = inlet();
	box.push("log", { n: 1 });
	box.shut();
	box.push("log", { n: 2 });
	box.open(to.inlet);
	await box.close();
	expect(to.written).toEqual([]);
});
