/** Prints the configuration of the lb service of docker-compose.yml: `node haproxy/src/compose.ts > haproxy/haproxy.cfg`. */
import { renderConfig } from "./render.ts";

export const composeConfig = `# Rendered from haproxy.cfg.template by haproxy/src/compose.ts.\n${renderConfig({
  bind: "*:8080",
  statsBind: "*:8404",
  apis: { service: "api", port: 3000, most: 20 },
})}`;

if (import.meta.main) process.stdout.write(composeConfig);
