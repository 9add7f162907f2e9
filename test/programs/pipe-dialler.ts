// Dials a pipe and is killed at a step of that. Arguments: the path of the door, the step.
import { mkdir } from "node:fs/promises";
import { writeSync } from "node:fs";
import { openDoor, ringFor } from "../../transports/pipe/fifo-door.js";
import { makeRequest } from "../../transports/pipe/fifo-request.js";
import { pipeTransport } from "../../transports/pipe/index.js";
import { makeFifosByDefault } from "../../transports/pipe/make-fifos.js";
import { makeFifos } from "../harness/make-fifos.js";

const [path = "", step = ""] = process.argv.slice(2);
const limits = { maxRecordBytes: 1_048_576, frameTimeoutMs: 5_000, sendBufferBytes: 262_144 };
const die = (): never => {
  process.kill(process.pid, "SIGKILL");
  throw new Error("a killed process goes on");
};
const make = makeFifos ?? makeFifosByDefault;

process.stdout.write(`${JSON.stringify({ ready: true })}\n`);
switch (step) {
  case "an empty folder":
    await mkdir(`${path}~0123456789abcdef`, { mode: 0o700 });
    die();
    break;
  case "FIFOs that are not in place":
    await pipeTransport({ makeFifos: (paths) => make(paths).then(die) }).dial(
      { kind: "path", path },
      limits,
      undefined,
    );
    break;
  case "a request without a ring":
    await makeRequest(path, make);
    die();
    break;
  case "a request that was rung for": {
    const { id } = await makeRequest(path, make);
    writeSync(openDoor(path).fd, ringFor(id));
    die();
    break;
  }
  case "half a ring": {
    const { id } = await makeRequest(path, make);
    writeSync(openDoor(path).fd, ringFor(id).slice(0, 7));
    die();
    break;
  }
  case "a link":
    await pipeTransport({ makeFifos }).dial({ kind: "path", path }, limits, undefined);
    die();
    break;
  default:
    throw new Error(`there is no step ${step}`);
}
