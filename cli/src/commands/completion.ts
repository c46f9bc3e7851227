/** completion: scripts for bash and zsh; both ask the hidden command `complete` for what may stand where the cursor is. */

import { Argument, type Command } from "commander";
import { CandidateSource } from "../candidates.ts";
import { findCandidates } from "../completion.ts";
import { addExamples, type Run } from "./command.ts";

const BASH = `_genserverless() {
  COMPREPLY=()
  local candidate
  while IFS= read -r candidate; do COMPREPLY+=("$candidate"); done \\
    < <("\${COMP_WORDS[0]}" complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  if [[ \${#COMPREPLY[@]} -gt 0 && \${COMPREPLY[0]} == */ ]]; then compopt -o nospace; fi
}
complete -o default -F _genserverless genserverless
`;

const ZSH = `#compdef genserverless
_genserverless() {
  local -a candidates slashed
  candidates=("\${(@f)$("\${words[1]}" complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  candidates=(\${candidates:#})
  slashed=(\${(M)candidates:#*/})
  candidates=(\${candidates:#*/})
  (( \${#slashed} )) && compadd -S '' -- $slashed
  (( \${#candidates} )) && compadd -- $candidates
  (( \${#slashed} + \${#candidates} )) || _files
}
compdef _genserverless genserverless
`;

export function addCompletion(program: Command, run: Run): void {
  const completion = program
    .command("completion")
    .description("Prints what makes bash or zsh complete commands, modules, pids, projects and functions.")
    .addArgument(new Argument("<shell>").choices(["bash", "zsh"]))
    .action(run(async ({ output }, shell: string) => output.line((shell === "bash" ? BASH : ZSH).trimEnd())));
  addExamples(completion, "completion bash", "completion zsh");
  completion.addHelpText("after", `\nFor this shell:  source <(genserverless completion bash)\n`);
  program
    .command("complete", { hidden: true })
    .argument("<words...>")
    .action(
      run(async ({ client, door, output }, words: string[]) => {
        const source = new CandidateSource(client, door);
        for (const candidate of await findCandidates(program, words, source)) output.line(candidate);
      }),
    );
}
