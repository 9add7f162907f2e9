// A program that is started by `endpoint.spawn`, and does what its argument says.
import { spawn } from "node:child_process";
import { closeSync } from "node:fs";
import { Echo } from "../../gen/test/v1/echo_protoipc.js";
import { open } from "../../index.js";

const [how = ""] = process.argv.slice(2);
/** A program that does nothing for a while. */
const SLEEP: [string, string[]] =
  process.platform === "win32"
    ? [process.execPath, ["-e", "setTimeout(() => undefined, 30_000)"]]
    : ["sleep", ["30"]];
const inherited = process.env["PROTOIPC_PARENT"] === "stdio" ? [0, 1] : [3];
if (how === "fails") {
  process.stderr.write("cannot begin\nthat is all\n");
  process.exit(7);
}
if (how === "late") await new Promise((resolve) => setTimeout(resolve, 500));
if (how === "greets") process.stderr.write("hello\n");
if (how === "garbage") process.stdout.write("this is no protocol\n");
if (how === "silent" || how === "garbage") setInterval(() => undefined, 1_000);
else {
  const child = await open({ parent: how === "stays" ? "keep" : true, drainTimeoutMs: 100 });
  if (how !== "quiet" && how !== "greets") console.log("what is printed is not a record");
  const unlink = async (): Promise<void> => {
    if (process.platform !== "win32") {
      for (const fd of inherited) closeSync(fd);
      return;
    }
    // There Node has duplicates of some, and an unfinished read on others: only the endpoint can close them.
    void child.close();
    await new Promise(() => undefined);
  };
  child.serve(Echo, {
    async say({ text }, call) {
      if (text === "hang") await new Promise(() => undefined);
      if (text === "die") process.kill(process.pid, "SIGKILL");
      if (text === "exit") process.exit(5);
      if (text === "unlink") await unlink();
      if (text === "write") process.stderr.write("one\ntwo");
      if (text === "who")
        return { text: child.parent?.pid === call.peer.pid ? "the parent" : "another", number: process.pid };
      // A grandchild holds what it inherits.
      if (text === "grandchild") {
        const grandchild = spawn(...SLEEP, { stdio: "inherit", detached: true });
        return { number: grandchild.pid! };
      }
      if (text === "helper") {
        const helper = spawn(...SLEEP, { stdio: "ignore", detached: true });
        return { number: helper.pid! };
      }
      if (text === "back") return child.client(Echo, child.parent).say({ text: "from the child" });
      return { text, number: process.pid };
    },
  });
  // Keeps it running, as a plugin with work of its own would.
  setInterval(() => undefined, 1_000);
}
