-- What the record has of a state that lies in a store of its own: a text that begins with `@`; otherwise "".
local function referenceOf(key)
  local size = call("HSTRLEN", key, "d")
  local text = size > 0 and size < 1024 and call("HGET", key, "d") or ""
  return string.sub(text, 1, 1) == "@" and text or ""
end

-- Ends an incarnation from outside, whatever it is doing: without terminate, and over a turn that is under way, whose commit
-- is refused, for the record names neither its session nor its epoch any more. Its mailbox is detached and swept, those who
-- watched it are told, and its owner drops what it has in memory.
--
-- Returns its name, how many entries its outbox gained, whether its mailbox is swept, the reference of a state that nothing
-- points to any more, or "", and whether its state is kept.
local function endLife(key, pid, reason, keepsState, now)
  local record = call("HMGET", key, "s", "i", "o", "p")
  local owner, name = record[3] or "", queueName(pid, record[2])
  local isKept = keepsState and call("HEXISTS", key, "d") == 1
  local reference = isKept and "" or referenceOf(key)
  call("SREM", base .. "busy:" .. owner, pid)
  call("SREM", base .. "held:" .. owner, pid)
  call("SREM", base .. "ready:" .. moduleOf(pid), pid)
  call("ZREM", base .. "due", pid)
  count(record[1], -1)
  if isHeldByPerson(record[4]) then
    count(record[4], -1)
  end
  local sent = announceDeath(key, pid, name, reason, now)
  if isKept then
    call("HSET", key, "s", "stopped", "o", "", "b", "0", "n", 0, "z", 0)
    -- Without its epoch: a start keeps what it does not write, and a late commit of this life must fit no other.
    call("HDEL", key, "e", "w", "x", "k", "q", "j", "c", "y", "p", "f", "h", "l", "E")
    count("stopped", 1)
  else
    forgetProcess(key, pid)
  end
  local isSwept = sweepQueue(name, 200)
  if owner ~= "" then
    wake(owner, "drop " .. pid)
  end
  return name, sent, isSwept, reference, isKept
end
