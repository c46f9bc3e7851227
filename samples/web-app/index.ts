/** An Express app of its own whose callbacks the cluster's workers run over HTTP. */

import express from "express";
import { mount } from "genserverless/express";
import adder from "./adder.ts";

const { PORT = "4000", REMOTE_SECRET = "", CLUSTER_URL = "http://127.0.0.1:8080", PUSH_TOKEN } = process.env;
const app = express();

mount(app, {
  modules: [adder],
  secret: REMOTE_SECRET,
  cluster: CLUSTER_URL,
  defaultModule: "adder",
  ...(PUSH_TOKEN && { token: PUSH_TOKEN }),
});
app.get("/", (_req, res) => void res.send("The app does what it does, and runs the callbacks of adder.\n"));
app.use((_req, res) => void res.status(404).json({ errors: { detail: "Not Found" } }));

const server = app.listen(Number(PORT), "127.0.0.1", (error) => {
  if (error) throw error;
  console.log(`http://127.0.0.1:${PORT}/genserverless`);
});
process.once("SIGTERM", () => server.close());
