// By hand: npm run build && node dist/test/adversaries/flip.js [--seconds 60]
import { parseArgs } from "node:util";
import { type FlipMode, flip } from "./flip-stage.js";

const { values } = parseArgs({ options: { seconds: { type: "string", default: "60" } } });
const seconds = Number(values.seconds);
if (!(seconds > 0)) throw new RangeError(`--seconds is ${values.seconds}; it must be above 0`);

const RUNS: readonly { readonly mode: FlipMode; readonly ringFlips: number }[] = [
  { mode: "direct", ringFlips: 0 },
  { mode: "copy", ringFlips: 0 },
  { mode: "copy", ringFlips: 200 },
  { mode: "borrow", ringFlips: 0 },
];
for (const { mode, ringFlips } of RUNS) {
  // The one that dies needs no longer.
  const outcome = await flip(mode, mode === "direct" ? Math.min(seconds, 10) : seconds / 3, ringFlips);
  console.log(mode, ringFlips === 0 ? "blocks" : "blocks and rings", JSON.stringify(outcome));
}
