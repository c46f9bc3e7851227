// Before the first paint, so that nobody is dazzled; theme.js does the rest.
document.documentElement.dataset["theme"] = localStorage.getItem("genserverless-theme") ?? "auto";
