"use strict";

/** http: every request to /invoke/USER-REPO/API and below. */
function API(req, res) {
  console.log(`${req.method} ${req.url}`);
  res.writeHead(200, { "content-type": "text/plain" });
  res.end("Hello, World!\n");
}

/** cron: every minute. Meta `greeting` is ESERVELESS_GREETING. */
function Ticker(envs) {
  console.log(`${envs.ESERVELESS_GREETING}, it is ${new Date().toISOString()}`);
}

module.exports = { API, Ticker };
