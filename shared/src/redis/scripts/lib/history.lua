-- The history of a process that somebody follows: `m` in its record says until when (ms), and then it lapses, stream and all.
-- Nobody following costs a commit one more field of the record that it reads anyway.
local MOST_ENTRIES = 500
local MOST_STATE = 65536

-- `fields` are those of one entry. A mark that has lapsed is taken away.
local function tellFollowers(record, pid, followed, now, fields)
  if now >= (tonumber(followed) or 0) then
    call("HDEL", record, "m")
    return
  end
  local key = base .. "history:" .. pid
  call("XADD", key, "MAXLEN", "~", MOST_ENTRIES, "*", unpack(fields))
  call("PEXPIREAT", key, followed)
  call("PUBLISH", root .. "history:" .. pid, "")
end
