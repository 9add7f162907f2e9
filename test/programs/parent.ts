// Starts a child, whose error output is its own, and tells its pid, until it is killed.
import { fileURLToPath } from "node:url";
import { open } from "../../index.js";

const endpoint = await open();
const child = await endpoint.spawn(fileURLToPath(new URL("./child.js", import.meta.url)), {
  args: [process.argv[3] ?? "quiet"],
  stderr: "inherit",
  via: process.argv[2] as "socket",
});
process.stdout.write(`${JSON.stringify({ child: child.pid })}\n`);
setInterval(() => undefined, 1_000);
