import assert from "node:assert/strict";
import { test } from "node:test";
import { readRemoteSettings } from "./remote-settings.ts";

const REMOTE_SECRET = "a secret of both sides".replaceAll(" ", "-");

test("REMOTE_MODULES are URLs with spaces or commas between them", () => {
  const { urls, secret } = readRemoteSettings({
    REMOTE_MODULES: " http://one:3001/genserverless,https://two/x  http://three/?a=b ",
    REMOTE_SECRET,
  });
  const hrefs = urls.map(({ href }) => href);
  assert.deepEqual(hrefs, ["http://one:3001/genserverless", "https://two/x", "http://three/?a=b"]);
  assert.equal(secret, REMOTE_SECRET);
  assert.deepEqual(readRemoteSettings({}), { urls: [], secret: "" });
});

test("a setting that cannot be is refused by its name, and without what is secret", () => {
  const refused: [Record<string, string>, RegExp][] = [
    [{ REMOTE_MODULES: "http://one" }, /REMOTE_MODULES needs REMOTE_SECRET/],
    [{ REMOTE_MODULES: "one:3001", REMOTE_SECRET }, /REMOTE_MODULES must be http/],
    [{ REMOTE_MODULES: "redis://one", REMOTE_SECRET }, /REMOTE_MODULES must be http/],
    [{ REMOTE_MODULES: "http://me:hidden@one", REMOTE_SECRET }, /^(?!.*hidden).*no user, password/],
    [{ REMOTE_MODULES: "http://one", REMOTE_SECRET: "short" }, /^(?!.*short).*REMOTE_SECRET must be/],
  ];
  for (const [env, message] of refused) assert.throws(() => readRemoteSettings(env), { name: "SettingError", message });
});
