import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { open } from "protoipc";
import { EXIT_USAGE, ProgramError, run } from "../hostwatch/command-line.js";
import { everySecond } from "./every-second.js";
import { FrameConsumer } from "./frame-consumer.js";
import { CAMERA_LIMITS } from "./frame-size.js";
import { isKind, KINDS, newReader } from "./readers.js";
import { sendReport } from "./report.js";

const HELP = `Usage: consumer.js [options]

Reads every byte of a camera's frames, in the memory in which they were drawn, and
compares their checksum with the producer's. Waits for the camera where it is not there,
and ends when the camera does, or at SIGINT or SIGTERM.

  --kind KIND          checksum: that alone; histogram: counts brightnesses as well;
                       snapshot: writes a PNG file once a second as well (checksum)
  --name NAME          what it calls itself (its kind)
  --from ADDRESS       the producer (shm:camera); over "unix:" the frames are copied
  --camera NAME        which of its cameras (test-chart)
  --snapshots DIR      where the PNG files go, the newest ten of which are kept
                       (protoipc-camera in the folder for temporary files)
  --report-to ADDRESS  an endpoint that serves camera.v1.Demo and is told the result
  --help               this text

Exit codes: 0 ended well, 1 failed, 2 wrong arguments.
`;

await run(async (stop) => {
  const { values } = parseArgs({
    options: {
      kind: { type: "string", default: "checksum" },
      name: { type: "string" },
      from: { type: "string", default: "shm:camera" },
      camera: { type: "string", default: "test-chart" },
      snapshots: { type: "string", default: join(tmpdir(), "protoipc-camera") },
      "report-to": { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const { kind, name = kind, from, camera, snapshots } = values;
  if (!isKind(kind)) {
    const kinds = `${KINDS.slice(0, -1).join(", ")} or ${KINDS.at(-1)}`;
    throw new ProgramError(EXIT_USAGE, `--kind is ${JSON.stringify(kind)}; it must be ${kinds}`);
  }

  await using endpoint = await open({ limits: CAMERA_LIMITS });
  const consumer = new FrameConsumer(name, newReader(kind, { folder: snapshots, prefix: name }));
  const stopLines = everySecond((seconds) => consumer.line(seconds));
  try {
    await consumer.follow(endpoint, { from, camera }, stop);
    await consumer.reader.end?.();
  } finally {
    stopLines();
  }
  if (values["report-to"] !== undefined) {
    await sendReport(endpoint, values["report-to"], consumer.result());
  }
});
