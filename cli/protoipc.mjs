#!/usr/bin/env node
/** The command line. Plain JavaScript: `build` works before all else, and before anything is compiled. */
import { existsSync, readFileSync } from "node:fs";

const [command, ...args] = process.argv.slice(2);
const main = new URL("../dist/cli/main.js", import.meta.url);

if (command === "build") {
  process.exitCode = await (await import("../bindings/node/build.mjs")).main(args);
} else if (command === "--version") {
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  console.log(version);
} else if (existsSync(main)) {
  await (await import(main.href)).main(process.argv.slice(2));
} else {
  console.error("protoipc is not compiled here: run npm run build");
  process.exitCode = 2;
}
