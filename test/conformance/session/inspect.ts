import { create, toJson } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { definitionsOf, registryOf } from "../../../dynamic/definitions.js";
import { Inspect } from "../../../gen/protoipc/v1/inspect_protoipc.js";
import { Echo } from "../../../gen/test/v1/echo_protoipc.js";
import { failureOf } from "../../harness/failure.js";
import type { World } from "../../harness/world.js";

/** What an endpoint tells of itself, and what can be done with nothing else. */
export function inspectTests(world: World): void {
  describe("inspecting", () => {
    it("tells what is served, published and connected", async () => {
      const { endpoint: server, address } = await world.listen();
      server.serve(Echo, { say: () => ({}) });
      const client = await world.open();
      const publisher = await server.publisher(Echo.keyed);
      for (const shard of [1, 1, 2]) publisher.publish({ name: "a", shard }, {});
      const inspect = client.client(Inspect, address);
      const about = await inspect.describe({});
      expect(about.implementation).toMatch(/^typescript\//);
      expect([about.name, about.pid]).toEqual([server.name, process.pid]);
      expect(about.incarnation).toMatch(/^[0-9a-f]{32}$/);
      expect(about.services.map(({ name, methods }) => [name, methods])).toEqual([
        ["test.v1.Echo", ["test.v1.Echo/Say"]],
      ]);
      expect(about.services[0]!.fingerprint).toMatch(/^[0-9a-f]{32}$/);
      expect(about.topics).toMatchObject([
        {
          name: "test.v1.Echo/Keyed",
          subscribers: 0,
          published: 3n,
          keys: 2,
          fingerprint: Echo.keyed.fingerprint,
        },
      ]);
      const { links } = await inspect.links({});
      expect(links).toMatchObject([
        { peerPid: process.pid, transport: world.transport, dialled: false, streams: 1 },
      ]);
      const payload = Uint8Array.of(1, 2, 3);
      expect((await inspect.ping({ payload })).payload).toEqual(payload);
      expect((await inspect.describe({ withoutSchemas: true })).fileDescriptorSet).toHaveLength(0);
      expect((await inspect.describe({ names: ["nobody.has.This"] })).fileDescriptorSet).toHaveLength(0);
    });

    it("gives schemas with which everything can be called, published and subscribed to", async () => {
      const { server, client, address } = await world.pair();
      await server.publisher(Echo.latest);
      const { fileDescriptorSet } = await client
        .client(Inspect, address)
        .describe({ names: ["test.v1.Echo/Latest"] });
      const services = definitionsOf(registryOf(fileDescriptorSet));
      const echo = services.find(({ $typeName }) => $typeName === "test.v1.Echo")!;
      // The same as what was generated.
      const plain = (methods: readonly object[]): object[] =>
        methods.map((method) => {
          const { fullName, localName, kind, idempotency, rules, keyFields } = method as Record<
            string,
            unknown
          >;
          return { fullName, localName, kind, idempotency, rules, keyFields };
        });
      expect(plain(echo.$methods)).toEqual(plain(Echo.$methods));
      const caller = client.client(echo, address);
      const say = echo.desc.method["say"]!;
      const reply = (await caller["say"]!(create(say.input, { text: "hello" }) as never)) as never;
      expect(toJson(say.output, reply)).toMatchObject({ text: "hello" });
    });

    it("can be switched off", async () => {
      const { client, address } = await world.pair({ server: { inspect: false } });
      expect((await failureOf(client.client(Inspect, address).describe({}))).code).toBe("UNIMPLEMENTED");
    });
  });
}
