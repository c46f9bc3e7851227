/** W10's floor: the handler of the function, served by Node itself, and nothing else. */

import { createServer } from "node:http";
import { createRequire } from "node:module";

const [file = ""] = process.argv.slice(2);
const { hello } = createRequire(import.meta.url)(file);
createServer(hello).listen(Number(process.env["PORT"]), "127.0.0.1", () => console.log("listening"));
