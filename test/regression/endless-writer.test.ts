import { Writable } from "node:stream";
import { expect, it } from "vitest";
import { stopWritingWhenBroken } from "../../transports/broken-pipe.js";

it("a writer without end whose peer takes no more leaves the event loop its turns", async () => {
  const stream = new Writable({
    write(_chunk, _encoding, callback) {
      callback(Object.assign(new Error("write EPIPE"), { code: "EPIPE" }));
    },
  });
  let broken = 0;
  stopWritingWhenBroken(stream, () => broken++);
  let writes = 0;
  const more = (): void => {
    writes++;
    // Far more than turns of the loop: the test has to end also where there are none.
    if (writes < 100_000 && !isOver) stream.write("x", more);
  };
  let isOver = false;
  more();
  await new Promise((resolve) => setTimeout(resolve, 10));
  isOver = true;
  expect(broken).toBe(1);
  expect(writes).toBeLessThan(100_000);
});
