import { loadBinding } from "../../bindings/node/binding.js";
import { type MakeFifos, makeFifosBy } from "../../transports/pipe/index.js";

const { binding } = loadBinding();

/** How tests make FIFOs: by the addon, and where that is not built by the system's program. */
export const makeFifos: MakeFifos | undefined = binding && makeFifosBy((path) => binding.mkfifo(path));
