import assert from "node:assert/strict";
import { test } from "node:test";
import type { Problem } from "../problems.ts";
import { type RepositoryRules, readRepository } from "./repository.ts";

const RULES: RepositoryRules = { hosts: ["github.com", "git.example:8443", "git.example"], folders: [] };

test("ES-2: spaces and slashes at the end go, and the project is USER-REPO", async () => {
  for (const text of ["https://github.com/evan/node-example", " https://github.com/evan/node-example// "]) {
    assert.deepEqual(await readRepository(text, RULES), {
      url: "https://github.com/evan/node-example",
      project: "evan-node-example",
      identity: "github.com/evan/node-example",
      isLocal: false,
    });
  }
});

test("one repository has one identity, however it is written", async () => {
  const written = [
    "https://github.com/a/b",
    "https://github.com/a/b.git",
    "git@github.com:a/b.git",
    "ssh://git@GitHub.com/a/b",
  ];
  const identities = await Promise.all(written.map(async (text) => (await readRepository(text, RULES)).identity));
  assert.deepEqual(new Set(identities), new Set(["github.com/a/b"]));
});

test("elsewhere than at GitHub there may be groups", async () => {
  assert.equal((await readRepository("https://git.example/group/sub/repo", RULES)).project, "group-sub-repo");
});

test("what is not allowed is refused, and tells nothing about the disk", async () => {
  const codeOf = (text: string, rules = RULES) =>
    readRepository(text, rules).then(
      ({ url }) => url,
      (error: Problem) => error.code,
    );
  assert.equal(await codeOf("https://github.com.evil.example/a/b"), "repository_refused");
  assert.equal(await codeOf("https://github.com@evil.example/a/b"), "invalid_repository");
  assert.equal(await codeOf("http://github.com/a/b"), "invalid_repository");
  assert.equal(await codeOf("ssh://-oProxyCommand=x/a/b"), "invalid_repository");
  assert.equal(await codeOf(`${"/".repeat(900_000)}x`), "invalid_repository");
  assert.equal(await codeOf("/etc"), "repository_refused");
  assert.equal(await codeOf("file:///etc"), "repository_refused");
  const within = { ...RULES, folders: ["/srv/git"] };
  for (const path of ["/etc", "/srv/git-other/a", "/srv/git/../../etc", "/not/there"]) {
    assert.equal(await codeOf(path, within), "repository_refused", path);
  }
});
