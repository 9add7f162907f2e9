import type { Finding } from "./finding.js";

const LEAST_NODE = [20, 19];

export function checkNode(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const isOld = major < LEAST_NODE[0]! || (major === LEAST_NODE[0] && minor < LEAST_NODE[1]!);
  const finding = `Node ${process.versions.node} on ${process.platform} ${process.arch}`;
  if (isOld)
    return {
      check: "node",
      state: "failure",
      finding,
      advice: `install Node ${LEAST_NODE.join(".")} or later`,
    };
  if (process.platform === "linux") return { check: "node", state: "ok", finding };
  return {
    check: "node",
    state: "warning",
    finding,
    advice: "protoipc is run on Linux; elsewhere it is not tested",
  };
}
