-- Answers what is left in the mailbox of an ended incarnation, `limit` messages at a time, and clears the mailbox away.
-- Its dead letters stay for as long as dead letters are kept. Returns true when nothing is left.
local DROPPED = '{"status":"dropped","error":{"code":"no_process","detail":"the process stopped before it handled this message"}}'

local function drop(queue, id)
  local session, hash, keepMs = string.match(call("HGET", queue .. id, "data") or "", ENVELOPE)
  if session then
    settle(id, session, hash, keepMs, DROPPED)
  end
  call("DEL", queue .. id)
end

local function takeList(key, limit)
  local ids = call("LRANGE", key, -limit, -1)
  call("LTRIM", key, 0, -(#ids + 1))
  return ids
end

local function sweepQueue(name, limit)
  local queue = queueOf(name)
  local left = limit
  local swept = 0
  for _, list in ipairs({ "active", "wait" }) do
    if left > 0 then
      local ids = takeList(queue .. list, left)
      for at = #ids, 1, -1 do
        drop(queue, ids[at])
      end
      left = left - #ids
      if list == "wait" then
        swept = swept + #ids
      end
    end
  end
  for _, set in ipairs({ "prioritized", "delayed" }) do
    if left > 0 then
      local popped = call("ZPOPMIN", queue .. set, left)
      for at = 1, #popped, 2 do
        drop(queue, popped[at])
        if set == "delayed" then
          count("delayed", -1)
        end
      end
      left = left - #popped / 2
      swept = swept + #popped / 2
    end
  end
  if swept > 0 then
    count("queued", -swept)
  end
  if left == 0 then
    call("SADD", base .. "sweep", name)
    return false
  end
  call("SREM", base .. "sweep", name)
  clearBooks(queue)
  local dead = call("ZRANGE", queue .. "failed", 0, -1)
  if #dead > 0 then
    local graves = base .. "graves:" .. string.match(name, "^[^@]+")
    call("SADD", graves, name)
    call("PEXPIRE", graves, DEAD_LETTER_MS)
    call("PEXPIRE", queue .. "failed", DEAD_LETTER_MS)
    for _, id in ipairs(dead) do
      call("PEXPIRE", queue .. id, DEAD_LETTER_MS)
    end
    count("failed", -#dead)
  end
  return true
end
