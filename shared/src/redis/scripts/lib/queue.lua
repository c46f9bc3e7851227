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

local function outcomeKey(id)
  return base .. "m:" .. id
end

-- Outcomes to tell, gathered per api session so that one commit sends one publication to each.
local replies = {}

local function settle(id, session, hash, keepMs, outcome)
  call("SET", outcomeKey(id), "o|" .. hash .. "|" .. outcome, "PX", keepMs)
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
