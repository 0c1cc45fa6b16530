/** Looks what is due, claims it and sends it. All that it knows stands in ClickHouse; whoever runs it, and how often, changes nothing. */
import type { Logger } from "pino";
import { ACKNOWLEDGE_PATH, acknowledgeToken } from "../../schema/acknowledge-link.ts";
import type { ClickHouse } from "../../schema/clickhouse.ts";
import { type Definition, DefinitionError, Definitions } from "../../schema/definitions.ts";
import { openSecrets } from "../../schema/sealed-notifications.ts";
import { SealError, type SecretBox } from "../../schema/secret-box.ts";
import {
	type AlertRule,
	alertRule,
	NOTIFICATIONS_ID,
	NOTIFICATIONS_KIND,
	type StoredNotifications,
	storedNotifications,
	storedSilence,
	type TestAlertAnswer,
} from "../../schema/wire/index.ts";
import type { HistoryRow } from "../alerts/store.ts";
import { ChannelWatch } from "./channel-watch.ts";
import { CHANNELS } from "./channels/index.ts";
import { CHANNEL_ALERT, channelOf, channelRoutes, channelRule, isInUse } from "./dead-channel.ts";
import type { Message, NoticeKind } from "./message.ts";
import type { Outcome } from "./outcome.ts";
import { outdated, plan, type RuleRoutes } from "./plan.ts";
import { type Destination, routesOf, whereNow } from "./recipients.ts";
import { nextStep, retryAt } from "./retry.ts";
import { type SenderOptions, send } from "./send.ts";
import { firstLoud, matches } from "./silence.ts";
import { NoticeStore, type StoredNotice, type ToldFiring } from "./store.ts";

export interface NotifierOptions extends SenderOptions {
	readonly clickhouse: ClickHouse;
	readonly box: SecretBox;
	/** Where people reach this server, without a slash at the end. */
	readonly publicUrl: () => string;
	readonly logger: Logger;
	/** Hears of what becomes of channels, once it is stored. */
	readonly onHistory?: (rows: readonly HistoryRow[]) => void;
	/** Hears of a message that is given up. */
	readonly onDead?: (dead: Dead) => void;
}

export interface Dead {
	readonly project: string;
	readonly alert_id: string;
	readonly channel: string;
	readonly detail: string;
}

const LINK_MS = 7 * 86_400_000;

export class Notifier {
	readonly #options: NotifierOptions;
	readonly #store: NoticeStore;
	readonly #watch: ChannelWatch;
	readonly #rules: Definitions<AlertRule>;
	readonly #config: Definitions<StoredNotifications>;
	readonly #silences: Definitions<ReturnType<typeof storedSilence.parse>>;
	#failures = 0;

	constructor(options: NotifierOptions) {
		const { clickhouse, now } = options;
		this.#options = options;
		this.#store = new NoticeStore(clickhouse, now);
		this.#watch = new ChannelWatch({ store: this.#store, clickhouse, now, onHistory: options.onHistory });
		this.#rules = new Definitions(clickhouse, "alert", alertRule, now);
		this.#config = new Definitions(clickhouse, NOTIFICATIONS_KIND, storedNotifications, now);
		this.#silences = new Definitions(clickhouse, "silence", storedSilence, now);
	}

