// A host of plugins: one works, one crashes now and then and is started again. Its arguments are the command of a third.
import { basename } from "node:path";
import { open } from "protoipc";
import { Host, Transform } from "../../gen/plugins/v1/plugins_protoipc.js";

const commands = ["upper-case.js", "crashing.js"].map((file) => [`${import.meta.dirname}/${file}`]);
const third = process.argv.slice(2);
if (third.length > 0) commands.push(third);

const host = await open();
host.serve(Host, { note: ({ text }) => console.log(`a plugin says: ${text}`) });
const plugins = commands.map(async ([command = "", ...args]) => {
  const name = basename(args.at(-1) ?? command);
  const plugin = await host.spawn(command, {
    args,
    restart: { initialDelayMs: 50 },
    on: {
      stderr: (line) => console.log(`${name} writes: ${line}`),
      exit: ({ code, restartInMs }) => {
        const next = restartInMs === undefined ? "for good" : `and is started again in ${restartInMs} ms`;
        console.log(`${name} ended with ${code}, ${next}`);
      },
    },
  });
  return plugin.client(Transform, { reconnect: true, timeoutMs: 10_000 });
});
for (const text of ["one", "two", "three", "four"]) {
  for (const plugin of await Promise.all(plugins)) console.log((await plugin.apply({ text })).text);
}
await host.close();
