// People and what they do: sessions, features, conversations with models, feedback.
import type { BatchRecord } from "../../schema/wire/index.ts";
import { busyness, type Day, HOUR_MS, Random } from "./world.ts";

interface Person {
	readonly user_id: string;
	readonly account_id: string;
	/** Days from the first, below 0 for those who were there before. */
	readonly signedUp: number;
	readonly leavesAfter: number;
	/** Share of days with a visit. */
	readonly eagerness: number;
	/** What says who and where, on every event. */
	readonly properties: Readonly<Record<string, string>>;
}

const PLACES = [
	[{ "geo.country.iso_code": "US", region: "us-east" }, 42],
	[{ "geo.country.iso_code": "DE", region: "eu-west" }, 18],
	[{ "geo.country.iso_code": "FR", region: "eu-west" }, 10],
	[{ "geo.country.iso_code": "JP", region: "ap-north" }, 9],
	[{ "geo.country.iso_code": "IN", region: "ap-south" }, 9],
	[{ "geo.country.iso_code": "BR", region: "sa-east" }, 6],
	[{}, 6],
] as const;
const FEATURES = [
	["chat", 40],
	["search", 18],
	["document_editor", 16],
	["collaboration", 12],
	["voice_sessions", 8],
	["export", 6],
] as const;
const MODELS = [
	["llama3.2:latest", 60, 950],
	["gpt-4", 28, 1_400],
	["mistral-7b", 12, 620],
] as const;
const TOPICS = [
	["technical_support", 30],
	["creative_writing", 24],
	["billing", 18],
	["translation", 12],
	[undefined, 16],
] as const;
const LANGUAGES = [
	["en", 70],
	["es", 11],
	["de", 7],
	["fr", 7],
	["ja", 5],
] as const;

/** The same people for every day of a seed. */
export function people(seed: number, days: number, accounts: number): Person[] {
	const random = new Random(seed);
	return Array.from({ length: 300 }, (_, i) => {
		const signedUp = i < 80 ? -1 : Math.floor(((i - 80) / 220) ** 0.8 * days);
		const plan = random.weighted([
			["free", 50],
			["pro", 38],
			["enterprise", 12],
		] as const);
		return {
			user_id: `user_${String(i + 1).padStart(4, "0")}`,
			account_id: `acct_${String((i % accounts) + 1).padStart(3, "0")}`,
			signedUp,
			leavesAfter: random.chance(0.3) ? random.whole(2, days / 2) : days,
			eagerness: plan === "enterprise" ? random.between(0.4, 0.85) : random.between(0.06, 0.5),
			properties: { user_type: plan, ...random.weighted(PLACES) },
		};
	});
}

/** Everything that everyone does on a day. */
export function* activity(day: Day, everyone: readonly Person[]): Iterable<BatchRecord> {
	const { random } = day;
	for (const person of everyone) {
		const age = day.index - Math.max(0, person.signedUp);
		if (person.signedUp > day.index || age > person.leavesAfter) continue;
		const isFirstDay = person.signedUp === day.index;
		const busy = busyness(day.start + 12 * HOUR_MS, day);
		const visits = isFirstDay || random.chance(person.eagerness * Math.min(1.4, busy)) ? random.whole(1, 2) : 0;
		for (let visit = 0; visit < visits; visit++) {
			const start = day.start + Math.floor(random.between(6 + 7 * visit, 12 + 9 * visit) * HOUR_MS);
			yield* session(day, person, start, isFirstDay && visit === 0);
		}
		// Those who go for good say so, some of them.
		if (age === person.leavesAfter && age < day.count - 1 && random.chance(0.1)) {
			const timestamp = day.start + 20 * HOUR_MS;
			yield { type: "event", event: "user.deleted", user_id: person.user_id, timestamp, properties: {} };
		}
	}
}

