import { CliError } from "./cli-error.js";

export const SHELLS = ["bash", "zsh", "fish"] as const;

const SCRIPTS: Readonly<Record<(typeof SHELLS)[number], string>> = {
  // Words are broken at ":" and "=" in bash; names have neither but for a transport in front, which may be left out.
  bash: `_protoipc() {
  local IFS=$'\\n'
  COMPREPLY=($(compgen -W "$(protoipc complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2> /dev/null)" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _protoipc protoipc
`,
  zsh: `#compdef protoipc
_protoipc() {
  local -a candidates
  candidates=("\${(@f)$(protoipc complete -- "\${(@)words[2,CURRENT]}" 2> /dev/null)}")
  compadd -a candidates
}
compdef _protoipc protoipc
`,
  fish: `complete -c protoipc -f -a '(protoipc complete -- (commandline -opc)[2..-1] (commandline -ct) 2> /dev/null)'
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
