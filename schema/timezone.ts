/** Names that need no try: making a formatter takes longer than the rest of reading a request. */
const USUAL: ReadonlySet<string> = new Set(["UTC", ...Intl.supportedValuesOf("timeZone")]);

/** Whether a name is a time zone of the IANA database. An offset such as `+05:30` is none: it knows no clock changes. */
export function isTimezone(name: string): boolean {
	if (USUAL.has(name)) return true;
	try {
		return !/^[+-]/.test(name) && new Intl.DateTimeFormat("en", { timeZone: name }).format(0) !== "";
	} catch {
		return false;
	}
}
