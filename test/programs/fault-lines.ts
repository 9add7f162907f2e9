// How the fault programs are steered: one line of JSON in, one line of JSON out, in order.
import { createInterface } from "node:readline";

/** Says that the program is ready, then answers each command until the input ends. */
export async function answerLines<Command>(
  hello: object,
  answer: (command: Command) => object | Promise<object>,
): Promise<void> {
  const tell = (message: object): void => {
    process.stdout.write(`${JSON.stringify(message)}\n`);
  };
  tell({ ready: true, ...hello });
  for await (const line of createInterface({ input: process.stdin })) {
    tell(await answer(JSON.parse(line) as Command));
  }
  // Whoever steers it is gone.
  process.exit(0);
}
