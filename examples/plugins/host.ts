// A host of two plugins: one works, one crashes now and then and is started again.
import { open } from "protoipc";
import { Host, Transform } from "../../gen/plugins/v1/plugins_protoipc.js";

const host = await open();
host.serve(Host, { note: ({ text }) => console.log(`a plugin says: ${text}`) });
const plugins = ["upper-case.js", "crashing.js"].map(async (file) => {
  const plugin = await host.spawn(`${import.meta.dirname}/${file}`, {
    restart: { initialDelayMs: 50 },
    on: {
      stderr: (line) => console.log(`${file} writes: ${line}`),
      exit: ({ code, restartInMs }) => console.log(`${file} ended with ${code}; again in ${restartInMs} ms`),
    },
  });
  return plugin.client(Transform, { reconnect: true, timeoutMs: 10_000 });
});
for (const text of ["one", "two", "three", "four"]) {
  for (const plugin of await Promise.all(plugins)) console.log((await plugin.apply({ text })).text);
}
await host.close();
