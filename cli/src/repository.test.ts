import assert from "node:assert/strict";
import { resolve } from "node:path";
import { test } from "node:test";
import { isRepository, readRepository, tellFolder } from "./repository.ts";

test("user/repo is one of github.com, also where a folder here has that name", () => {
  assert.equal(
    readRepository("evanxg852000/node-eserveless-example"),
    "https://github.com/evanxg852000/node-eserveless-example",
  );
  assert.equal(readRepository(" alice/shop.js/ "), "https://github.com/alice/shop.js");
  assert.equal(readRepository("cli/src"), "https://github.com/cli/src");
  assert.equal(tellFolder("cli/src"), "cli/src is taken for a repository of github.com; the folder is ./cli/src");
  assert.equal(tellFolder("alice/shop"), undefined);
  assert.equal(tellFolder("./cli/src"), undefined);
});

test("a folder begins with a dot or a slash, and is sent as an absolute path", () => {
  assert.equal(readRepository("./shop/"), resolve("shop"));
  assert.equal(readRepository("."), resolve("."));
  assert.equal(readRepository("../shop"), resolve("../shop"));
  assert.equal(readRepository("/srv/git/shop"), "/srv/git/shop");
});

test("a URL is left as it is", () => {
  for (const url of [
    "https://git.example/a/b.git",
    "ssh://git@git.example/a/b",
    "git@git.example:a/b",
    "file:///srv/b",
  ])
    assert.equal(readRepository(url), url);
});

test("what is none of these is refused, with a hint where a folder is meant", () => {
  const words = "Please specify the github repo: user/repo";
  for (const given of [undefined, "", "  ", "shop", "a/b/c", "-x/y", "alice/shop?x", "https://"])
    assert.throws(() => readRepository(given), { message: words }, given);
  assert.throws(() => readRepository("cli"), { message: `${words}, or ./cli for the folder` });
});

test("no word that could be a command is a repository", () => {
  assert.ok(isRepository("alice/shop") && isRepository("./shop") && isRepository("https://github.com/alice/shop"));
  for (const word of ["deploy", "nodse", "dead-letters", "accumulator/", "--json", "a/b/c"])
    assert.ok(!isRepository(word));
});
