/** Which web apps have modules mounted, and the secret that they share with the cluster. */

import { readText, readToken, SettingError } from "./env.ts";

export interface RemoteSettings {
  urls: URL[];
  secret: string;
}

/** No error repeats a URL that has a password, or the secret. */
export function readRemoteSettings(env: Record<string, string | undefined>): RemoteSettings {
  const urls = readText(env, "REMOTE_MODULES", "")
    .split(/[\s,]+/)
    .filter(Boolean)
    .map(readUrl);
  const secret = readToken(env, "REMOTE_SECRET");
  if (urls.length === 0) return { urls, secret: "" };
  if (secret === undefined) throw new SettingError("REMOTE_MODULES needs REMOTE_SECRET, which the apps know too");
  return { urls, secret };
}

function readUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new SettingError("REMOTE_MODULES must be http:// or https:// URLs, with spaces or commas between them");
  }
  if (url.username || url.password || url.hash) {
    throw new SettingError("a URL in REMOTE_MODULES has no user, password or fragment: REMOTE_SECRET is what counts");
  }
  return url;
}
