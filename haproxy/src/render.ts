import { readFileSync } from "node:fs";

/** What differs between Docker Compose and npm start; the rest is in the template. */
export interface LoadBalancer {
  /** `host:port` of the cluster's HTTP API. */
  bind: string;
  /** `host:port` of HAProxy's own statistics page. */
  statsBind: string;
  /** `host:port` of each api node, or the name that Docker's resolver knows them under. */
  apis: string[] | { service: string; port: number; most: number };
}

/** Docker's resolver: a name's records come and go with its containers. */
const DOCKER_RESOLVER = `
resolvers docker
  nameserver dns 127.0.0.11:53
  accepted_payload_size 8192
  timeout resolve 500ms
  timeout retry 500ms
  hold valid 500ms
  hold obsolete 1s
`;

const templateFile = new URL("../haproxy.cfg.template", import.meta.url);

/** The text of haproxy.cfg. */
export function renderConfig(balancer: LoadBalancer, template = readFileSync(templateFile, "utf8")): string {
  const values: Record<string, string> = {
    bind: balancer.bind,
    stats_bind: balancer.statsBind,
    servers: renderServers(balancer.apis),
    resolvers: Array.isArray(balancer.apis) ? "" : DOCKER_RESOLVER,
  };
  return template.replaceAll(/\{\{(\w+)\}\}/g, (_placeholder, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`haproxy.cfg.template has an unknown placeholder {{${name}}}`);
    return value;
  });
}

function renderServers(apis: LoadBalancer["apis"]): string {
  if (Array.isArray(apis)) return apis.map((address, i) => `  server api${i + 1} ${address}`).join("\n");
  return `  server-template api 1-${apis.most} ${apis.service}:${apis.port} resolvers docker init-addr none`;
}
