/** Light or dark: as the system says, unless the reader has said otherwise. */

import { byId, say } from "./dom.js";

const KEY = "genserverless-theme";
const ORDER = ["auto", "light", "dark"];

export function startTheme() {
  apply(localStorage.getItem(KEY) ?? "auto");
  byId("theme").addEventListener("click", switchTheme);
}

export function switchTheme() {
  const now = document.documentElement.dataset["theme"] ?? "auto";
  apply(ORDER[(ORDER.indexOf(now) + 1) % ORDER.length] ?? "auto");
}

/** @param {string} theme */
function apply(theme) {
  document.documentElement.dataset["theme"] = theme;
  if (theme === "auto") localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, theme);
  say(byId("theme"), { auto: "◐ Auto", light: "○ Light", dark: "● Dark" }[theme] ?? theme);
}
