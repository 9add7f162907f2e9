import { CliError } from "./cli-error.js";

export const SHELLS = ["bash", "zsh", "fish"] as const;

const SCRIPTS: Readonly<Record<(typeof SHELLS)[number], string>> = {
  bash: `_protoipc() {
  local IFS=$'\\n'
  COMPREPLY=($(protoipc complete --bash -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2> /dev/null))
}
complete -F _protoipc protoipc
`,
  zsh: `#compdef protoipc
_protoipc() {
  local -a candidates
  candidates=(\${(f)"$(protoipc complete -- "\${(@Q)words[2,CURRENT]}" 2> /dev/null)"})
  compadd -a candidates
}
compdef _protoipc protoipc
`,
  fish: `function __protoipc
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  protoipc complete -- $words[2..] "$current" 2> /dev/null
end
complete -c protoipc -f -a '(__protoipc)'
`,
};

/** A script for a shell. Throws a `CliError` for a shell that there is none for. */
export function completionScript(shell: string): string {
  const known = SHELLS.find((one) => one === shell);
  if (known === undefined)
    throw new CliError("INVALID_ARGUMENT", `there is no script for ${JSON.stringify(shell)}`, {
      suggestions: SHELLS,
    });
  return SCRIPTS[known];
}
