import type { Schema, Target } from "@bufbuild/protoplugin";
import { createEcmaScriptPlugin } from "@bufbuild/protoplugin";
import { emitCodecs } from "./codec/emit-codecs.js";
import { planCodecs } from "./codec/plan.js";
import { emitInPlace } from "./inplace/emit-inplace.js";
import { emitService } from "./emit-service.js";
import { createMessageTypes } from "./message-types.js";
import { createScope, nameServices } from "./names.js";
import { findOptionExtensions } from "./option-extensions.js";
import { checkSharedOptions, type Options, parseOptions } from "./options.js";
import { type Problem, throwProblems } from "./problems.js";
import { readService } from "./read-service.js";

/** The plugin's version: the one of its package. */
export const VERSION = "0.1.0";

type Plugin = ReturnType<typeof createEcmaScriptPlugin<Options>>;

const plugin: Plugin = createEcmaScriptPlugin<Options>({
  name: "protoc-gen-protoipc",
  version: VERSION,
  parseOptions,
  // All three are ours: the transpiler of @bufbuild/protoplugin knows no global types, such as Promise.
  generateTs: generate,
  generateJs: generate,
  generateDts: generate,
});

/** The protoc plugin `protoc-gen-protoipc`, as a function from request to response. */
export const protocGenProtoipc: Plugin = {
  ...plugin,
  run(request) {
    checkSharedOptions(request.parameter);
    return plugin.run(request);
  },
};

function generate(schema: Schema<Options>, target: Target): void {
  const extensions = findOptionExtensions(schema.allFiles);
  const problems: Problem[] = [];
  const files = schema.files
    .filter((file) => file.services.length > 0)
    .map((file) => ({
      file,
      services: file.services.map((service) => readService(service, extensions, schema.options, problems)),
    }));
  throwProblems(problems);

  const { messages, codec, codecMessages, inPlace } = schema.options;
  const isGenerated = messages === "protobuf-es" && codec === "generated";
  const plan = isGenerated ? planCodecs(schema.files, codecMessages) : undefined;
  for (const file of plan?.files.keys() ?? []) {
    const f = schema.generateFile(`${file.name}_codec.${target === "dts" ? "d.ts" : target}`);
    f.preamble(file);
    emitCodecs(f, file, target, plan!, inPlace);
  }
  for (const file of inPlace ? (plan?.files.keys() ?? []) : []) {
    const f = schema.generateFile(`${file.name}_inplace.${target === "dts" ? "d.ts" : target}`);
    f.preamble(file);
    emitInPlace(f, file, target, plan!);
  }
  for (const { file, services } of files) {
    const f = schema.generateFile(`${file.name}_protoipc.${target === "dts" ? "d.ts" : target}`);
    f.preamble(file);
    const scope = createScope(f, `./${file.name}_protoipc.js`);
    const types = createMessageTypes(f, schema.options, (desc) => plan?.find(desc, file));
    const names = nameServices(file.services);
    for (const [index, service] of services.entries()) {
      emitService({ f, target, scope, types, names: names[index]!, service });
    }
  }
}
