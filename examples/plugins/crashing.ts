// A plugin that crashes at every second text.
import { open } from "protoipc";
import { Transform } from "../../gen/plugins/v1/plugins_protoipc.js";

const plugin = await open({ parent: true });
let count = 0;
plugin.serve(Transform, {
  apply({ text }) {
    if (++count === 2) {
      process.stderr.write(`cannot stand ${text}\n`);
      process.exit(3);
    }
    return { text: [...text].reverse().join("") };
  },
});
