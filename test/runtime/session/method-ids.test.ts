import { expect, it } from "vitest";
import { Kind } from "../../../gen/protoipc/v1/wire_pb.js";
import { FrameOutput } from "../../../runtime/session/frame-output.js";
import { MethodIds } from "../../../runtime/session/method-ids.js";
import { ArrayLink } from "./array-link.js";

it("announces each method once, up to the peer's limit, and not while the link is full", () => {
  const link = new ArrayLink(1_000);
  const output = new FrameOutput(link, () => undefined);
  const ids = new MethodIds(2);
  link.isFull = true;
  expect(ids.idOf("a.B/C", output)).toBeUndefined();
  link.isFull = false;
  expect(ids.idOf("a.B/C", output)).toBe(1);
  expect(ids.idOf("a.B/D", output)).toBe(2);
  expect(ids.idOf("a.B/C", output)).toBe(1);
  expect(ids.idOf("a.B/E", output)).toBe(0);
  expect(link.sent.map(({ kind, methodId, method }) => [kind, methodId, method])).toEqual([
    [Kind.METHOD, 1, "a.B/C"],
    [Kind.METHOD, 2, "a.B/D"],
  ]);
});
