#!/usr/bin/env node
"use strict";
/* Runs the command line on the Node that this repo pins, whatever the machine has; hence plain syntax. */
const path = require("node:path");

process.argv.splice(2, 0, path.join(__dirname, "..", "src", "main.ts"));
require("../../local/with-node.cjs");
