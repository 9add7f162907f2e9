import { join } from "node:path";
import { fileURLToPath } from "node:url";

const BUILT = fileURLToPath(new URL("../../dist/test/programs", import.meta.url));

/** Where a program of test/programs is, as built; under Wine, as bundled: there each module takes long to find. */
export function programPath(name: string): string {
  return join(process.env["PROTOIPC_TEST_PROGRAMS"] ?? BUILT, `${name}.js`);
}
