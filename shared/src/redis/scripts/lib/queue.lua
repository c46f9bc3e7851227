-- The mailbox: one BullMQ queue per incarnation, named `module/key@incarnation`. Only BullMQ's own functions change what
-- BullMQ keeps in it, except where a comment says otherwise.

-- The first fields of an envelope stand in this order, so that they can be read without decoding the message.
local ENVELOPE = '^{"f":"([^"]*)","h":"([^"]*)","k":(%d+)'
local DEAD_LETTERS = 1000
local DEAD_LETTER_MS = 604800000

local function queueName(pid, incarnation)
  return pid .. "@" .. incarnation
end

local function queueOf(name)
  return base .. "q:" .. name .. ":"
end

-- The first ten keys of moveToActive, which are also those of moveToFinished, and moveToActive's eleventh. The fifth and the
-- eighth are for locks and lists that a mailbox does not have.
local function queueKeys(queue)
  return {
    queue .. "wait", queue .. "active", queue .. "prioritized", queue .. "events", "", queue .. "limiter",
    queue .. "delayed", "", queue .. "meta", queue .. "pc", queue .. "marker",
  }
end

-- Deletes what BullMQ keeps for an empty mailbox.
local function clearBooks(queue)
  call("DEL", queue .. "meta", queue .. "id", queue .. "events", queue .. "marker", queue .. "pc", queue .. "completed")
end

local function outcomeKey(id)
  return base .. "m:" .. id
end

-- Outcomes to tell, gathered per api session so that one commit sends one publication to each.
local replies = {}

local function settle(id, session, hash, keepMs, outcome)
  -- A script must not fail halfway, whatever another tool has made of a job.
  local ms = tonumber(keepMs)
  if not ms or ms ~= ms then
    ms = 60000
  end
  ms = math.min(math.max(ms, 1), 31536000000)
  call("SET", outcomeKey(id), "o|" .. hash .. "|" .. outcome, "PX", string.format("%.0f", ms))
  if session ~= "" then
    local reply = '{"id":"' .. id .. '","outcome":' .. outcome .. "}"
    replies[session] = replies[session] and (replies[session] .. "," .. reply) or reply
  end
end

local function sendReplies()
  for session, list in pairs(replies) do
    call("PUBLISH", root .. "reply:" .. session, "[" .. list .. "]")
  end
end

-- Answers a call whose reply was deferred; the first answer counts. An answer that comes before the turn which defers it has
-- committed – another process was told of it by a call – is kept, behind an equals sign, until the call is settled in whatever
-- way; `E` of the record says that there has been one.
local function answerDeferred(name, id, outcome)
  local defer = base .. "defer:" .. name
  local waiting = call("HGET", defer, id)
  if not waiting and string.match(call("GET", outcomeKey(id)) or "", "^q|[^|]*|(.+)$") == name then
    call("HSET", defer, id, "=" .. outcome)
    call("HSET", base .. "proc:" .. string.match(name, "^[^@]+"), "E", "1")
  end
  if not waiting or string.sub(waiting, 1, 1) == "=" then
    return
  end
  call("HDEL", defer, id)
  local session, hash, keepMs = string.match(waiting, "^([^|]*)|([^|]*)|(.+)$")
  settle(id, session, hash, keepMs, outcome)
end
