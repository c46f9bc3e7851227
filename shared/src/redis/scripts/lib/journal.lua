-- The journal of a process: a stream with an entry for each event, its id being the event's sequence, from 1 without a gap.
-- The record's `J` is the last one's, and `B` how many bytes the data of the largest have. A snapshot is the record's state, and says up to which event it goes: `#<sequence> …`.

-- Adds events, three words each from ARGV[at]: type, data, message. Returns the last one's sequence, and the largest one's bytes
-- where that is anything new; false, and nothing is written, where the journal goes further than the record knows.
local function emitEvents(key, pid, events, at, version, now)
  local journal = base .. "journal:" .. pid
  local known = call("HMGET", key, "J", "B")
  local last = tonumber(known[1] or 0)
  local largest = tonumber(known[2] or 0)
  local isLarger = false
  for index = 1, events do
    local word = at + (index - 1) * 3
    local added = redis.pcall("XADD", journal, string.format("%.0f-0", last + index),
      "t", ARGV[word], "d", ARGV[word + 1], "v", version, "a", now, "m", ARGV[word + 2])
    if type(added) == "table" and added.err then
      return false
    end
    if #ARGV[word + 1] > largest then
      largest, isLarger = #ARGV[word + 1], true
    end
  end
  -- Of those that were imported nobody knows.
  return last + events, isLarger and (known[2] or last == 0) and largest
end

local function sequenceOf(snapshot)
  return tonumber(string.match(snapshot, "^#(%d+)"))
end

-- A snapshot was taken. Two earlier ones are kept: `base`, behind which there is nothing any more, and `next`, which takes its
-- place once it is behind as many events, and ms, as are to be kept.
local function compactJournal(pid, snapshot, events, ms, now)
  local key = base .. "snapshots:" .. pid
  local kept = call("HMGET", key, "next", "nextAt")
  local last, from, at = sequenceOf(snapshot), sequenceOf(kept[1] or ""), tonumber(kept[2] or "")
  if not last or not from or not at then
    call("HSET", key, "next", snapshot, "nextAt", now)
  elseif last - from >= events and now - at >= ms then
    call("HSET", key, "base", kept[1], "next", snapshot, "nextAt", now)
    -- Without a limit Redis takes 10,000 at a time, and a journal that gains more between two snapshots would grow for ever.
    call("XTRIM", base .. "journal:" .. pid, "MINID", "~", string.format("%.0f-0", from + 1), "LIMIT", 0)
  end
end

-- The events from a sequence on: at most `most`, and not many more than 1 MiB of their data, for one event may have 8.
local function readPage(journal, from, most)
  local entries, bytes, start = {}, 0, string.format("%.0f-0", from)
  repeat
    local asked = math.min(16, most - #entries)
    local found = call("XRANGE", journal, start, "+", "COUNT", asked)
    for _, entry in ipairs(found) do
      entries[#entries + 1] = entry
      bytes = bytes + #(entry[2][4] or "")
      start = "(" .. entry[1]
    end
  until #found < asked or #entries == most or bytes >= 1048576
  return entries
end

-- The last sequence of a process with a journal, the largest event's bytes or "", the id of the last entry that is there, the
-- highest that there ever was, and a page of what comes after its snapshot. Another hand may have damaged any of it: nothing here fails.
local function readJournal(key, pid, snapshot, page)
  local journal = base .. "journal:" .. pid
  local known = call("HMGET", key, "J", "B")
  local last, largest = known[1] or "0", known[2] or ""
  local info = redis.pcall("XINFO", "STREAM", journal)
  if info.err then
    local isMissing = string.find(info.err, "no such key", 1, true)
    return { last, largest, isMissing and "" or info.err, "", {} }
  end
  local facts = {}
  for at = 1, #info, 2 do
    facts[info[at]] = info[at + 1]
  end
  local newest, from = facts["last-entry"], sequenceOf(snapshot)
  return {
    last, largest, newest and newest[1] or "", facts["last-generated-id"],
    from and readPage(journal, from + 1, page) or {},
  }
end
