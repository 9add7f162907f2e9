import { expect, test } from "vitest";
import { Echo } from "../../gen/test/v1/echo_protoipc.js";
import { open } from "../../index.js";
import { failureOf } from "../harness/failure.js";

// What onTrailer threw was swallowed, and the call ended well.
test("a call fails with what its onTrailer throws", async () => {
  const address = "memory:trailer-callback";
  await using server = await open({ name: address });
  await using shell = await open();
  server.serve(Echo, {
    say(_request, call) {
      call.trailer.set("took", "1");
      return {};
    },
  });
  const cause = new Error("not this one");
  const onTrailer = (): void => {
    throw cause;
  };
  const error = await failureOf(shell.client(Echo, address).say({}, { onTrailer }));
  expect(error).toMatchObject({ code: "CANCELLED", maybeExecuted: true, cause });
});
