/**
 * The full-screen skin. Every beat it looks at the cluster and at what the open tab shows, and draws; every key is looked
 * up in the table of keys, and what it does stands in one table here. Nothing that goes wrong on the way ends it: a read
 * that fails is told where its answer would stand.
 *
 * It promises that the terminal is given back when it stops, and when the operating-system process exits for any reason
 * that it hears of. That a person wants to leave, or that the terminal is gone, it tells through `onLeave`.
 */

import type { ReadStream, WriteStream } from "node:tty";
import { parsePid } from "@genserverless/shared/process/pid.ts";
import type { Part } from "@genserverless/shared/service/lifecycle.ts";
import { isClusterEvent } from "../cluster-events.ts";
import type { FunctionEyes } from "../functions.ts";
import type { History } from "../history.ts";
import type { LogSource } from "../log-source.ts";
import { bodyRows, viewFrame } from "../view/frame.ts";
import { countLogRows } from "../view/function-view.ts";
import { describeHelp } from "../view/help-view.ts";
import { type Model, type Notice, TABS, type Tab } from "../view/model.ts";
import { describeProcess } from "../view/process-view.ts";
import { PROCESSES_HEAD_ROWS } from "../view/processes-view.ts";
import type { Picture, Watch } from "../watch.ts";
import { Acts } from "./acts.ts";
import { DEEDS, type Desk } from "./deeds.ts";
import type { Eyes } from "./eyes.ts";
import { FunctionBrowser } from "./function-browser.ts";
import type { Ink } from "./ink.ts";
import { Inspector, type WatchCommits } from "./inspector.ts";
import { type Act, type BoundKey, type Deed, type FunctionAct, findKey, KEYS } from "./keys.ts";
import { LogPane } from "./log-pane.ts";
import type { Api } from "./operator.ts";
import { ProcessBrowser } from "./process-browser.ts";
import { Prompt } from "./prompt.ts";
import { Screen } from "./screen.ts";

export interface DashboardOptions {
  watch: Pick<Watch, "look">;
  history: Pick<History, "beats">;
  eyes: Eyes;
  functions: FunctionEyes;
  api: Api;
  logs: LogSource;
  watchCommits: WatchCommits;
  input: ReadStream;
  output: WriteStream;
  ink: Ink;
  onLeave: () => void;
  everyMs?: number;
}

const NOTICE_MS = 8_000;
const KEPT_LOG = 1_000;
/** Drawn also between two beats. */
const LIVE_TABS: readonly Tab[] = ["log", "events", "functions"];

export class Dashboard implements Part {
  readonly #options: DashboardOptions;
  readonly #screen: Screen;
  readonly #browser: ProcessBrowser;
  readonly #inspector: Inspector;
  readonly #functions: FunctionBrowser;
  readonly #acts: Acts;
  readonly #log = new LogPane();
  readonly #events = new LogPane();
  #tab: Tab = "nodes";
  #picture: Picture = { ageMs: 0, away: false };
  #pictureAtMs = 0;
  #nodesTop = 0;
  #helpTop: number | undefined;
  #prompt: Prompt | undefined;
  #notice: (Notice & { untilMs: number }) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isDrawPlanned = false;
  #unsubscribe: (() => void) | undefined;