function* session(day: Day, person: Person, start: number, isSignUp: boolean): Iterable<BatchRecord> {
	const { random } = day;
	const { user_id, account_id } = person;
	const session_id = `sess_${user_id.slice(5)}_${Math.floor(start / 1_000)}`;
	let at = start;
	const happens = (event: string, properties: Record<string, unknown> = {}, after_s = 1): BatchRecord => {
		at += Math.round(after_s * 1_000 * random.between(0.5, 1.5));
		const all = { ...person.properties, ...properties };
		return { type: "event", event, user_id, account_id, session_id, timestamp: at, properties: all };
	};
	if (isSignUp) yield happens("user.signed_up");
	yield happens("session.started");
	for (let i = random.whole(1, 6); i > 0; i--) {
		const feature = random.weighted(FEATURES);
		yield happens("feature.used", { feature }, 60);
		yield happens("api.call", { route: `/v1/${feature}` }, 1);
		if (feature === "chat") yield* conversation(random, `conv_${session_id.slice(5)}_${i}`, happens);
		if (feature === "document_editor" && random.chance(0.4)) yield happens("document.created", {}, 90);
		for (const [name, event] of [
			["collaboration", "collaboration"],
			["voice_sessions", "voice.session"],
		] as const) {
			if (feature !== name || !random.chance(0.5)) continue;
			yield happens(`${event}.started`, {}, 5);
			yield happens(`${event}.ended`, {}, 400);
		}
		if (random.chance(0.12)) {
			const rating = random.weighted([
				[5, 40],
				[4, 32],
				[3, 16],
				[2, 7],
				[1, 5],
			] as const);
			yield happens("feedback.submitted", { target_type: "feature", target_id: feature, rating, scale: 5 }, 5);
		}
	}
	yield happens("session.ended", {}, 30);
}

type Happens = (event: string, properties?: Record<string, unknown>, after_s?: number) => BatchRecord;

function* conversation(random: Random, conversation_id: string, happens: Happens): Iterable<BatchRecord> {
	yield happens("conversation.started", { conversation_id });
	const mood = moodOf(random);
	const [model, , median_ms] = random.weighted(MODELS.map((choice) => [choice, choice[1]] as const));
	for (let turn = random.whole(1, 6); turn > 0; turn--) {
		yield happens("chat.message.sent", { conversation_id, role: "user", ...mood }, 30);
		const error_type = random.weighted([
			[undefined, 970],
			["timeout", 10],
			["cancelled", 8],
			["overloaded", 8],
		] as const);
		const output_tokens = Math.round(random.logNormal(140, 0.6));
		const ok = error_type === undefined;
		yield happens("model_inference_completed", {
			...{ conversation_id, model, success: ok, input_tokens: random.whole(20, 600) },
			latency_ms: error_type === "timeout" ? 30_000 : Math.round(random.logNormal(median_ms, 0.45)),
			...(ok ? { output_tokens, response_chars: Math.round(output_tokens * 4.1) } : { error_type }),
			...(model === "gpt-4" ? {} : { memory_mb: random.whole(1_800, 2_600), cpu_percent: random.whole(45, 95) }),
		});
		if (ok) yield happens("chat.message.sent", { conversation_id, role: "assistant" });
		if (ok && random.chance(0.08)) {
			for (const name of ["coherence", "relevance"]) {
				const value = random.whole(3, 5);
				const scale = { scale_min: 1, scale_max: 5, source: "llm_judge", evaluator: "judge-1" };
				yield happens("gen_ai.evaluation.result", {
					name,
					value,
					model,
					target_type: "model",
					target_id: model,
					...scale,
				});
			}
		}
		if (ok && random.chance(0.06)) {
			const rating = random.whole(2, 5);
			yield happens("feedback.submitted", {
				target_type: "response",
				target_id: conversation_id,
				model,
				rating,
				scale: 5,
			});
		}
	}
	const topic = random.weighted(TOPICS);
	const outcome = random.weighted([
		["completed", 80],
		["abandoned", 14],
		["escalated", 6],
	] as const);
	yield happens("conversation.ended", {
		...{ conversation_id, outcome, resolved: outcome === "completed" },
		...{ sentiment: mood.sentiment, language: random.weighted(LANGUAGES) },
		...(topic === undefined ? {} : { topic }),
	});
	if (random.chance(0.3)) {
		const rating = random.weighted([
			[5, 45],
			[4, 30],
			[3, 13],
			[2, 7],
			[1, 5],
		] as const);
		yield happens("feedback.submitted", { target_type: "conversation", target_id: conversation_id, rating, scale: 5 });
	}
}

/** A mood and its compound, from −1 to 1. */
function moodOf(random: Random): { sentiment: string; sentiment_compound: number } {
	const sentiment = random.weighted([
		["positive", 60],
		["neutral", 28],
		["negative", 12],
	] as const);
	const compound =
		sentiment === "positive" ? random.between(0.1, 0.9) : sentiment === "negative" ? -random.between(0.1, 0.9) : 0;
	return { sentiment, sentiment_compound: Number(compound.toFixed(3)) };
}
