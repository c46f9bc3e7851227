/**
 * Server-sent events that come back by themselves. The browser reconnects after a broken connection and says where it
 * was; after a refusal it gives up, so this tries again, saying the same in the query. While the page is hidden the
 * stream is closed: a browser has six connections to a host for all its tabs.
 */

const RETRY_MS = 2000;

/**
 * @typedef {object} StreamOptions
 * @property {string} path
 * @property {Record<string, (data: any) => void>} events What to do with each kind of event.
 * @property {(isOpen: boolean) => void} [onState]
 * @property {boolean} [resumes] Whether the server takes `lastEventId` in the query.
 */

/**
 * @param {StreamOptions} options
 * @returns {() => void} ends it
 */
export function openStream({ path, events, onState = () => {}, resumes = true }) {
  /** @type {EventSource | undefined} */
  let source;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let retry;
  let lastId = "";

  const close = () => {
    clearTimeout(retry);
    source?.close();
    source = undefined;
  };
  const open = () => {
    close();
    const url = new URL(path, location.origin);
    if (resumes && lastId) url.searchParams.set("lastEventId", lastId);
    const opened = new EventSource(url);
    source = opened;
    opened.onopen = () => onState(true);
    opened.onerror = () => {
      if (source !== opened) return;
      onState(false);
      if (opened.readyState === EventSource.CLOSED) retry = setTimeout(open, RETRY_MS);
    };
    for (const [name, take] of Object.entries(events)) {
      opened.addEventListener(name, (event) => {
        lastId = event.lastEventId || lastId;
        take(JSON.parse(event.data));
      });
    }
  };
  const follow = () => (document.hidden ? close() : open());
  document.addEventListener("visibilitychange", follow);
  follow();
  return () => {
    document.removeEventListener("visibilitychange", follow);
    close();
  };
}

/**
 * Calls `act` at once and then again and again while the page is seen, never twice at the same time.
 * @param {() => Promise<unknown>} act
 * @param {number} everyMs
 * @returns {{ now: () => void, stop: () => void }}
 */
export function repeat(act, everyMs) {
  let isAt = false;
  let isWanted = false;
  const now = async () => {
    if (isAt) {
      isWanted = true;
      return;
    }
    isAt = true;
    await act();
    isAt = false;
    if (isWanted) {
      isWanted = false;
      void now();
    }
  };
  const beat = () => {
    if (!document.hidden) void now();
  };
  const timer = setInterval(beat, everyMs);
  document.addEventListener("visibilitychange", beat);
  void now();
  return {
    now,
    stop: () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", beat);
    },
  };
}
