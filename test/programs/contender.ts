// Claims and releases endpoint names, as its standard input says: "claim NAME" or "release" per line; answers each with
// one line of JSON. Arguments: root, domain.
import { createInterface } from "node:readline";
import { type Claim, claimName } from "../../transports/directory/index.js";
import { TransportError } from "../../transports/transport.js";

const [path = "", domain = ""] = process.argv.slice(2);
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
      incarnation: "00",
      implementation: "",
    });
    return { won: true };
  } catch (error) {
    if (error instanceof TransportError) return { won: false, kind: error.kind, message: error.message };
    throw error;
  }
}

process.stdout.write(`${JSON.stringify({ ready: true })}\n`);
for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await answer(line))}\n`);
}
