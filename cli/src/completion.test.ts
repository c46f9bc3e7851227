import assert from "node:assert/strict";
import { test } from "node:test";
import { CandidateSource } from "./candidates.ts";
import { findCandidates } from "./completion.ts";
import { buildProgram } from "./program.ts";
import { openText } from "./shell/complete.ts";

const asked: string[] = [];
const source = {
  modules: async (prefix: string) => [`module of ${prefix}`],
  pids: async (prefix: string) => [`pid of ${prefix}`],
  projects: async (prefix: string) => [`project of ${prefix}`],
  functions: async (project: string, prefix: string) => [`function of ${project}, ${prefix}`],
  functionNames: async (prefix: string) => [`name of ${prefix}`],
};
const program = buildProgram({ ...process, env: {} });
const complete = (...words: string[]) => findCandidates(program, words, source);

test("commands, their commands and their options are completed", async () => {
  assert.deepEqual(await complete("dead"), ["dead-letters"]);
  assert.deepEqual(await complete("dead-letters", ""), ["list", "retry", "drop"]);
  assert.deepEqual(await complete("--json", "dead-letters", "re"), ["retry"]);
  assert.deepEqual(await complete("logs", "--fo"), ["--follow"]);
  assert.deepEqual(await complete("logs", "--js"), ["--json"]);
  assert.ok(!(await complete("")).includes("complete"), "what is hidden stays so");
});

test("arguments are completed by what they are: pids, modules, choices", async () => {
  assert.deepEqual(await complete("call", "acc"), ["pid of acc"]);
  assert.deepEqual(await complete("dead-letters", "retry", "a/b"), ["pid of a/b"]);
  assert.deepEqual(await complete("start", "st"), ["module of st"]);
  assert.deepEqual(await complete("call", "accumulator/alice", "to"), [], "nobody knows what a process is sent");
  assert.deepEqual(await complete("completion", "z"), ["zsh"]);
  assert.deepEqual(await complete("bulk", "res"), ["resume"]);
});

test("what an option takes is completed behind it, and is no argument", async () => {
  assert.deepEqual(await complete("ps", "--status", "pa"), ["paused"]);
  assert.deepEqual(await complete("ps", "-m", "s"), ["module of s"]);
  assert.deepEqual(await complete("ps", "--owner", ""), []);
  assert.deepEqual(await complete("call", "--timeout", "5s", "acc"), ["pid of acc"]);
});

test("projects and their functions are completed where they stand", async () => {
  assert.deepEqual(await complete("rollback", "al"), ["project of al"]);
  assert.deepEqual(await complete("invoke", "alice-shop", "A"), ["function of alice-shop, A"]);
  assert.deepEqual(await complete("functions", "alice-shop", "--json", ""), ["function of alice-shop, "]);
  assert.deepEqual(await complete("logs", "--function", "al"), ["name of al"]);
});

/** Knows one project. */
const door = {
  get: async (path: string) => {
    assert.equal(path, "/api/projects");
    return { projects: [{ name: "alice-shop", functions: [{ name: "API" }, { name: "Ticker" }] }] };
  },
};

test("a function is completed by its project first, then by the project's functions", async () => {
  const candidates = new CandidateSource(clientOf([], []), door);
  assert.deepEqual(await candidates.projects("al"), ["alice-shop"]);
  assert.deepEqual(await candidates.functionNames("al"), ["alice-shop/"]);
  assert.deepEqual(await candidates.functionNames("alice-shop/T"), ["alice-shop/Ticker"]);
  assert.deepEqual(await candidates.functions("alice-shop", ""), ["API", "Ticker"]);
  assert.deepEqual(await candidates.functions("bob-shop", ""), []);
});

function clientOf(names: string[], pids: string[]) {
  return {
    modules: async () => names.map((name) => ({ name, version: 1 })),
    list: async ({ module = "" }: { module?: string }) => {
      asked.push(module);
      return { processes: pids.map((pid) => ({ pid })) };
    },
  };
}

test("a pid is completed by its module first, then by the pids of the module", async () => {
  const candidates = new CandidateSource(
    clientOf(["account", "accumulator"], ["accumulator/bob", "accumulator/al"]),
    door,
  );
  assert.deepEqual(await candidates.pids("acc"), ["account/", "accumulator/"]);
  assert.deepEqual(asked, []);
  assert.deepEqual(await candidates.pids("accumulator/"), ["accumulator/al", "accumulator/bob"]);
  assert.deepEqual(await candidates.pids("accumulator/b"), ["accumulator/bob"]);
  assert.deepEqual(asked, ["accumulator"], "an answer counts for a while");
});

test("a cluster that does not answer completes nothing", async () => {
  const never = () => Promise.reject(new Error("away"));
  const candidates = new CandidateSource({ modules: never, list: never }, { get: never });
  assert.deepEqual(await candidates.pids("a"), []);
  assert.deepEqual(await candidates.functionNames("a"), []);
});

test("at the prompt a pid is completed inside open quotes only", () => {
  assert.equal(openText('await call("accumulator/al'), "accumulator/al");
  assert.equal(openText("at('"), "");
  assert.equal(openText('await call("accumulator/alice", "to'), "to");
  assert.equal(openText('call("accumulator/alice").re'), undefined);
  assert.equal(openText("client.li"), undefined);
});