	/**
	 * Plans and claims what is due; a project that fails does not hold up the others.
	 * @param only of this project, instead of all
	 * @returns messages that are to be sent now, those of before that wait included
	 */
	async sweep(only?: string): Promise<{ project: string; message_id: string }[]> {
		const projects = new Map<string, ToldFiring[]>();
		for (const firing of await this.#store.firings(only))
			projects.set(firing.project, [...(projects.get(firing.project) ?? []), firing]);
		const due: { project: string; message_id: string }[] = [];
		for (const [project, firings] of projects) {
			try {
				for (const message_id of await this.#sweepProject(project, firings)) due.push({ project, message_id });
			} catch (err) {
				this.#options.logger.error({ err, project }, "who is to be told could not be planned");
				this.#failures++;
			}
		}
		return due;
	}

	/** Sweeps of a project that failed, since the start. */
	get failures(): number {
		return this.#failures;
	}

	async #sweepProject(project: string, firings: readonly ToldFiring[]): Promise<string[]> {
		const now = this.#options.now();
		const ids = firings.map(({ firing_id }) => firing_id);
		const [{ definitions: rules, unreadable }, configs, silences, before] = await Promise.all([
			this.#rules.scan(project),
			this.#config.scan(project),
			this.#silences.list(project),
			this.#store.notices(project, ids),
		]);
		const dead = firings.filter((one) => one.alert_id === CHANNEL_ALERT && one.resolved_at === null);
		const config = configs.definitions.find(({ id }) => id === NOTIFICATIONS_ID);
		const routes = new Map(rules.map((rule) => [rule.id, routesOfRule(rule, config?.body)]));
		// What cannot be read may name a channel.
		if (unreadable.length + configs.unreadable.length === 0)
			await this.#watch.removed(dead.filter((one) => !isInUse(channelOf(one), config?.body, routes)));
		if (dead.length > 0)
			routes.set(CHANNEL_ALERT, channelRoutes(config?.body, new Set(dead.map(({ labels }) => labels.channel ?? ""))));
		const names = new Map([...rules, channelRule(project)].map(({ id, body }) => [id, body.name]));
		for (const { alert_id, rule_name } of before) if (!names.has(alert_id)) names.set(alert_id, rule_name);
		const notices = await this.#putAside(project, before, firings, now);
		const planned = plan({ firings, rules: routes, notices, silences: silences.map(({ body }) => body) }, now).map(
			(notice) => ({ ...notice, rule_name: names.get(notice.alert_id) ?? notice.alert_id }),
		);
		await this.#store.claim(project, planned);
		const waiting = notices.filter(({ status }) => status === "planned").map(({ message_id }) => message_id);
		const attempts = await this.#store.attempts(project, [...new Set(waiting)]);
		const due = waiting.filter((id) => nextStep(attempts.get(id) ?? [], now) !== "wait");
		return [...new Set([...due, ...planned.map(({ message_id }) => message_id)])];
	}

	/**
	 * What nobody needs any more is cancelled. What was interrupted while it was sent is not sent again, since whoever is woken twice
	 * for one thing stops to listen; only where the other side finds the same one again by itself is a second time harmless.
	 */
	async #putAside<T extends StoredNotice>(
		project: string,
		notices: readonly T[],
		firings: readonly ToldFiring[],
		now: number,
	): Promise<T[]> {
		const planned = notices.filter(({ status }) => status === "planned");
		const attempts = await this.#store.attempts(project, [...new Set(planned.map(({ message_id }) => message_id))]);
		const stepOf = ({ message_id }: T) => nextStep(attempts.get(message_id) ?? [], now);
		const old = new Set<StoredNotice>(outdated(planned, firings) as T[]);
		const unsure = planned.filter(
			(notice) => stepOf(notice) === "unsure" && (old.has(notice) || !CHANNELS[notice.destination.type].isIdempotent),
		);
		const isDone = (notice: T) => !unsure.includes(notice) && ["send", "wait"].includes(stepOf(notice));
		// One that is under way may still arrive, and one that is only waiting for its next attempt does not.
		const isOut = ({ message_id }: T) =>
			["started", "sending"].includes(attempts.get(message_id)?.at(-1)?.outcome ?? "");
		const cancelled = planned.filter((one) => old.has(one) && isDone(one) && !(isOut(one) && stepOf(one) === "wait"));
		await this.#store.settle(project, unsure, "told", UNSURE);
		await this.#store.settle(project, cancelled, "cancelled", "acknowledged or over before it was sent");
		for (const notice of unsure)
			await this.#store.note(notice, { project, channel: notice.destination.label, detail: UNSURE });
		return notices.map((notice) => {
			if (unsure.includes(notice)) return { ...notice, status: "told" };
			return cancelled.includes(notice) ? { ...notice, status: "cancelled" } : notice;
		});
	}

