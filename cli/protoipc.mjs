#!/usr/bin/env node
/** The command line. Plain JavaScript, and each command loaded when it is asked for: `build` works before all else. */
import { readFileSync } from "node:fs";

const HELP = `Usage: protoipc <command>

  build [--prebuild]   compile the native part, which shared memory needs, with the C compiler of this machine
  --version            the version of this package
  --help               this text
`;

const COMMANDS = {
  build: async (args) => (await import("../bindings/node/build.mjs")).main(args),
};

const [command, ...args] = process.argv.slice(2);
if (command === "--version") {
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  console.log(version);
} else if (command === "--help" || command === undefined) {
  console.log(HELP);
  process.exitCode = command === undefined ? 2 : 0;
} else if (Object.hasOwn(COMMANDS, command)) {
  process.exitCode = await COMMANDS[command](args);
} else {
  console.error(`protoipc has no command ${JSON.stringify(command)}; see: protoipc --help`);
  process.exitCode = 2;
}
