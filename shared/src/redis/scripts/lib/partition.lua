-- Names and small acts that every script on a partition shares. ARGV[1] is always the partition's base, `gs:{12}:`.
-- Keys besides KEYS[1] are built here from that base: all of them carry its hash tag, so a script stays in one slot.

local call = redis.call
local base = ARGV[1]
local root = string.match(base, "^(.-){")

local function clock()
  local time = call("TIME")
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function moduleOf(pid)
  return string.match(pid, "^[^/]+")
end

local function isLive(session)
  return session and session ~= "" and call("HEXISTS", base .. "live", session) == 1
end

-- A live session that runs the module, in turn; false where there is none.
local function pickWorker(module)
  local workers = base .. "workers:" .. module
  for _ = 1, call("LLEN", workers) do
    local session = call("LMOVE", workers, workers, "LEFT", "RIGHT")
    if isLive(session) then
      return session
    end
  end
  return false
end

local function wake(session, pid)
  call("PUBLISH", root .. "wake:" .. session, pid)
end

-- Enters when a process's next delayed message is due, and tells a worker in how many ms, so that it is rung in time.
local function noteDue(session, pid, at, now)
  call("ZADD", base .. "due", "LT", at, pid)
  if session then
    wake(session, "due " .. string.match(base, "{(%d+)}") .. " " .. string.format("%.0f", math.max(0, at - now)))
  end
end

-- Hands a process with mail to a session, or to whoever joins next where session is false.
local function giveTo(session, pid)
  if session then
    call("SADD", base .. "busy:" .. session, pid)
    wake(session, pid)
  else
    call("SADD", base .. "ready:" .. moduleOf(pid), pid)
  end
end

-- Whether the last claim of a record was this session's: then what is in hand may be in its hand.
local function wasClaimedBy(claimed, session)
  return session ~= "" and string.sub(claimed or "", 1, #session + 1) == session .. " "
end

-- Whether the record's `p` keeps the mailbox from being handled now, and until when, where that is known.
local function isHeldBack(held, now)
  if not held then
    return false
  end
  local untilMs = string.match(held, "^retry (%d+)$")
  if untilMs then
    return now < tonumber(untilMs), tonumber(untilMs)
  end
  return true
end

-- All that is kept of a process, but its dead letters.
local function forgetProcess(key, pid)
  call("UNLINK", key, base .. "journal:" .. pid, base .. "snapshots:" .. pid)
  call("ZREM", base .. "index", pid)
end

local function count(status, change)
  call("HINCRBY", base .. "counts", status, change)
end
