// tsc copies no SQL: put the migrations beside the compiled code that reads them.
import { cpSync } from "node:fs";

cpSync(new URL("../schema/migrations", import.meta.url), new URL("../dist/schema/migrations", import.meta.url), {
	recursive: true,
});
