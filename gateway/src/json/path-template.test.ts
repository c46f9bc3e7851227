import assert from "node:assert/strict";
import { test } from "node:test";
import { DescriptorError } from "../descriptor/descriptor.ts";
import { compileTemplate } from "./path-template.ts";

function match(template: string, path: string): Record<string, string> | undefined {
  const found = compileTemplate(template).match(path);
  return found && Object.fromEntries(found);
}

test("fields are read of single segments, unescaped", () => {
  const template = "/cart/{user_id}/items/{product_id}/remove";
  assert.deepEqual(match(template, "/cart/a%20b/items/c%2Fd/remove"), { user_id: "a b", product_id: "c/d" });
  assert.equal(match(template, "/cart/a/items/remove"), undefined);
  assert.equal(match(template, "/cart//items/b/remove"), undefined);
  assert.equal(match(template, "/cart/a/items/b/remove/"), undefined);
});

test("a field can span segments, and keeps its escaped slashes apart", () => {
  assert.deepEqual(match("/v1/{name=shelves/*/books/*}", "/v1/shelves/1/books/2"), { name: "shelves/1/books/2" });
  assert.equal(match("/v1/{name=shelves/*}", "/v1/shelf/1"), undefined);
  assert.deepEqual(match("/files/{path=**}", "/files/a/b%2Fc/d"), { path: "a/b%2Fc/d" });
  assert.deepEqual(match("/v1/{item.name}:add", "/v1/x:add"), { "item.name": "x" });
  assert.equal(match("/v1/{item.name}:add", "/v1/x"), undefined);
});

test("wildcards without a name match", () => {
  assert.deepEqual(match("/a/*/b/**", "/a/x/b/c/d"), {});
  assert.deepEqual(match("/", "/"), {});
  assert.deepEqual(match("/a.b/C", "/a.b/C"), {});
  assert.equal(match("/a.b/C", "/aXb/C"), undefined);
});

test("a percent sign that escapes nothing matches nothing", () => {
  assert.equal(match("/a/{b}", "/a/%zz"), undefined);
});

test("what is no template is a DescriptorError", () => {
  for (const template of ["a/b", "/a{b}", "/{}", "/{a", "/a/{b*}", "/x*"]) {
    assert.throws(() => compileTemplate(template), DescriptorError, template);
  }
});
