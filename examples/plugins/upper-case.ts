// A plugin that works.
import { open } from "protoipc";
import { Host, Transform } from "../../gen/plugins/v1/plugins_protoipc.js";

const plugin = await open({ parent: true });
plugin.serve(Transform, { apply: ({ text }) => ({ text: text.toUpperCase() }) });
await plugin.client(Host, plugin.parent).note({ text: "ready" });
