-- Holding a mailbox back for a person, and letting it go on. `p` says why: `paused`, or `quarantined` with the reason in `f`.
--
-- What is held back keeps its mail, and nobody has it in a busy or ready set; except that its owner, where it may have the
-- process in memory, keeps it in its busy set until it has ended its lease with a last commit. So a lost wake-up costs a
-- beat, and where the owner dies of the turn that was under way, its eviction still counts that death.

-- Whether nobody but a person lets the mailbox go on; what waits for its next try is held back too, but goes on by itself.
local function isHeldByPerson(held)
  return held == "paused" or held == "quarantined"
end

-- Whether a live worker may have the process in memory.
local function isInMemory(owner, claimed)
  return isLive(owner) and wasClaimedBy(claimed, owner)
end

local function hold(key, pid, why, reason)
  local record = call("HMGET", key, "o", "c", "p")
  if isHeldByPerson(record[3]) then
    count(record[3], -1)
  end
  count(why, 1)
  call("HSET", key, "p", why)
  if reason ~= "" then
    call("HSET", key, "f", reason)
  end
  if isInMemory(record[1], record[2]) then
    call("HSET", key, "b", "1")
    giveTo(record[1], pid)
  else
    call("HSET", key, "b", "0")
    call("SREM", base .. "busy:" .. (record[1] or ""), pid)
    call("SREM", base .. "ready:" .. moduleOf(pid), pid)
  end
end

-- Takes the hold away and gives the process to a worker, where it has anything to do now.
local function letGo(key, pid, why, now)
  local record = call("HMGET", key, "o", "i", "c", "q", "w")
  local queue = queueOf(queueName(pid, record[2]))
  local owner = isLive(record[1]) and record[1]
  call("HDEL", key, "p", "f")
  count(why, -1)
  if why == "quarantined" then
    -- Where deaths were the reason, a person has seen to it: what is handled next has as many lives again.
    call("HDEL", key, "j")
    local head = call("LINDEX", queue .. "wait", -1)
    if head then
      call("HDEL", queue .. head, "stc", "bystander", "blame")
    end
  end
  if record[4] or call("EXISTS", queue .. "wait", queue .. "active", queue .. "prioritized") > 0 then
    if not owner and wasClaimedBy(record[3], record[1] or "") then
      call("HSET", key, "k", "2")
    end
    owner = owner or pickWorker(moduleOf(pid))
    call("HSET", key, "b", "1", "o", owner or "")
    giveTo(owner, pid)
  end
  local first = tonumber(record[5] or 0) > 0 and call("ZRANGE", queue .. "delayed", 0, 0, "WITHSCORES") or {}
  if first[2] then
    -- BullMQ's score: the due time in the upper bits, a counter in the lower twelve.
    noteDue(owner, pid, math.floor(tonumber(first[2]) / 4096), now)
  end
end
