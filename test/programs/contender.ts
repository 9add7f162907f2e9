// Claims and releases endpoint names, as its standard input says: "claim NAME" or "release" per line; answers each with
// one line of JSON. Arguments: root, domain. It has the addon, and says so, unless PROTOIPC_ADDON names none.
import { randomBytes } from "node:crypto";
import { createInterface } from "node:readline";
import { Code, loadBinding } from "../../bindings/node/binding.js";
import { type Claim, claimName, fileLockBy } from "../../transports/directory/index.js";
import { TransportError } from "../../transports/transport.js";

const [path = "", domain = ""] = process.argv.slice(2);
const { binding } = loadBinding();
const fileLock = binding && fileLockBy((fd) => binding.lock(fd) !== Code.EINUSE);
let claim: Claim | undefined;

async function answer(line: string): Promise<object> {
  const [command = "", name = ""] = line.split(" ");
  if (command === "release") {
    await claim?.release();
    return { released: true };
  }
  try {
    claim = await claimName({
      root: { path, rule: "PROTOIPC_DIR" },
      domain,
      name,
      incarnation: randomBytes(16).toString("hex"),
      implementation: "",
      fileLock,
    });
    return { won: true };
  } catch (error) {
    if (error instanceof TransportError) return { won: false, kind: error.kind, message: error.message };
    throw error;
  }
}

process.stdout.write(`${JSON.stringify({ ready: true, hasAddon: binding !== undefined })}\n`);
for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await answer(line))}\n`);
}
