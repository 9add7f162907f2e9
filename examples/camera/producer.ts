import { parseArgs } from "node:util";
import { open } from "protoipc";
import { Camera } from "../../gen/camera/v1/camera_protoipc.js";
import { run, wholeNumber } from "../hostwatch/command-line.js";
import { everySecond } from "./every-second.js";
import { FrameProducer } from "./frame-producer.js";
import { CAMERA_LIMITS, type FrameSize, HEIGHTS, parseSize, WIDTHS } from "./frame-size.js";
import { sendReport } from "./report.js";

const HELP = `Usage: producer.js [options]

A camera: draws a test chart, each frame in the memory in which the consumers read it,
and publishes it, until SIGINT or SIGTERM.

  --name NAME           the endpoint's name (camera); "shm:camera" or "unix:camera"
                        listens on that transport alone
  --camera NAME         the camera's name (test-chart)
  --fps N               frames per second, 1 to 1000 (60)
  --width N             in pixels, ${WIDTHS.least} to ${WIDTHS.most} (1920)
  --height N            in pixels, ${HEIGHTS.least} to ${HEIGHTS.most} (1080)
  --subscribers N       wait for so many before the first frame, 0 to 64 (0)
  --seconds N           stop after so many, 1 to 3600
  --next-size WxH       after that, the same time with frames of this size
  --report-to ADDRESS   an endpoint that serves camera.v1.Demo and is told the result
  --help                this text

Exit codes: 0 ended well, 1 failed, 2 wrong arguments.
`;

/** How long the subscribers that are waited for may take. */
const READY_MS = 20_000;

await run(async (stop) => {
  const { values } = parseArgs({
    options: {
      name: { type: "string", default: "camera" },
      camera: { type: "string", default: "test-chart" },
      fps: { type: "string" },
      width: { type: "string" },
      height: { type: "string" },
      subscribers: { type: "string" },
      seconds: { type: "string" },
      "next-size": { type: "string" },
      "report-to": { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const fps = wholeNumber("fps", values.fps, { fallback: 60, least: 1, most: 1000 });
  const width = wholeNumber("width", values.width, { fallback: 1920, ...WIDTHS });
  const height = wholeNumber("height", values.height, { fallback: 1080, ...HEIGHTS });
  const subscribers = wholeNumber("subscribers", values.subscribers, { fallback: 0, least: 0, most: 64 });
  const seconds = wholeNumber("seconds", values.seconds, { fallback: 0, least: 1, most: 3600 });
  const sizes: FrameSize[] = [{ width, height }];
  if (values["next-size"] !== undefined) sizes.push(parseSize("next-size", values["next-size"]));

  await using endpoint = await open({ name: values.name, limits: CAMERA_LIMITS });
  const publisher = await endpoint.publisher(Camera.frames);
  process.stdout.write(`producer: listening at ${endpoint.addresses.join(", ")}\n`);
  try {
    await publisher.ready({ subscribers, signal: stop, timeoutMs: READY_MS });
  } catch (error) {
    if (!stop.aborted) throw error;
  }

  const producer = new FrameProducer(publisher, values.camera);
  const durationMs = seconds === 0 ? Number.POSITIVE_INFINITY : seconds * 1000;
  const stopLines = everySecond((passed) => producer.line(passed));
  for (const size of sizes) await producer.capture({ size, fps, durationMs }, stop);
  await producer.finish(sizes.at(-1)!);
  stopLines();
  if (values["report-to"] !== undefined) await sendReport(endpoint, values["report-to"], producer.result());
});
