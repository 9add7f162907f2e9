// Serves Echo on two addresses, and does what the text of a request says, so that others can block their threads on it.
// Arguments: the address, another one, and the options of `open` as JSON.
import { Echo, type EchoHandlers } from "../../gen/test/v1/echo_protoipc.js";
import { type Endpoint, IpcError, type OpenOptions, open } from "../../index.js";
import { echoHandlers } from "../harness/echo-handlers.js";

const [address = "", otherAddress = "", options = "{}"] = process.argv.slice(2);

const sleep = (delayMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, delayMs));

async function serve(endpoint: Endpoint): Promise<void> {
  const keyed = await endpoint.publisher(Echo.keyed);
  const blocking = await endpoint.publisher(Echo.blocking);
  const handlers: Partial<EchoHandlers> = {
    async say({ text, number, body }, call) {
      const [what] = text.split(" ", 1);
      switch (what) {
        case "sleep":
          await sleep(number);
          break;
        case "fail":
          throw new IpcError("ABORTED", "as was asked for");
        case "die":
          process.kill(process.pid, "SIGKILL");
          await sleep(10_000);
          break;
        case "close":
          void endpoint.close();
          await sleep(10_000);
          break;
        case "note":
          // It is answered first: whoever is blocked takes the note when it is not any more.
          await endpoint.client(Echo, call.peer).note({ text: "noted" });
          break;
        case "call":
          return { text: (await endpoint.client(Echo, call.peer).say({ text: "called back" })).text };
        case "chat": {
          const back = endpoint.client(Echo, call.peer);
          const texts: string[] = [];
          for await (const reply of back.chat([{ text: "one" }, { text: "two" }])) texts.push(reply.text);
          return { text: texts.join(" ") };
        }
        case "flood":
          for (let i = 0; i < number; i++) {
            void endpoint
              .client(Echo, call.peer)
              .say({ number: i })
              .catch(() => undefined);
          }
          break;
        case "publish":
          for (let i = 0; i < number; i++) keyed.publish({ name: "a", shard: 0 }, { number: i, body });
          break;
        case "stream":
          void (async () => {
            for (let i = 0; i < number; i++) {
              await blocking.publishWhenReady({ name: "a", shard: 0 }, { number: i, body });
            }
            await blocking.close();
          })();
          break;
        case "head":
          call.header.set("head", call.metadata.get("asked") ?? "");
          call.trailer.set("tail", "end");
          break;
      }
      return { text, number, body };
    },
  };
  endpoint.serve(Echo, { ...echoHandlers, ...handlers });
}

const parsed = JSON.parse(options) as OpenOptions;
await serve(await open({ name: address, drainTimeoutMs: 50, ...parsed }));
await serve(await open({ name: otherAddress, drainTimeoutMs: 50, ...parsed }));
process.stdout.write(`${JSON.stringify({ ready: true })}\n`);
process.stdin.on("end", () => process.exit(0)).resume();
