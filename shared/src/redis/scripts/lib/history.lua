-- The history of a process that somebody follows: `m` in its record says until when (ms), and then it lapses, stream and all.
-- Nobody following costs a commit one more field of the record that it reads anyway.
local MOST_ENTRIES = 500
local MOST_STATE = 65536

local function isFollowed(followed, now)
  return followed and now < (tonumber(followed) or 0)
end

-- `fields` are those of one entry.
local function tellFollowers(pid, followed, fields)
  local key = base .. "history:" .. pid
  call("XADD", key, "MAXLEN", "~", MOST_ENTRIES, "*", unpack(fields))
  call("PEXPIREAT", key, followed)
  call("PUBLISH", root .. "history:" .. pid, "")
end
