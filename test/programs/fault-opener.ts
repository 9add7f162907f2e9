// Opens and closes an endpoint when it is told to: "open" or "close". Argument: the name.
import { type Endpoint, IpcError, open } from "../../index.js";
import { answerLines } from "./fault-lines.js";

const [name = ""] = process.argv.slice(2);
let endpoint: Endpoint | undefined;

await answerLines<{ readonly do: "open" | "close" }>({ pid: process.pid }, async (command) => {
  if (command.do === "close") {
    await endpoint?.close();
    return {};
  }
  try {
    endpoint = await open({ name });
    return { won: true };
  } catch (error) {
    const { code, message } = IpcError.from(error);
    return { won: false, code, message };
  }
});
