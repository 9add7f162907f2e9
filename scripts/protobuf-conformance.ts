/**
 * Runs protobuf's official conformance suite: every binary test through the codecs of the runtime. Where its runner is not
 * there, it says so and ends well, but not in CI.
 */
import { findRunner, runSuite } from "../test/protobuf-conformance/run-suite.js";

const runner = await findRunner();
if ("missing" in runner) {
  if (process.env["CI"] === "true") throw new Error(runner.missing);
  console.log(`SKIPPED: ${runner.missing}`);
} else {
  const { problems, log, summary } = await runSuite(runner.command);
  if (problems.length > 0) console.error(log);
  console.log(summary);
  for (const problem of problems) console.error(problem);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
