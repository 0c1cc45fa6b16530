/** Packages whose own types are missing or not found; as much of them as is used. */

declare module "vader-sentiment" {
	const vader: {
		readonly SentimentIntensityAnalyzer: {
			/** `compound` from -1, most negative, to 1, most positive. */
			polarity_scores(text: string): { readonly compound: number };
		};
	};
	export default vader;
}

declare module "eld/extrasmall" {
	interface Detector {
		/** `language`: ISO 639-1, or empty. */
		detect(text: string): { readonly language: string; isReliable(): boolean };
		enableTextCleanup(on: boolean): void;
		newInstance(): Detector;
	}
	export const eld: Detector;
}
