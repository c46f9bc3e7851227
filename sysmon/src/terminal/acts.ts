/** What a person does to the chosen process or function: asked for what it takes, asked again before what destroys, and told. */

import type { Notice } from "../view/model.ts";
import type { Act, FunctionAct } from "./keys.ts";
import { type Api, operate, operateFunction } from "./operator.ts";
import { Prompt } from "./prompt.ts";

export interface ActsOptions {
  api: Api;
  ask: (prompt: Prompt) => void;
  tell: (notice: Notice) => void;
  /** What is shown may be another now. */
  onDone: () => Promise<void>;
}

export class Acts {
  readonly #options: ActsOptions;

  constructor(options: ActsOptions) {
    this.#options = options;
  }

  /** `asks` is the question before one that destroys. */
  onProcess(act: Act, pid: string | undefined, asks: string | undefined): void {
    const { ask, tell } = this.#options;
    if (act === "start") ask(Prompt.forText("start which pid", "", (text) => this.#askArguments(text.trim())));
    else if (!pid) tell({ text: "no process is chosen", isBad: true });
    else if (act === "call" || act === "cast" || act === "info")
      ask(Prompt.forText(`${act} ${pid}, JSON`, "", (text) => void this.#operate(act, pid, text)));
    else if (asks) ask(Prompt.forYes(asks.replace("{pid}", pid), () => void this.#operate(act, pid)));
    else void this.#operate(act, pid);
  }

  onFunction(act: FunctionAct, chosen: { project: string; name: string } | undefined, asks: string | undefined): void {
    const { api, ask, tell, onDone } = this.#options;
    if (!chosen) {
      tell({ text: "no function is chosen", isBad: true });
      return;
    }
    const { project, name } = chosen;
    const operateNow = async () => {
      tell(await operateFunction(api, act, project, name));
      await onDone();
    };
    if (asks) ask(Prompt.forYes(asks.replace("{project}", project), () => void operateNow()));
    else void operateNow();
  }

  #askArguments(pid: string): void {
    const { ask } = this.#options;
    if (pid)
      ask(Prompt.forText(`start ${pid}, arguments as JSON`, "", (text) => void this.#operate("start", pid, text)));
  }

  async #operate(act: Act, pid: string, value?: string): Promise<void> {
    const { api, tell, onDone } = this.#options;
    tell({ text: `${act} ${pid} …`, isBad: false });
    tell(await operate(api, act, pid, value));
    await onDone();
  }
}