	/** Sends a message that was claimed, unless it is not wanted any more, or somebody else is at it. */
	async send(project: string, message_id: string): Promise<void> {
		const now = this.#options.now();
		const all = (await this.#store.noticesOf(project, message_id)).filter(({ status }) => status === "planned");
		const attempts = (await this.#store.attempts(project, [message_id])).get(message_id) ?? [];
		const step = nextStep(attempts, now);
		if (all.length === 0 || step === "wait") return;
		// Killed between the outcome and its notices.
		if (step === "done") {
			const sent = attempts.some(({ outcome }) => outcome === "sent");
			return this.#store.settle(project, all, sent ? "told" : "failed");
		}
		const firings = await this.#store.firings(project);
		const wanted = (await this.#putAside(project, all, firings, now)).filter(({ status }) => status === "planned");
		const [first] = wanted;
		if (!first || (await this.#isSilent(project, first, firings, now))) return;
		const [rule, config] = await Promise.all([this.#ruleOf(project, first.alert_id), this.#configOf(project)]);
		const destination = whereNow(first.destination, rule?.body, config?.body);
		const attempt = {
			...{ project, message_id, attempt: Math.max(0, ...attempts.map((one) => one.attempt)) + 1 },
			...{ alert_id: first.alert_id, channel: destination.label, started_at: now },
		};
		const open = { ...attempt, status_code: 0, detail: "", duration_ms: 0, retry_at: null };
		await this.#store.attempt({ ...open, outcome: "started" });
		const message = this.#messageOf(project, rule, wanted, firings);
		const outcome = await this.#deliver(message, destination, () =>
			this.#store.attempt({ ...open, outcome: "sending" }),
		);
		const retry_at =
			outcome.outcome === "retry"
				? retryAt(this.#options.now(), { attempts: attempt.attempt, created_at: first.created_at, ...outcome })
				: undefined;
		const result = outcome.outcome === "retry" && retry_at === undefined ? "failed" : outcome.outcome;
		const { status_code, detail } = outcome;
		const duration_ms = this.#options.now() - now;
		await this.#store.attempt({
			...attempt,
			outcome: result,
			status_code,
			detail,
			duration_ms,
			retry_at: retry_at ?? null,
		});
		if (result === "sent") await this.#store.settle(project, wanted, "told");
		if (result === "failed") {
			await this.#store.settle(project, wanted, "failed", detail);
			await this.#dead(first, { project, alert_id: first.alert_id, channel: destination.label, detail });
		}
		await this.#watch.heard(project, first.alert_id, destination.label, result);
	}

	/** A retry that comes due while a silence holds is sent at its end. */
	async #isSilent(
		project: string,
		{ kind, alert_id, firing_id }: StoredNotice,
		firings: readonly ToldFiring[],
		now: number,
	) {
		if (kind === "resolve" || kind === "acknowledge") return false;
		const firing = firings.find((one) => one.firing_id === firing_id)!;
		const [rule, silences] = await Promise.all([this.#ruleOf(project, alert_id), this.#silences.list(project)]);
		const labels = { ...rule?.body.labels, ...firing.labels };
		const matched = { ...firing, name: rule?.body.name ?? "", labels };
		return (
			firstLoud(
				silences.map(({ body }) => body).filter(({ matchers }) => matches(matchers, matched)),
				now,
			) > now
		);
	}

	/** Sends a marked message to everyone whom a rule names, at every level. */
	async test(project: string, alert_id: string): Promise<TestAlertAnswer> {
		const now = this.#options.now();
		const [rule, config] = await Promise.all([this.#rules.get(project, alert_id), this.#configOf(project)]);
		if (!rule) return { alert_id, deliveries: [] };
		const { told, levels } = routesOf(rule.body, config?.body);
		const destinations = new Map([...told, ...levels.flat()].map((one) => [one.key, one]));
		const message_id = `msg_test_${now.toString(36)}`;
		const instance = {
			...{ instance: "test", firing_id: "test", labels: {}, metric: "test", value: null, threshold: null },
			...{ message: `This is a test of ${rule.body.name}. Nothing has happened.`, fired_at: now, resolved_at: null },
		};
		const deliveries = [...destinations.values()].map(async (destination) => {
			const id = `${message_id}_${destinations.size}_${[...destinations.keys()].indexOf(destination.key)}`;
			const message = { ...described(rule), message_id: id, kind: "fire", project, level: 0, at: now } as const;
			const attempt = { project, message_id: id, attempt: 1, alert_id, channel: destination.label, started_at: now };
			const outcome = await this.#deliver(
				{ ...message, acknowledge_url: null, instances: [instance], isTest: true, severity: rule.body.severity },
				destination,
			);
			const { status_code, detail } = outcome;
			// Nobody tries a test again: whoever asked for it sees what came of it.
			const result = outcome.outcome === "sent" ? ("sent" as const) : ("failed" as const);
			const duration_ms = this.#options.now() - now;
			await this.#store.attempt({ ...attempt, outcome: result, status_code, detail, duration_ms, retry_at: null });
			if (result === "sent") await this.#watch.heard(project, alert_id, destination.label, result);
			const status = outcome.outcome === "sent" ? ("sent" as const) : ("failed" as const);
			return { channel: destination.label, status, detail: outcome.detail || null };
		});
		return { alert_id, deliveries: await Promise.all(deliveries) };
	}

	#ruleOf(project: string, id: string): Promise<Definition<AlertRule> | undefined> {
		return id === CHANNEL_ALERT ? Promise.resolve(channelRule(project)) : ifReadable(this.#rules.get(project, id));
	}

	#configOf(project: string): Promise<Definition<StoredNotifications> | undefined> {
		return ifReadable(this.#config.get(project, NOTIFICATIONS_ID));
	}

	async #deliver(message: Message, { target }: Destination, beforeSend = async () => {}): Promise<Outcome> {
		try {
			return await send(message, openSecrets(target, this.#options.box, message.project), this.#options, beforeSend);
		} catch (error) {
			if (!(error instanceof SealError)) throw error;
			return { outcome: "failed", status_code: 0, detail: error.message };
		}
	}

	#messageOf(
		project: string,
		rule: Definition<AlertRule> | undefined,
		notices: readonly StoredNotice[],
		firings: readonly ToldFiring[],
	): Message {
		const [{ message_id, alert_id, kind, level, rule_name, created_at }] = notices as [StoredNotice];
		const told = notices.flatMap(({ firing_id }) => firings.find((one) => one.firing_id === firing_id) ?? []);
		const firing_ids = notices.map(({ firing_id }) => firing_id);
		return {
			...(rule ? described(rule) : { alert_id, name: rule_name, description: "", labels: {}, runbook_url: null }),
			...{ message_id, kind, project, level, isTest: false, at: created_at, instances: told },
			severity: told[0]?.severity ?? rule?.body.severity ?? "medium",
			acknowledge_url:
				ACKNOWLEDGED.includes(kind) && alert_id !== CHANNEL_ALERT ? this.#link(project, alert_id, firing_ids) : null,
		};
	}

	#link(project: string, alert_id: string, firing_ids: readonly string[]): string {
		const { box, publicUrl, now } = this.#options;
		const token = acknowledgeToken({ project, alert_id, firing_ids, expires_at: now() + LINK_MS }, box);
		return `${publicUrl()}${ACKNOWLEDGE_PATH}/${token}`;
	}

	/** Somebody should have been told and was not: that must not stay unsaid. */
	async #dead(notice: StoredNotice, dead: Dead): Promise<void> {
		this.#options.logger.error(dead, "people could not be told of an alert: the channel does not take its message");
		await this.#store.note(notice, dead);
		this.#options.onDead?.(dead);
	}
}

const UNSURE = "interrupted while it was sent, it may have arrived";
const ACKNOWLEDGED: readonly NoticeKind[] = ["fire", "repeat", "flapping"];

/** What does not fit its schema is as if it were not there: a message that is due goes out with what else is known. */
function ifReadable<T>(reading: Promise<T>): Promise<T | undefined> {
	return reading.catch((error: unknown) => {
		if (error instanceof DefinitionError) return undefined;
		throw error;
	});
}

function described({ id, body }: Definition<AlertRule>) {
	const { name, description, labels, runbook_url } = body;
	return { alert_id: id, name, description, labels, runbook_url };
}

function routesOfRule({ body }: Definition<AlertRule>, config: StoredNotifications | undefined): RuleRoutes {
	const { told, levels } = routesOf(body, config);
	return { rule: body, told, levels };
}
