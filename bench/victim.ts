// A process that is to be killed: listens under the address of its argument, and says so.
import { open } from "protoipc";

await open({ name: process.argv[2] ?? "" });
process.stdout.write("ready\n");
process.stdin.once("end", () => process.exit()).resume();
