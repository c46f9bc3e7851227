-- Dead letters: those of the present incarnation, and those in the graves of earlier ones.

-- The mailboxes of a process that may hold some, the oldest incarnation first.
local function letterBoxes(pid, incarnation)
  local names = call("SMEMBERS", base .. "graves:" .. pid)
  if incarnation then
    names[#names + 1] = queueName(pid, incarnation)
  end
  table.sort(names, function(one, other)
    return tonumber(string.match(one, "@(%d+)$") or 0) < tonumber(string.match(other, "@(%d+)$") or 0)
  end)
  local seen, boxes = {}, {}
  for _, name in ipairs(names) do
    if not seen[name] then
      seen[name] = true
      boxes[#boxes + 1] = name
    end
  end
  return boxes
end

-- Up to `limit` {name, id} of those that failed until then, the oldest first; of one id where one is given.
local function findLetters(pid, incarnation, id, limit, untilMs)
  local found = {}
  for _, name in ipairs(letterBoxes(pid, incarnation)) do
    local failed = queueOf(name) .. "failed"
    if id ~= "" then
      if call("ZSCORE", failed, id) then
        found = { { name, id } }
      end
    elseif #found < limit then
      for _, each in ipairs(call("ZRANGEBYSCORE", failed, 0, untilMs, "LIMIT", 0, limit - #found)) do
        found[#found + 1] = { name, each }
      end
    end
  end
  return found
end

-- Takes one out of its box; `current` is the name of the mailbox whose letters are counted, or "".
local function takeLetter(pid, name, id, current)
  local queue = queueOf(name)
  call("ZREM", queue .. "failed", id)
  call("DEL", queue .. id)
  if name == current then
    count("failed", -1)
  elseif call("EXISTS", queue .. "failed") == 0 then
    call("SREM", base .. "graves:" .. pid, name)
  end
end
