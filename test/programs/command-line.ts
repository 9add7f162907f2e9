// The command line in a process of its own, without `build`.
import { main } from "../../cli/main.js";

await main(process.argv.slice(2));
