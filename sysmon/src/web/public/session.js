/** Who reads this page: nobody yet, somebody who may read, or somebody who may act. */

import { byId, say } from "./dom.js";
import { onRefused, request } from "./http.js";
import { decode } from "./router.js";

/** @typedef {"none" | "read" | "act"} Scope */

/** @type {Scope} */
let scope = "none";
let seesCounts = false;
/** @type {Set<() => void>} */
const listeners = new Set();

export function mayRead() {
  return scope !== "none";
}

export function mayAct() {
  return scope === "act";
}

export function maySeeCounts() {
  return seesCounts;
}

/** @param {() => void} listener */
export function onSession(listener) {
  listeners.add(listener);
}

/** Signs in with the token of a link, `#token=…`, which then leaves the address; else asks who one is. */
export async function startSession() {
  const form = /** @type {HTMLFormElement} */ (byId("sign-in-form"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void submit();
  });
  byId("session").addEventListener("click", () => (mayRead() ? void signOut() : askForToken()));
  onRefused(() => void refresh());
  const token = /^#token=(.+)$/.exec(location.hash)?.[1];
  if (!token) return refresh();
  history.replaceState(null, "", "#/");
  await request("POST", "/api/session", { token: decode(token) });
  return refresh();
}

export function askForToken() {
  say(byId("sign-in-error"), "");
  /** @type {HTMLDialogElement} */ (byId("sign-in")).showModal();
}

async function submit() {
  const field = /** @type {HTMLInputElement} */ (byId("token"));
  const answer = await request("POST", "/api/session", { token: field.value.trim() });
  if (answer.status === 200) {
    field.value = "";
    /** @type {HTMLDialogElement} */ (byId("sign-in")).close();
    return refresh();
  }
  const words = answer.status === 429 ? "Too many attempts. Wait a minute." : "This token is not right.";
  say(byId("sign-in-error"), answer.status === 0 ? "sysmon does not answer." : words);
  field.select();
}

async function signOut() {
  await request("DELETE", "/api/session");
  return refresh();
}

async function refresh() {
  const { status, body } = await request("GET", "/api/session");
  if (status !== 200 || (body.scope === scope && body.seesCounts === seesCounts)) return show();
  scope = body.scope;
  seesCounts = body.seesCounts;
  show();
  for (const listener of listeners) listener();
}

function show() {
  say(byId("session"), mayRead() ? "Sign out" : "Sign in");
  document.body.dataset["scope"] = scope;
}
