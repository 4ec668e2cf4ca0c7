--- Thousands of random steps, each predicted by a model: who hears what, in which order.
--
-- NEXUS_SEED=n repeats the run that the name of a test gives the number of.
-- SPDX-License-Identifier: MIT
local core = require "core"
local core_model = require "core_model"
local matching = require "matching"

local STEPS, MOST_SESSIONS = 3000, 10
local random = math.random

local function pick(list)
  return list[random(#list)]
end

local function one_in(n)
  return random(n) == 1
end

---- random names ----

local function random_uri(is_pattern)
  if one_in(40) then
    return pick { "a..b", "a b", "#", "wamp", "wamp.x", ".", "a." }
  end
  local parts = {}
  for i = 1, random(3) do
    parts[i] = is_pattern and one_in(3) and "" or pick { "a", "b", "ab" }
  end
  return table.concat(parts, ".")
end

local function random_pattern()
  local match = pick { "exact", "prefix", "wildcard" }
  local uri = random_uri(match == "wildcard")
  if match == "prefix" and one_in(2) then
    uri = uri:sub(1, random(0, #uri))
  end
  return uri, match
end

---- one run ----

local Run = {}
Run.__index = Run

local function new_run(seed)
  math.randomseed(seed)
  return setmetatable({
    router = core.router { seed = seed }, model = core_model.new(), step = 0,
    released = {}, ids = {}, done = {},
  }, Run)
end

local function show_list(list, show)
  local words = {}
  for i, message in ipairs(list or {}) do
    words[i] = show(message)
  end
  words[#words + 1] = list and list.closed and "closed"
  words[#words + 1] = list and list.released and "released"
  return table.concat(words, ", ")
end

local function by_peer(actions)
  local got = {}
  for _, action in ipairs(actions) do
    local list = got[action[1]] or {}
    got[action[1]] = list
    list[#list + 1] = action[2]
    list.closed = list.closed or action.closed
    list.released = list.released or action.released
  end
  return got
end

--- Compares what peers received with what they should have; returns the captures of each.
function Run:compare(what, actions, want)
  local got, captures = by_peer(actions), {}
  local function check(peer)
    local wanted, found = want[peer] or {}, got[peer] or {}
    local same = #wanted == #found and wanted.closed == found.closed
      and wanted.released == found.released
    for i = 1, same and #wanted or 0 do
      local is_match, captured = matching.match(core.list(wanted[i]), found[i])
      same = same and is_match
      captures[peer] = captures[peer] or captured
    end
    if not same then
      error(("step %d, %s: %s should get\n  %s\nbut got\n  %s"):format(self.step, what, peer,
        show_list(wanted, matching.show), show_list(found, core.show)), 0)
    end
  end
  for peer in pairs(want) do
    check(peer)
  end
  for peer in pairs(got) do
    check(peer)
  end
  local counters, counts = self.router:counters(), self.model:counts()
  for name, count in pairs(counts) do
    if counters[name] ~= count then
      error(("step %d, %s: %s is %d, should be %d"):format(self.step, what, name,
        counters[name], count), 0)
    end
  end
  self.done[what] = (self.done[what] or 0) + 1
  return captures
end

function Run:session()
  return pick(self.model.sessions)
end

--- An id of a subscription or registration that was given out at some time, or none.
function Run:random_id()
  return #self.ids > 0 and not one_in(10) and pick(self.ids) or random(1, 1000)
end

function Run:learn(what, session, captures, entry)
  if entry then
    local id = captures[session.peer][1]
    if not self.model:learn(entry, id) then
      error(("step %d, %s: the id %d was used before"):format(self.step, what, id), 0)
    end
    self.ids[#self.ids + 1] = id
  end
end

---- steps ----

local steps = {}

function steps.join(run)
  if #run.model.sessions >= MOST_SESSIONS then
    return
  end
  local details = { roles = pick { core.all_roles, core.plain_roles },
    team = pick { false, "red", "blue" } or nil, level = pick { false, 1, 2 } or nil }
  local peer = #run.released > 0 and one_in(2) and table.remove(run.released, random(#run.released))
    or run.router:open { codec = pick(core.codec_names) }
  local actions = peer:hello(details)
  local want = run.model:join(peer, details)
  want[peer] = { { core.WELCOME, core.id, core.any } }
  run:compare("join", actions, want)
end

local function leave(name, send, own)
  return function(run)
    local session = run:session()
    local want = run.model:leave(session, { [session.peer] = own })
    run:compare(name, send(session.peer), want)
    if own and own.released then
      run.released[#run.released + 1] = session.peer
    end
  end
end

steps.goodbye = leave("goodbye", function(peer)
  return peer:send { core.GOODBYE, {}, "wamp.close.normal" }
end, { { core.GOODBYE, {}, "wamp.close.goodbye_and_out" }, released = true })

steps.abort = leave("abort", function(peer)
  return peer:send { core.ABORT, {}, "com.reason" }
end, { closed = 1000 })

steps.drop = leave("drop", function(peer) return peer:drop() end)

local bad_messages = {
  function() return { 99 } end,
  function() return { core.HELLO, "realm1", { roles = { caller = {} } } } end,
  function() return { core.SUBSCRIBE, 0, {}, "a" } end,
  function() return { core.SUBSCRIBE, 1, { match = "none" }, "a" } end,
  function() return { core.PUBLISH, 1, { eligible = 5 }, "a" } end,
  function() return { core.EVENT, 1, 1, {} } end,
  function(session) return { core.YIELD, session.last_invocation + 1, {} } end,
  function(session) return { core.ERROR, 68, session.last_invocation + 1, {}, "com.error" } end,
  function(session, model)
    for _, call in ipairs(model.calls) do
      if call.caller == session then
        return { core.CALL, call.request, {}, "a" }
      end
    end
    return { core.ERROR, core.CALL, 1, {}, "com.error" }
  end,
}

function steps.violate(run)
  local session = run:session()
  local message = pick(bad_messages)(session, run.model)
  local own = { { core.ABORT, core.any, "wamp.error.protocol_violation" }, closed = 1002 }
  local want = run.model:leave(session, { [session.peer] = own })
  run:compare("violate", session.peer:send(message), want)
end

function steps.subscribe(run)
  local session = run:session()
  local peer = session.peer
  local uri, match = random_pattern()
  local actions = peer:send { core.SUBSCRIBE, peer:next_request(), { match = match }, uri }
  local want, sub = run.model:subscribe(session, uri, match)
  run:learn("subscribe", session, run:compare("subscribe", actions, want), sub)
end

function steps.unsubscribe(run)
  local session, id = run:session(), run:random_id()
  local actions = session.peer:unsubscribe(id)
  run:compare("unsubscribe", actions, run.model:unsubscribe(session, id))
end

local function random_sessions(run)
  local ids = core.list { random(1, 100) }
  for _, session in ipairs(run.model.sessions) do
    ids[#ids + 1] = one_in(2) and session.peer.session or nil
  end
  return ids
end

local function random_filters(run, options)
  local side = pick { "eligible", "exclude" }
  options[side] = one_in(3) and random_sessions(run) or nil
  options[side .. "_team"] = one_in(3) and core.list { pick { "red", "green" } } or nil
  options[side .. "_level"] = one_in(3) and core.list { random(3), "1" } or nil
end

function steps.publish(run)
  local session, uri = run:session(), random_uri()
  local options = { acknowledge = one_in(2), exclude_me = not one_in(3) }
  if one_in(3) then
    random_filters(run, options)
  end
  local actions = session.peer:publish(uri, { run.step }, nil, options)
  run:compare("publish", actions, run.model:publish(session, uri, { run.step }, options))
  local publication
  for _, action in ipairs(actions) do
    if action[2][1] ~= core.ERROR then
      publication = publication or action[2][3]
      assert.equal(publication, action[2][3])
    end
  end
end

function steps.register(run)
  local session = run:session()
  local peer = session.peer
  local uri, match = random_pattern()
  if uri:find "^wamp" then
    return
  end
  local policy = pick { "single", "roundrobin", "random", "first", "last", "roundrobin" }
  local actions = peer:send { core.REGISTER, peer:next_request(),
    { match = match, invoke = policy }, uri }
  local want, reg = run.model:register(session, uri, match, policy)
  run:learn("register", session, run:compare("register", actions, want), reg)
end

function steps.unregister(run)
  local session, id = run:session(), run:random_id()
  local actions = session.peer:unregister(id)
  run:compare("unregister", actions, run.model:unregister(session, id))
end

function steps.call(run)
  local session, uri = run:session(), random_uri()
  local actions = session.peer:call(uri, { run.step })
  local chosen
  for _, other in ipairs(run.model.sessions) do
    chosen = other.peer:first(actions, core.INVOCATION) and other or chosen
  end
  run:compare("call", actions, run.model:call(session, uri, { run.step }, chosen))
end

--- A callee and an invocation of it, mostly one that waits, sometimes one that is over.
local function random_invocation(run)
  if #run.model.calls > 0 and not one_in(8) then
    local call = pick(run.model.calls)
    return call.callee, call.invocation
  end
  local session = run:session()
  return session, session.last_invocation > 0 and random(session.last_invocation)
end

function steps.yield(run)
  local callee, invocation = random_invocation(run)
  if invocation then
    local want = run.model:answer(callee, invocation, function(request)
      return { core.RESULT, request, {}, { run.step } }
    end)
    run:compare("yield", callee.peer:yield(invocation, { run.step }), want)
  end
end

function steps.refuse(run)
  local callee, invocation = random_invocation(run)
  if invocation then
    local want = run.model:answer(callee, invocation, function(request)
      return { core.ERROR, core.CALL, request, {}, "com.error", { run.step } }
    end)
    run:compare("refuse", callee.peer:refuse(invocation, "com.error", { run.step }), want)
  end
end

function steps.unsent(run)
  local callee, invocation = random_invocation(run)
  if invocation then
    local want = run.model:answer(callee, invocation, function(request)
      return core.failure(core.CALL, request, "wamp.error.network_failure")
    end)
    run:compare("unsent", callee.peer:unsent(invocation), want)
  end
end

local weights = { join = 6, goodbye = 1, abort = 1, drop = 1, violate = 1, subscribe = 12,
  unsubscribe = 6, publish = 24, register = 12, unregister = 5, call = 24, yield = 12, refuse = 4,
  unsent = 1 }

local names = {}
for name in pairs(weights) do
  names[#names + 1] = name
end
table.sort(names) -- the same seed must choose the same steps

local urn = {}
for _, name in ipairs(names) do
  for _ = 1, weights[name] do
    urn[#urn + 1] = name
  end
end

local function run_all(seed)
  local run = new_run(seed)
  for step = 1, STEPS do
    run.step = step
    local name = #run.model.sessions < 2 and "join" or pick(urn)
    steps[name](run)
  end
  for name in pairs(weights) do
    assert.is_true((run.done[name] or 0) > 0, "no step was " .. name)
  end
  while #run.model.sessions > 0 do
    run.step = run.step + 1
    steps[pick { "goodbye", "abort", "drop", "violate" }](run)
  end
  local counters = run.router:counters()
  for _, name in ipairs { "sessions", "subscriptions", "registrations", "pending_calls" } do
    assert.equal(0, counters[name], name)
  end
  assert.equal(0, (run.router.raw:claimed_ids()))
end

describe("Random steps go as the model says,", function()
  local seeds = { 1, 2, 3, os.time() }
  local wanted = tonumber(os.getenv "NEXUS_SEED" or "")
  for _, seed in ipairs(wanted and { wanted } or seeds) do
    it(("NEXUS_SEED=%d"):format(seed), function()
      run_all(seed)
    end)
  end
end)
