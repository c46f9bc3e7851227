-- The journal of a process: a stream with an entry for each event, its id being the event's sequence, from 1 without a gap.
-- The record's `J` is the last one's. A snapshot is the record's state, and says up to which event it goes: `#<sequence> …`.

-- Adds events, three words each from ARGV[at]: type, data, message. Returns the last one's sequence; false, and nothing is
-- written, where the journal goes further than the record knows.
local function emitEvents(key, pid, events, at, version, now)
  local journal = base .. "journal:" .. pid
  local last = tonumber(call("HGET", key, "J") or 0)
  for index = 1, events do
    local word = at + (index - 1) * 3
    local added = redis.pcall("XADD", journal, string.format("%.0f-0", last + index),
      "t", ARGV[word], "d", ARGV[word + 1], "v", version, "a", now, "m", ARGV[word + 2])
    if type(added) == "table" and added.err then
      return false
    end
  end
  return last + events
end

local function sequenceOf(snapshot)
  return tonumber(string.match(snapshot, "^#(%d+)"))
end

-- A snapshot was taken. Two earlier ones are kept: `base`, behind which there is nothing any more, and `next`, which takes its
-- place once it is behind as many events, and ms, as are to be kept.
local function compactJournal(pid, snapshot, events, ms, now)
  local key = base .. "snapshots:" .. pid
  local kept = call("HMGET", key, "next", "nextAt")
  if not kept[1] then
    call("HSET", key, "next", snapshot, "nextAt", now)
  elseif sequenceOf(snapshot) - sequenceOf(kept[1]) >= events and now - tonumber(kept[2]) >= ms then
    call("HSET", key, "base", kept[1], "next", snapshot, "nextAt", now)
    call("XTRIM", base .. "journal:" .. pid, "MINID", "~", string.format("%.0f-0", sequenceOf(kept[1]) + 1))
  end
end

-- The last sequence of a process with a journal, the id of the last entry that is there, and a page of what comes after its
-- snapshot; nothing where it has none.
local function readJournal(key, pid, snapshot, page)
  local from = snapshot and sequenceOf(snapshot)
  if not from then
    return {}
  end
  local journal = base .. "journal:" .. pid
  local newest = call("XREVRANGE", journal, "+", "-", "COUNT", 1)[1]
  local entries = call("XRANGE", journal, string.format("%.0f-0", from + 1), "+", "COUNT", page)
  return { call("HGET", key, "J") or "0", newest and newest[1] or "", entries }
end
