import { existsSync, statfsSync } from "node:fs";
import { chooseRoot } from "../../transports/directory/index.js";
import type { Finding } from "./finding.js";

const NETWORK_FILE_SYSTEMS: Readonly<Record<number, string>> = {
  26985: "NFS",
  4283649346: "CIFS",
  4266872130: "SMB",
  1702057286: "FUSE",
};

export async function checkContainer(): Promise<Finding[]> {
  const check = "container";
  const found: Finding[] = [];
  const root = await chooseRoot();
  if (existsSync(root.path)) {
    const name = NETWORK_FILE_SYSTEMS[statfsSync(root.path).type];
    if (name !== undefined) {
      const advice = "set PROTOIPC_DIR to a directory on a local file system";
      found.push({
        check,
        state: "failure",
        finding: `${root.path} is on ${name}: sockets and their events do not work there`,
        advice,
      });
    }
  }
  if (existsSync("/.dockerenv") || existsSync("/run/.containerenv")) {
    const advice =
      "to meet processes outside: share the directory and the network namespace (for example --network host, -v), and run as the same user";
    found.push({ check, state: "warning", finding: "this is a container", advice });
  }
  return found.length > 0
    ? found
    : [{ check, state: "ok", finding: "not seen to be one; the directory is on a local file system" }];
}
