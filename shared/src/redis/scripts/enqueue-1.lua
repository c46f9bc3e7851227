-- Accepts one message for a process, or says why not; lib/accept.lua says how. Where the module's first message starts
-- the process, it does.
--
-- Atomic because: between "is there a process, does it have room" and "the message is in" a stop could detach the
-- mailbox, and the message would lie where nobody looks; and of twenty first messages one may begin the process.
-- Caller dies or the answer is lost: the id is reserved by the same script that adds the job, so a repeat finds it
-- (`known`) and nothing is added twice. Owner dies: the next beat of any node moves its busy set elsewhere.
--
-- KEYS[1] the process record
-- ARGV base, pid, id, kind, envelope, hash, delayMs, mostMessages, mostBytes, needsWorker,
--      startId and startEnvelope where the first message starts the process, else ""
-- Returns {verdict, detail}: queued | known <q|hash|queue or o|hash|outcome> | no_process | mailbox_full | no_workers
--@include partition
--@include queue
--@include add
--@include fetch
--@include accept

local room = { tonumber(ARGV[8]), tonumber(ARGV[9]) }
local start = ARGV[11] ~= "" and { ARGV[11], ARGV[12] }
return accept(KEYS[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], tonumber(ARGV[7]), room, ARGV[10] == "1", start)
