/** The last row as a question: yes or no, or a text to type. */

import type { PromptModel } from "../view/model.ts";
import { isPrinted } from "./keys.ts";

const MOST_CHARACTERS = 10_000;

export class Prompt {
  readonly #question: string;
  readonly #onDone: (text: string) => void;
  #typed: string | undefined;
  #isTaken = false;

  private constructor(question: string, typed: string | undefined, onDone: (text: string) => void) {
    this.#question = question;
    this.#typed = typed;
    this.#onDone = onDone;
  }

  /** Any key but y is no. */
  static forYes(question: string, onYes: () => void): Prompt {
    return new Prompt(question, undefined, onYes);
  }

  /** Enter ends the text, Escape gives it up. */
  static forText(question: string, typed: string, onDone: (text: string) => void): Prompt {
    return new Prompt(question, typed, onDone);
  }

  get model(): PromptModel {
    return { question: this.#question, ...(this.#typed !== undefined && { typed: this.#typed }) };
  }

  /** Takes a key; true where the question is answered. */
  press(name: string, character: string | undefined): boolean {
    if (this.#typed === undefined) {
      this.#isTaken = name === "y" || name === "Y";
      return true;
    }
    if (name === "enter" || name === "escape") {
      this.#isTaken = name === "enter";
      return true;
    }
    if (name === "backspace") this.#typed = [...this.#typed].slice(0, -1).join("");
    else if (name === "C-u") this.#typed = "";
    else if (isPrinted(character) && this.#typed.length < MOST_CHARACTERS) this.#typed += character;
    return false;
  }

  /** Does what was asked, if the answer was not no. */
  finish(): void {
    if (this.#isTaken) this.#onDone(this.#typed ?? "");
  }
}
