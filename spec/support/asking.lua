--- Realms that ask who comes in and who may do what, and whoever decides.
--
--   local r = router(asking.join { max_sessions = 5 })
--   local alice, question = asking.knock(r, { authid = "alice" })
--   asking.accept(r, question, { authrole = "user" })
--   local bob = asking.enter(r)
-- SPDX-License-Identifier: MIT
local core = require "core"
local luassert = require "luassert"

local asking = {}

--- Options of a router that asks about every HELLO, and more of them.
function asking.join(more)
  local options = { asks_join = true }
  for k, v in pairs(more or {}) do
    options[k] = v
  end
  return options
end

--- Says HELLO to a realm that asks; returns the peer and the question.
function asking.knock(r, details, options)
  local peer = r:open(options)
  local actions = peer:hello(details)
  local question = core.asked(actions)
  luassert.actions({ { peer, ask = core.any } }, actions)
  return peer, question
end

--- Decides that the peer comes in; `more` stands before what is usual.
function asking.accept(r, question, more)
  local decision = { question = question, verdict = "accept", authid = "alice", authrole = "user",
    authmethod = "ticket", authprovider = "static" }
  for k, v in pairs(more or {}) do
    decision[k] = v
  end
  return r:decide(decision)
end

--- Decides that the peer is challenged.
function asking.challenge(r, question, extra)
  return r:decide { question = question, verdict = "challenge", authmethod = "ticket",
    extra = extra or {} }
end

--- A session that somebody has let in, with the welcome it got.
function asking.enter(r, decision, details, options)
  local peer, question = asking.knock(r, details, options)
  for _, message in ipairs(peer:messages(asking.accept(r, question, decision))) do
    luassert.equal(core.WELCOME, message[1])
    peer.session, peer.welcome = message[2], message[3]
  end
  luassert.not_nil(peer.session)
  return peer
end

--- ABORT and the end; a question that is named is taken back.
function asking.aborted(peer, reason, words, question)
  local actions = {
    { peer, { core.ABORT, core.including { message = core.text(words or ".") }, reason } },
    { peer, closed = 1000 },
  }
  if question then
    actions[#actions + 1] = { peer, unask = question }
  end
  return actions
end

--- What a violation brings: the same as ever, and the question is of no interest any more.
function asking.violated(peer, question)
  local actions = core.violation(peer)
  if question then
    table.insert(actions, 2, { peer, unask = question })
  end
  return actions
end

--- How many session ids the core has claimed.
function asking.claimed(r)
  return (r.raw:claimed_ids())
end

--- Nothing is left of a session that came to nothing.
function asking.gone(r, question)
  luassert.equal(0, asking.claimed(r))
  luassert.is_nil(r:question(question))
  luassert.is_nil(r:wakes_in())
  luassert.equal(0, r:counters().sessions)
end

---- requests ----

--- Options of a router, and more of them: everything is allowed, but what begins with "ask." is
-- asked about and what begins with "no." is denied.
function asking.requests(more)
  local all = { rules = { { name = "anonymous", rules = {
    { effect = "allow", actions = "*", uri = "**" },
    { effect = "ask", actions = "*", uri = "ask.**" },
    { effect = "deny", actions = "*", uri = "no.**" },
  } } } }
  for k, v in pairs(more or {}) do
    all[k] = v
  end
  return all
end

--- Decides that the request is allowed.
function asking.allow(r, question, grant)
  return r:decide { question = question, verdict = "allow", grant = grant }
end

--- Decides that it is denied.
function asking.deny(r, question, reason, words)
  return r:decide { question = question, verdict = "deny", reason = reason, words = words }
end

--- The peer SUBSCRIBEs to what is asked about; returns the question.
function asking.subscribe(peer, uri, subscribe_options)
  local actions = peer:send { core.SUBSCRIBE, peer:next_request(), subscribe_options or {},
    uri or "ask.x" }
  luassert.actions({ { peer, ask = core.any } }, actions)
  return core.asked(actions)
end

--- The messages for this peer as their codes, an ERROR as its URI, in one line.
function asking.told(peer, actions)
  local all = {}
  for i, message in ipairs(peer:messages(actions)) do
    all[i] = message[1] == core.ERROR and message[5] or message[1]
  end
  return table.concat(all, " ")
end

--- How many questions there are among the actions.
function asking.count(actions)
  local count = 0
  for _, action in ipairs(actions) do
    count = count + (action.ask and 1 or 0)
  end
  return count
end

return asking
