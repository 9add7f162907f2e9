import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { goodFramesFile, sessionsFile } from "./generate.js";

/** Writes the generated vectors again. Run from the root of the repository. */
const folder = join(process.cwd(), "test", "vectors");
writeFileSync(join(folder, "frames-good.json"), goodFramesFile());
writeFileSync(join(folder, "sessions.json"), sessionsFile());
