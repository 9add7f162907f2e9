import { Command, InvalidArgumentError, Option } from "commander";
import { VERSION } from "../platform/version.js";
import { chooseDomain } from "../transports/directory/names.js";
import { completionScript, SHELLS } from "./completion-scripts.js";

/**
 * The commands, their arguments and options; completion walks over them too. What a command needs is loaded when it is
 * run: help and completion have to be there at once.
 */
export function makeProgram(asJson: boolean): Command {
  const program = new Command("protoipc")
    .description("Looks into the endpoints of this machine, calls them, and publishes and subscribes.")
    .version(VERSION, "--version", "the version of this package")
    .helpOption("--help", "this text")
    .helpCommand(false)
    .showSuggestionAfterError()
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeErr(text) {
        // Errors are thrown, too, and told as JSON then.
        if (!asJson) process.stderr.write(text);
      },
    })
    .exitOverride();

  program
    .command("build")
    .summary("compile the native part")
    .description("Compiles the native part, which shared memory needs, with the C compiler of this machine.")
    .option("--prebuild", "for this package to carry")
    .helpOption("--help", "this text")
    .action(async ({ prebuild }: { prebuild?: boolean }) => {
      const build = new URL("../../bindings/node/build.mjs", import.meta.url);
      const { main: run } = (await import(build.href)) as { main(args: string[]): Promise<number> };
      process.exitCode = await run(prebuild === true ? ["--prebuild"] : []);
    });

  command(program, "ls", "who is there: endpoints, what they serve and publish, who is alive, over what")
    .option("--watch", "go on, and print who comes, changes and goes")
    .addHelpText("after", example("protoipc ls"))
    .action(async (options) => (await import("./ls.js")).list(options));

  command(program, "describe [name]", "services, methods, topics and messages, as their endpoints tell")
    .argument("[name]", "an endpoint, a service, a method or a topic; all unless said")
    .addHelpText("after", example("protoipc describe Hostwatch/List"))
    .action(async (name: string | undefined, options) =>
      (await import("./describe.js")).describe(name, options),
    );

  command(program, "call", "call a method")
    .argument("<method>", "Service/Method; the package, and the service where it is clear, can be left out")
    .argument(
      "[json...]",
      "the request; several for a method that takes many. Without it from the input, a line each",
    )
    .option("--to <address>", "whom to call; whoever serves it unless said")
    .addOption(transportOption())
    .option("-H, --header <key:value>", "request metadata; may be repeated", collect, [])
    .addHelpText("after", example(`protoipc call Hostwatch/List '{"filter": {"nameContains": "node"}}'`))
    .action(async (method: string, json: string[], options) =>
      (await import("./call.js")).call(method, json, options),
    );

  command(program, "sub", "subscribe to a topic, and print what comes")
    .argument("<topic>", "Service/Topic; the package, and the service where it is clear, can be left out")
    .argument("[filter]", "a key with the fields that have to match, as JSON", "{}")
    .option("--to <address>", "whose publications; those of all publishers unless said")
    .addOption(transportOption())
    .option("--latest", "the newest value of each key, then only those that differ from the one before")
    .option("--count <n>", "end after so many", wholeNumber)
    .addHelpText("after", example(`protoipc sub Hostwatch/Cores '{"core": 0}' --count 5`))
    .action(async (topic: string, filter: string, options) =>
      (await import("./sub.js")).subscribe(topic, filter, options),
    );

  command(program, "pub", "publish on a topic")
    .argument(
      "<topic>",
      "Service/Topic; its schema comes from an endpoint that has it, or is protoipc.v1.Simple's",
    )
    .argument("[key]", "the key as JSON; a topic without one takes the message alone")
    .argument(
      "[json]",
      "the message; without it from the input, a line each, as `sub --json` prints them where the key is missing, too",
    )
    .option("--subscribers <n>", "wait for so many first", wholeNumber, 1)
    .option("--count <n>", "publish it so many times", wholeNumber, 1)
    .option("--interval <ms>", "pause between two", wholeNumber, 0)
    .addOption(transportOption())
    .addHelpText("after", example(`protoipc pub Simple/Strings '{"name": "status"}' '"ready"'`))
    .action(async (topic: string, key: string | undefined, json: string | undefined, options) =>
      (await import("./pub.js")).publish(topic, key, json, options),
    );

  command(program, "ping", "how long an answer takes")
    .argument("<address>", "an endpoint: market, unix:market")
    .option("-c, --count <n>", "how often", wholeNumber, 5)
    .addOption(transportOption())
    .addHelpText("after", example("protoipc ping hostwatch"))
    .action(async (address: string, options) => (await import("./ping.js")).ping(address, options));

  command(program, "doctor", "what may be wrong on this machine, and what to do about it")
    .option("--fix", "remove what is provably left from dead processes")
    .addHelpText("after", example("protoipc doctor"))
    .action(async (options) => (await import("./doctor.js")).doctor(options));

  program
    .command("completion")
    .summary("a script that completes commands, names and addresses")
    .description("Prints a script for the shell.")
    .argument("<shell>", SHELLS.join(", "))
    .helpOption("--help", "this text")
    .addHelpText("after", example('eval "$(protoipc completion bash)"'))
    .action((shell: string) => void process.stdout.write(completionScript(shell)));

  program
    .command("complete", { hidden: true })
    .argument("[words...]")
    .option("--bash")
    .allowUnknownOption()
    .action(async (words: string[], options) =>
      (await import("./completion.js")).complete(program, words, options),
    );

  return program;
}

/** A command with the options that all have. */
function command(program: Command, usage: string, summary: string): Command {
  const [name = usage] = usage.split(" ");
  return program
    .command(name)
    .summary(summary)
    .description(`${summary[0]!.toUpperCase()}${summary.slice(1)}.`)
    .option("--json", "JSON for scripts: one document, or a line for each thing that comes")
    .addOption(
      new Option("--domain <name>", 'whose endpoints; "default", or $PROTOIPC_DOMAIN, unless said').argParser(
        domainName,
      ),
    )
    .addOption(
      new Option("--timeout <ms>", "how long to wait for an answer").argParser(wholeNumber).default(5_000),
    )
    .helpOption("--help", "this text");
}

function transportOption(): Option {
  const text = "over this transport alone; over the best that both sides have unless said";
  return new Option("--transport <name>", text).choices(["shm", "unix", "pipe"]);
}

function example(text: string): string {
  return `\nExample:\n  ${text}\n`;
}

function collect(value: string, before: readonly string[]): string[] {
  return [...before, value];
}

function domainName(text: string): string {
  try {
    return chooseDomain(text);
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? `${error.message}.` : String(error));
  }
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value))
    throw new InvalidArgumentError("It must be a whole number.");
  return value;
}
