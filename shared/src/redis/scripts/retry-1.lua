-- Puts dead letters back at the end of the mailbox of the present incarnation, under their ids, as ordinary messages:
-- whatever tied one to a timer, a monitor or a link is over, so it comes as the info that it was.
--
-- Atomic because: a message must be a dead letter or wait, never both or neither. Everything is decided before a letter is
-- taken out of its box: accept (lib/accept.lua) can then refuse nothing.
-- The answer is lost: a letter that was put back is no dead letter any more, and the id that is asked for again waits or is
-- settled; that it waits is told as done. What fails again meanwhile stays: it failed after `until`.
--
-- KEYS[1] the process record
-- ARGV base, pid, id or "" for all, limit, until (ms), mostMessages, mostBytes
-- Returns {verdict, how many were put back, whether there may be more}: ok | no_process | unknown | start | mailbox_full
--@include partition
--@include queue
--@include add
--@include fetch
--@include accept
--@include letters

local pid, wanted, limit = ARGV[2], ARGV[3], tonumber(ARGV[4])
local mostMessages, mostBytes = tonumber(ARGV[6]), tonumber(ARGV[7])
local record = call("HMGET", KEYS[1], "s", "i")
if not record[1] or record[1] == "stopped" then
  return { "no_process", 0, 0 }
end
local current = queueName(pid, record[2])
local queue = queueOf(current)

-- The kind and envelope of an ordinary message with the letter's content.
local function asOrdinary(kind, envelope)
  local head, content = string.match(envelope, '^({"f":"[^"]*","h":"[^"]*","k":%d+).-,"m":(.*)}$')
  if not head then
    return kind, envelope
  end
  if kind == "exit" then
    local isDecoded, facts = pcall(cjson.decode, content)
    if isDecoded and type(facts) == "table" then
      content = cjson.encode({ type = "EXIT", pid = facts.pid, reason = facts.reason })
    end
  end
  if kind == "exit" or kind == "down" then
    kind = "info"
  end
  return kind, head .. ',"m":' .. content .. "}"
end

local function hasRoom(envelope)
  local counts = call("HMGET", KEYS[1], "n", "z", "w")
  local inTheWay = tonumber(counts[1] or 0) - tonumber(counts[3] or 0)
  return inTheWay < mostMessages and tonumber(counts[2] or 0) + #envelope <= mostBytes
end

-- Puts one back, or says why not.
local function putBackLetter(name, id)
  local job = call("HMGET", queueOf(name) .. id, "name", "data")
  if not job[2] or name ~= current and call("EXISTS", queue .. id) == 1 and not call("ZSCORE", queue .. "failed", id) then
    -- It has no content any more, or the same message was sent anew and waits.
    takeLetter(pid, name, id, current)
    return "ok"
  end
  if job[1] == "start" then
    return "start"
  end
  local kind, envelope = asOrdinary(job[1] or "info", job[2])
  if not hasRoom(envelope) then
    return "mailbox_full"
  end
  local _, hash = string.match(envelope, ENVELOPE)
  takeLetter(pid, name, id, current)
  if name ~= current and call("ZSCORE", queue .. "failed", id) then
    takeLetter(pid, current, id, current)
  end
  call("DEL", outcomeKey(id))
  accept(KEYS[1], pid, id, kind, envelope, hash or "", 0, { mostMessages, mostBytes }, false, false)
  return "ok"
end

local letters = findLetters(pid, record[2], wanted, limit, ARGV[5])
if wanted ~= "" and #letters == 0 then
  local waits = string.find(call("GET", outcomeKey(wanted)) or "", "^q|") and call("EXISTS", queue .. wanted) == 1
  return { waits and "ok" or "unknown", 0, 0 }
end
local done = 0
for _, letter in ipairs(letters) do
  local verdict = putBackLetter(letter[1], letter[2])
  if verdict == "ok" then
    done = done + 1
  elseif verdict == "mailbox_full" or wanted ~= "" then
    return { verdict, done, 0 }
  end
end
return { "ok", done, wanted == "" and #letters == limit and done > 0 and 1 or 0 }