  constructor(options: DashboardOptions) {
    this.#options = options;
    this.#browser = new ProcessBrowser(options.eyes);
    this.#inspector = new Inspector(options.eyes, options.watchCommits);
    this.#functions = new FunctionBrowser(options.functions, () => this.#planDraw());
    const { api, input, output, ink, onLeave } = options;
    this.#acts = new Acts({
      api,
      ask: (prompt) => {
        this.#prompt = prompt;
      },
      tell: (notice) => this.#tell(notice),
      onDone: () => this.#loadTab(),
    });
    this.#screen = new Screen({
      input,
      output,
      ink,
      onKey: (name, character) => this.#press(name, character),
      onResize: () => this.#draw(),
      onLost: () => this.#timer && onLeave(),
    });
  }

  async start(): Promise<void> {
    if (this.#timer) return;
    this.#timer = setInterval(() => void this.#beat(), this.#options.everyMs ?? 1000);
    this.#screen.open();
    this.#unsubscribe = this.#options.logs.subscribe({ filter: {}, tail: KEPT_LOG }, (entry) => {
      this.#log.add(entry);
      if (isClusterEvent(entry)) this.#events.add(entry);
      this.#planDraw();
    });
    this.#draw();
    void this.#beat();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#unsubscribe?.();
    this.#inspector.close();
    this.#functions.close();
    this.#screen.close();
  }

  async #beat(): Promise<void> {
    this.#picture = await this.#options.watch.look();
    this.#pictureAtMs = performance.now();
    this.#draw();
    await this.#loadTab();
  }

  async #loadTab(): Promise<void> {
    const tab = this.#tab;
    if (tab !== "process") this.#inspector.close();
    if (tab !== "functions") this.#functions.close();
    if (this.#picture.away || !this.#timer) return;
    if (tab === "processes") await this.#browser.load(this.#room - PROCESSES_HEAD_ROWS, this.#picture.view);
    if (tab === "process") await this.#inspector.load();
    if (tab === "functions") await this.#functions.load();
    this.#draw();
  }

  get #room(): number {
    return bodyRows(this.#screen.rows);
  }

  get #model(): Model {
    const { view, away, ageMs } = this.#picture;
    const sinceMs = Math.round(performance.now() - this.#pictureAtMs);
    return {
      tab: this.#tab,
      picture: { ...(view && { view }), away, ageMs: view ? ageMs + sinceMs : 0 },
      history: this.#options.history.beats,
      nowMs: Date.now(),
      processes: this.#browser.model,
      process: this.#inspector.model,
      log: this.#log.model,
      events: this.#events.model,
      functions: this.#functions.model,
      nodesTop: this.#nodesTop,
      isHelpShown: this.#helpTop !== undefined,
      helpTop: this.#helpTop ?? 0,
      prompt: this.#prompt?.model,
      notice: this.#notice && performance.now() < this.#notice.untilMs ? this.#notice : undefined,
    };
  }

  /** Many log entries make one drawing. */
  #planDraw(): void {
    if (this.#isDrawPlanned || !LIVE_TABS.includes(this.#tab)) return;
    this.#isDrawPlanned = true;
    setTimeout(() => {
      this.#isDrawPlanned = false;
      this.#draw();
    }, 100);
  }

  #draw(): void {
    if (!this.#timer) return;
    const { columns, rows } = this.#screen;
    this.#screen.draw(viewFrame(this.#model, KEYS, columns, rows));
  }

  #press(name: string, character: string | undefined): void {
    const prompt = this.#prompt;
    if (name === "C-c" || !prompt) {
      this.#pressKey(name);
    } else if (prompt.press(name, character)) {
      this.#prompt = undefined;
      prompt.finish();
    }
    this.#draw();
  }

  #pressKey(name: string): void {
    const key = findKey(name, this.#tab);
    if (this.#helpTop !== undefined && (name === "escape" || !key)) this.#helpTop = undefined;
    else if (key) this.#do(key);
  }

  #do(key: BoundKey): void {
    this.#notice = undefined;
    const { does } = key;
    if (does in DEEDS) DEEDS[does as Exclude<Deed, Act | FunctionAct>](this.#desk);
    else if (does === "tick" || does === "rollback") this.#acts.onFunction(does, this.#functions.chosen, key.asks);
    else this.#act(does as Act, key);
  }

  /** What a key may do. */
  readonly #desk: Desk = {
    leave: () => this.#options.onLeave(),
    toggleHelp: () => {
      this.#helpTop = this.#helpTop === undefined ? 0 : undefined;
    },
    redraw: () => this.#screen.forget(),
    openTab: (tab) => this.#openTab(tab),
    turnTab: (by) => this.#openTab(TABS[(TABS.indexOf(this.#tab) + by + TABS.length) % TABS.length] ?? "nodes"),
    move: (by) => this.#move(by),
    movePage: (by) => this.#move(by * Math.max(1, this.#room - PROCESSES_HEAD_ROWS)),
    openChosen: () => {
      if (this.#tab === "functions") this.#turnFunctions((functions) => functions.open());
      else this.#openPid(this.#browser.chosenPid ?? "");
    },
    goBack: () => this.#turnFunctions((functions) => functions.goBack()),
    askPid: () => this.#ask("pid", "", (pid) => this.#openPid(pid.trim())),
    askFilter: () => this.#askFilter(),
    browse: (change) => {
      change(this.#browser);
      void this.#loadTab();
    },
    log: (change) => change(this.#tab === "events" ? this.#events : this.#log),
  };

  #openTab(tab: Tab): void {
    this.#tab = tab;
    this.#helpTop = undefined;
    void this.#loadTab();
  }

  #openPid(text: string): void {
    const pid = parsePid(text);
    if (pid) {
      this.#inspector.open(pid);
      this.#openTab("process");
    } else if (text) this.#tell({ text: `a pid is module/key, not ${text}`, isBad: true });
  }

  #turnFunctions(turn: (functions: FunctionBrowser) => void): void {
    turn(this.#functions);
    void this.#loadTab();
  }

  #move(by: number): void {
    const room = this.#room;
    const { columns } = this.#screen;
    if (this.#helpTop !== undefined) {
      const rows = describeHelp(KEYS, this.#tab, columns).length;
      this.#helpTop = Math.max(0, Math.min(rows - room, this.#helpTop + by));
    } else if (this.#tab === "nodes") {
      const nodes = this.#picture.view?.nodes.length ?? 0;
      this.#nodesTop = Math.max(0, Math.min(nodes - 1, this.#nodesTop + by));
    } else if (this.#tab === "processes") this.#browser.move(by);
    else if (this.#tab === "process") {
      const rows = describeProcess(this.#inspector.model, Date.now(), columns).length;
      this.#inspector.move(by, rows, room);
    } else if (this.#tab === "functions") {
      const { page } = this.#functions.model;
      this.#functions.move(by, page ? countLogRows(page, room) : room);
    } else this.#desk.log((pane) => pane.move(by, room - 1));
  }

  #ask(question: string, typed: string, onDone: (text: string) => void): void {
    this.#prompt = Prompt.forText(question, typed, onDone);
  }

  #askFilter(): void {
    if (this.#tab === "processes")
      this.#ask("filter", this.#browser.model.filter, (text) => this.#filterProcesses(text));
    else this.#desk.log((pane) => this.#ask("filter", pane.model.filter, (text) => pane.filter(text)));
  }

  #filterProcesses(text: string): void {
    try {
      this.#browser.filter(text);
      void this.#loadTab();
    } catch (error) {
      this.#tell({ text: (error as Error).message, isBad: true });
    }
  }

  #act(act: Act, { asks }: BoundKey): void {
    this.#acts.onProcess(act, this.#tab === "process" ? this.#inspector.pid : this.#browser.chosenPid, asks);
  }

  #tell(notice: Notice): void {
    this.#notice = { ...notice, untilMs: performance.now() + NOTICE_MS };
    this.#draw();
  }
}
