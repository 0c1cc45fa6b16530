/** Files by what does not depend on where and when they were built and put. */

/** Names that many files of a program have: their folder tells them apart. */
const COMMON =
	/^(?:index|main|mod|lib|__init__|__main__|init|page|route|routes|layout|handler|app|server|client|views|models|urls|admin|tasks|utils|helpers|types|base|core|common|setup|application|program)$/i;
/** Folders that say where a program is, not which part of it this is. */
const ROOT =
	/^(?:src|lib|libs|app|apps|dist|build|out|bin|public|static|assets|js|code|workspace|workspaces|current|releases?|www|html|target|debug|source|task|tmp|temp|home|users|root|opt|srv|var|usr|data|mnt|builds|project|repo|site|server|client|web|chunks|_next|\.next|\.output|main|java|kotlin|python|go|\.{1,2}|[a-z]:)$/i;
/** Where programs are put, with the folder that each gets of its own. */
const INSTALLED =
	/^(?:\/home|\/users|[a-z]:\/users)\/[^/]+\/[^/]+\/|^(?:\/var\/www|\/opt|\/srv|\/usr\/src|\/usr\/local|\/root|\/tmp|\/data|\/mnt|\/builds\/[^/]+)\/[^/]+\//i;
const VERSION_OR_HASH = /^v?\d[\w.+-]*$|^[0-9a-f]{7,64}$|-v?\d[\w.+-]*$/i;

/** Scheme, host, query and fragment taken off, with forward slashes: of `webpack://shop/./src/a.ts?1f2e` `./src/a.ts`. */
export function pathOf(location: string): string {
	const scheme = location.indexOf("://");
	let path = location;
	if (scheme > 0 && scheme < 40) {
		const rest = location.slice(scheme + 3);
		// webpack:///./src and file:///app have no host.
		path = rest.startsWith("/") ? rest : rest.slice(Math.max(0, rest.indexOf("/")));
	}
	const end = path.search(/[?#]/);
	return (end === -1 ? path : path.slice(0, end)).replaceAll("\\", "/");
}

/**
 * The name of a file without folder, extension and what a build adds to it; files whose name says nothing keep their folder, unless
 * that is where the program was put.
 *
 * @example moduleOf("https://cdn.example/assets/main.3f2a9c1b.js?v=2") // "main"
 * @example moduleOf("/srv/shop-2.3.1/src/users/index.ts") // "users/index"
 */
export function moduleOf(location: string): string {
	const path = pathOf(location);
	const parts = path.split("/").filter((part) => part !== "");
	const stem = stemOf(parts.at(-1) ?? "");
	const folder = parts.at(-2);
	if (
		folder === undefined ||
		folder.length > 64 ||
		!COMMON.test(stem) ||
		ROOT.test(folder) ||
		VERSION_OR_HASH.test(folder)
	)
		return stem;
	const own = path.replace(INSTALLED, "");
	return own !== path && !own.includes("/") ? stem : `${folder}/${stem}`;
}

/** Whether the file's name carries what bundlers add, so that names of functions in it may be shortened too. */
export function isBundled(location: string): boolean {
	const name = pathOf(location).split("/").at(-1) ?? "";
	return /\.(?:min|chunk|bundle)\./.test(name) || withoutHash(name) !== name;
}

function stemOf(name: string): string {
	const plain = withoutHash(name).replace(/\.(?:min|chunk|bundle|prod|production|dev|esm|cjs|umd)(?=\.)/g, "");
	return plain.replace(/\.[A-Za-z]\w{0,5}$/, "") || plain;
}

/** `main.3f2a9c.js`, `index-BxQ3k_2a.js`, `chunk-QWERTYUI.js`, `app~31ecd969.js` → `main.js`, `index.js`, `chunk.js`, `app.js` */
function withoutHash(name: string): string {
	const extension = /(?:\.[a-z]\w{0,5}){1,2}$/i.exec(name)?.[0] ?? "";
	const dot = /^\.[0-9a-f]{6,}\./i.test(extension) ? name.length - extension.length : -1;
	if (dot > 0 && isHash(extension.split(".")[1]!))
		return name.slice(0, dot) + extension.slice(extension.indexOf(".", 1));
	const stem = name.slice(0, name.length - extension.length);
	// The hashes of Vite and Rollup are 8 characters of base64url, which may be "-" and "_" themselves.
	const short = /^(.+)[-.]([\w-]{8})$/.exec(stem);
	if (short && isHash(short[2]!)) return short[1]! + extension;
	const parts = stem.split(/(?=[.~_-])/);
	const kept = parts.filter((part, i) => i === 0 || !isHash(part.slice(1)));
	return kept.length === parts.length ? name : kept.join("") + extension;
}

function isHash(text: string): boolean {
	if (/^(?=[a-f]*\d)[0-9a-f]{6,64}$/i.test(text) || /^[0-9A-Z]{8}$/.test(text)) return true;
	return /^[\w-]{8,32}$/.test(text) && /\d/.test(text) && /[A-Z]/.test(text) && /[a-z]/.test(text);
}
