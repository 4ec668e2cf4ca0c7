--- A router as a few Lua tables, to tell what a core must answer. Slow and simple on purpose.
--
-- Every method applies one step to the model and returns what each peer is to receive, as
-- { [peer] = { message pattern, ..., closed = code, released = true } }, messages in order.
-- SPDX-License-Identifier: MIT
local core = require "core"

local Model = {}
Model.__index = Model

local function new()
  return setmetatable({
    sessions = {},        -- list of { peer, team, level, can_cancel, last_invocation }
    subscriptions = {},   -- "match uri" -> { id, match, uri, members = { [session] = true } }
    registrations = {},   -- "match uri" -> { id, match, uri, policy, callees = list, cursor }
    calls = {},           -- list of { caller, request, callee, invocation }, oldest first
    seen = {},            -- ids of subscriptions and registrations that were given out
  }, Model)
end

---- URIs by definition ----

local function components(uri)
  local list = {}
  for component in (uri .. "."):gmatch "([^.]*)%." do
    list[#list + 1] = component
  end
  return list
end

local function matches(entry, uri)
  if entry.match == "exact" then
    return entry.uri == uri
  elseif entry.match == "prefix" then
    return uri:sub(1, #entry.uri) == entry.uri
  end
  local pattern, whole = components(entry.uri), components(uri)
  if #pattern ~= #whole then
    return false
  end
  for i, component in ipairs(pattern) do
    if component ~= "" and component ~= whole[i] then
      return false
    end
  end
  return true
end

local rank = { exact = 1, prefix = 2, wildcard = 3 }

--- True when a comes before b: the order in which events are sent.
local function is_before(a, b)
  if a.match ~= b.match then
    return rank[a.match] < rank[b.match]
  elseif a.match == "prefix" then
    return #a.uri > #b.uri
  end
  local left, right = components(a.uri), components(b.uri)
  for i = 1, #left do
    if (left[i] == "") ~= (right[i] == "") then
      return left[i] ~= ""
    end
  end
  return false
end

local function all_matching(entries, uri)
  local found = {}
  for _, entry in pairs(entries) do
    if matches(entry, uri) then
      found[#found + 1] = entry
    end
  end
  table.sort(found, is_before)
  return found
end

--- True when a prefix of the URI ends where a component does.
local function is_whole(prefix, uri)
  return prefix == "" or #prefix == #uri or prefix:sub(-1) == "."
    or uri:sub(#prefix + 1, #prefix + 1) == "."
end

--- Where a call goes: exact, the longest prefix, the first wildcard. A wildcard comes before
-- prefixes that all end inside a component.
local function best_matching(entries, uri)
  local found = all_matching(entries, uri)
  local best = found[1]
  if best and best.match == "prefix" then
    for _, entry in ipairs(found) do
      if entry.match == "prefix" and is_whole(entry.uri, uri) then
        return best
      elseif entry.match == "wildcard" then
        return entry
      end
    end
  end
  return best
end

local function is_valid(uri, match)
  if uri:find "[%s#]" then
    return false
  elseif match == "wildcard" then
    return true
  end
  local list = components(uri)
  for i, component in ipairs(list) do
    if component == "" and not (match == "prefix" and i == #list) then
      return false
    end
  end
  return true
end

local function is_reserved(uri)
  return uri == "wamp" or uri:sub(1, 5) == "wamp."
end

---- what is expected ----

local function expect(want, session, message)
  local list = want[session.peer] or {}
  want[session.peer] = list
  list[#list + 1] = message
  return want
end

local function failure(session, code, uri)
  return expect({}, session, core.failure(code, session.peer.last_request, uri))
end

--- The id in an answer: the one that is known, or one that was never given out.
local function id_of(entry)
  return core.capture(entry.id or core.id)
end

--- An answer gave this id to an entry.
function Model:learn(entry, id)
  if entry.id then
    return entry.id == id
  end
  local is_new = not self.seen[id]
  entry.id, self.seen[id] = id, true
  return is_new
end

---- meta events ----

--- A meta event reaches everybody whose subscription matches its topic, but not `leaving`.
function Model:tell(want, topic, args, leaving)
  for _, sub in ipairs(all_matching(self.subscriptions, topic)) do
    for session in pairs(sub.members) do
      if session ~= leaving then
        expect(want, session, { core.EVENT, sub.id or core.id, core.id,
          sub.match ~= "exact" and { topic = topic } or {}, core.list(args) })
      end
    end
  end
  return want
end

--- Tells of a member of a subscription or registration; nobody hears of reserved topics.
function Model:tell_entry(want, kind, verb, session, entry, leaving)
  if kind == "subscription" and is_reserved(entry.uri) then
    return want
  end
  local subject = entry.id or core.id
  if verb == "on_create" then
    subject = core.including { uri = entry.uri, match = entry.match, invoke = entry.policy }
  end
  return self:tell(want, ("wamp.%s.%s"):format(kind, verb), { session.peer.session, subject },
    leaving)
end

---- sessions ----

--- Returns what the others hear of it.
function Model:join(peer, details)
  local session = { peer = peer, team = details.team, level = details.level,
    can_cancel = details.roles == core.all_roles, last_invocation = 0 }
  self.sessions[#self.sessions + 1] = session
  return self:tell({}, "wamp.session.on_join", { core.including { session = peer.session } })
end

local function without(list, is_gone)
  local rest = {}
  for _, item in ipairs(list) do
    if not is_gone(item) then
      rest[#rest + 1] = item
    end
  end
  return rest
end

--- The entries in which `is_member` finds the session, in ascending order of their ids.
local function entries_of(entries, is_member)
  local found = {}
  for _, entry in pairs(entries) do
    if is_member(entry) then
      found[#found + 1] = entry
    end
  end
  table.sort(found, function(a, b) return a.id < b.id end)
  return found
end

local function has(list, value)
  for _, item in ipairs(list) do
    if item == value then
      return true
    end
  end
  return false
end

--- Subscriptions and registrations of a session that ends.
function Model:let_go(session, want)
  for _, sub in ipairs(entries_of(self.subscriptions,
    function(sub) return sub.members[session] end)) do
    self:detach_member(sub, session, want, session)
  end
  for _, reg in ipairs(entries_of(self.registrations,
    function(reg) return has(reg.callees, session) end)) do
    self:detach_callee(reg, session, want, session)
  end
end

--- The session ends; what others hear of it is added to `want`.
function Model:leave(session, want)
  self:let_go(session, want)
  for _, call in ipairs(self.calls) do
    if call.callee == session and call.caller ~= session then
      expect(want, call.caller, { core.ERROR, core.CALL, call.request, {}, "wamp.error.canceled",
        { "callee gone" } })
    end
  end
  for _, call in ipairs(self.calls) do
    if call.caller == session and call.callee ~= session and call.callee.can_cancel then
      expect(want, call.callee, { core.INTERRUPT, call.invocation,
        { mode = "killnowait", reason = "wamp.error.canceled" } })
    end
  end
  self.calls = without(self.calls, function(call)
    return call.caller == session or call.callee == session
  end)
  self.sessions = without(self.sessions, function(other) return other == session end)
  return self:tell(want, "wamp.session.on_leave",
    { session.peer.session, core.text "^[%w-]+$", "anonymous" })
end

---- broker ----

local function key_of(match, uri)
  return match .. " " .. uri
end

function Model:subscribe(session, uri, match)
  if not is_valid(uri, match) then
    return failure(session, core.SUBSCRIBE, "wamp.error.invalid_uri")
  end
  local key = key_of(match, uri)
  local sub = self.subscriptions[key] or { match = match, uri = uri, members = {} }
  local want = expect({}, session, { core.SUBSCRIBED, session.peer.last_request, id_of(sub) })
  local is_new, is_member = not self.subscriptions[key], sub.members[session]
  self.subscriptions[key] = sub
  sub.members[session] = true
  if is_new then
    self:tell_entry(want, "subscription", "on_create", session, sub)
  end
  if not is_member then
    self:tell_entry(want, "subscription", "on_subscribe", session, sub)
  end
  return want, sub
end

--- Takes a member out, and the subscription when it was the last.
function Model:detach_member(sub, session, want, leaving)
  sub.members[session] = nil
  self:tell_entry(want, "subscription", "on_unsubscribe", session, sub, leaving)
  if next(sub.members) == nil then
    self.subscriptions[key_of(sub.match, sub.uri)] = nil
    self:tell_entry(want, "subscription", "on_delete", session, sub, leaving)
  end
  return want
end

function Model:unsubscribe(session, id)
  for _, sub in pairs(self.subscriptions) do
    if sub.id == id and sub.members[session] then
      local want = expect({}, session, { core.UNSUBSCRIBED, session.peer.last_request })
      return self:detach_member(sub, session, want)
    end
  end
  return failure(session, core.UNSUBSCRIBE, "wamp.error.no_such_subscription")
end

local function may_hear(session, publisher, options)
  if session == publisher and options.exclude_me ~= false then
    return false
  end
  local attributes = { [""] = session.peer.session, _team = session.team, _level = session.level }
  for _, name in ipairs { "", "_team", "_level" } do
    local eligible, exclude = options["eligible" .. name], options["exclude" .. name]
    if eligible and not has(eligible, attributes[name])
      or exclude and has(exclude, attributes[name]) then
      return false
    end
  end
  return true
end

function Model:publish(publisher, uri, args, options)
  if not is_valid(uri, "exact") or is_reserved(uri) then
    if options.acknowledge then
      return failure(publisher, core.PUBLISH, "wamp.error.invalid_uri")
    end
    return {}
  end
  local want = {}
  if options.acknowledge then
    expect(want, publisher, { core.PUBLISHED, publisher.peer.last_request, core.id })
  end
  for _, sub in ipairs(all_matching(self.subscriptions, uri)) do
    for session in pairs(sub.members) do
      if may_hear(session, publisher, options) then
        expect(want, session, { core.EVENT, sub.id, core.id,
          sub.match ~= "exact" and { topic = uri } or {}, args })
      end
    end
  end
  return want
end

---- dealer ----

function Model:register(session, uri, match, policy)
  local key = key_of(match, uri)
  local reg = self.registrations[key]
  if not is_valid(uri, match) then
    return failure(session, core.REGISTER, "wamp.error.invalid_uri")
  elseif reg and (reg.policy == "single" or reg.policy ~= policy) then
    return failure(session, core.REGISTER, "wamp.error.procedure_already_exists")
  end
  local is_new = reg == nil
  reg = reg or { match = match, uri = uri, policy = policy, callees = {}, cursor = 1 }
  local want = expect({}, session, { core.REGISTERED, session.peer.last_request, id_of(reg) })
  self.registrations[key] = reg
  if is_new then
    self:tell_entry(want, "registration", "on_create", session, reg)
  end
  if not has(reg.callees, session) then
    reg.callees[#reg.callees + 1] = session
    self:tell_entry(want, "registration", "on_register", session, reg)
  end
  return want, reg
end

--- Takes a callee out, and the registration when it was the last.
function Model:detach(reg, session)
  for i, callee in ipairs(reg.callees) do
    if callee == session then
      table.remove(reg.callees, i)
      if i < reg.cursor then
        reg.cursor = reg.cursor - 1
      end
      if #reg.callees == 0 then
        self.registrations[key_of(reg.match, reg.uri)] = nil
      end
      return
    end
  end
end

--- The same, and tells of it.
function Model:detach_callee(reg, session, want, leaving)
  self:detach(reg, session)
  self:tell_entry(want, "registration", "on_unregister", session, reg, leaving)
  if #reg.callees == 0 then
    self:tell_entry(want, "registration", "on_delete", session, reg, leaving)
  end
  return want
end

function Model:unregister(session, id)
  for _, reg in pairs(self.registrations) do
    if reg.id == id and has(reg.callees, session) then
      local want = expect({}, session, { core.UNREGISTERED, session.peer.last_request })
      return self:detach_callee(reg, session, want)
    end
  end
  return failure(session, core.UNREGISTER, "wamp.error.no_such_registration")
end

--- `chosen` is the session that was invoked, for where it is left to chance.
local function choose(reg, chosen)
  if reg.policy == "random" then
    return has(reg.callees, chosen) and chosen or reg.callees[1]
  elseif reg.policy == "last" then
    return reg.callees[#reg.callees]
  elseif reg.policy == "roundrobin" then
    local turn = reg.cursor > #reg.callees and 1 or reg.cursor
    reg.cursor = turn + 1
    return reg.callees[turn]
  end
  return reg.callees[1]
end

function Model:call(caller, uri, args, chosen)
  if not is_valid(uri, "exact") then
    return failure(caller, core.CALL, "wamp.error.invalid_uri")
  end
  local reg = not is_reserved(uri) and best_matching(self.registrations, uri)
  if not reg then
    return failure(caller, core.CALL, "wamp.error.no_such_procedure")
  end
  local callee = choose(reg, chosen)
  callee.last_invocation = callee.last_invocation + 1
  self.calls[#self.calls + 1] = { caller = caller, request = caller.peer.last_request,
    callee = callee, invocation = callee.last_invocation }
  return expect({}, callee, { core.INVOCATION, callee.last_invocation, reg.id,
    reg.match ~= "exact" and { procedure = uri } or {}, args })
end

function Model:find_call(callee, invocation)
  for i, call in ipairs(self.calls) do
    if call.callee == callee and call.invocation == invocation then
      return call, i
    end
  end
end

--- The answer of a callee, or of the queue that did not take the invocation: `answer` gets the
-- request id and returns the message for the caller.
function Model:answer(callee, invocation, answer)
  local call, i = self:find_call(callee, invocation)
  if not call then
    return {}
  end
  table.remove(self.calls, i)
  return expect({}, call.caller, answer(call.request))
end

function Model:counts()
  local counts = { sessions = #self.sessions, pending_calls = #self.calls,
    subscriptions = 0, registrations = 0 }
  for _ in pairs(self.subscriptions) do
    counts.subscriptions = counts.subscriptions + 1
  end
  for _ in pairs(self.registrations) do
    counts.registrations = counts.registrations + 1
  end
  return counts
end

return { new = new }
