import { expect, test } from "vitest";
import { Echo } from "../../gen/test/v1/echo_protoipc.js";
import { open } from "../../index.js";

// A deadline whose microseconds do not fit a frame ended the link; an infinite one never returned.
test.each([9.1e12, Number.MAX_SAFE_INTEGER, Number.MAX_VALUE])("a call may take %d ms", async (timeoutMs) => {
  const address = "memory:long-deadline";
  await using server = await open({ name: address });
  await using shell = await open();
  server.serve(Echo, { say: (request) => ({ text: request.text }) });
  const reply = await shell.client(Echo, address).say({ text: "still here" }, { timeoutMs });
  expect(reply.text).toBe("still here");
});
