--- A realm without sockets: what peers say goes in, what the core asks for comes out.
--
--   local router = core.router { codec = "cbor" }
--   local alice, bob = router:join(), router:join { roles = { caller = {} } }
--   local subscription = alice:subscribe "com.x"
--   assert.actions({
--     { alice, { EVENT, subscription, core.id, {}, { 1 } } },
--   }, bob:publish("com.x", { 1 }))
--
-- Every step returns a list of actions: { peer, message } for what is sent, { peer, joined = id },
-- { peer, released = true }, { peer, closed = code }, { peer, ask = id }, { peer, unask = id },
-- { peer, hold = true or false }. Notes for the log are in list.notes. Time stands still until
-- router:advance(ms), and questions wait for router:decide.
-- SPDX-License-Identifier: MIT
local core_module = require "core_module"
local luassert = require "luassert"
local busted = require "busted"
local matching = require "matching"
local value = require "value"

local core = {
  any = matching.any, rest = matching.rest, id = matching.id, text = matching.text,
  including = matching.including, capture = matching.capture, without = matching.without,
  list = value.list, null = value.null, binary = value.binary, show = value.show,
  unsigned = value.unsigned,
  check_message = core_module.check_message,
}

core.codecs = {
  json = require "json", msgpack = require "msgpack", cbor = require "cbor",
}
core.codec_names = { "json", "msgpack", "cbor" }

local codes = {
  HELLO = 1, WELCOME = 2, ABORT = 3, CHALLENGE = 4, AUTHENTICATE = 5, GOODBYE = 6, ERROR = 8,
  PUBLISH = 16, PUBLISHED = 17, SUBSCRIBE = 32, SUBSCRIBED = 33, UNSUBSCRIBE = 34,
  UNSUBSCRIBED = 35, EVENT = 36, CALL = 48, CANCEL = 49, RESULT = 50, REGISTER = 64,
  REGISTERED = 65, UNREGISTER = 66, UNREGISTERED = 67, INVOCATION = 68, INTERRUPT = 69, YIELD = 70,
  EVENT_RECEIVED = 337,
}
for name, code in pairs(codes) do
  core[name] = code
end

--- Every role with every feature that changes what the core does.
core.all_roles = {
  publisher = { features = { payload_passthru_mode = true } },
  subscriber = { features = {
    payload_transparency = true, publication_trustlevels = true, subscription_revocation = true,
  } },
  caller = { features = {
    payload_passthru_mode = true, payload_transparency = true,
    progressive_call_invocations = true,
  } },
  callee = { features = {
    payload_passthru_mode = true, payload_transparency = true, call_canceling = true,
    call_timeout = true, call_trustlevels = true, call_reroute = true,
    progressive_call_results = true, progressive_call_invocations = true,
    registration_revocation = true,
  } },
}

--- Every role, no feature.
core.plain_roles = { publisher = {}, subscriber = {}, caller = {}, callee = {} }

local function fail(format, ...)
  error(format:format(...), 0)
end

--- Roles of a callee (and caller) with just these features of a callee.
function core.callee(...)
  local features = {}
  for _, name in ipairs { ... } do
    features[name] = true
  end
  return { roles = { caller = {}, callee = { features = features } } }
end

--- Roles of a caller that may send input in chunks.
core.streamer = { roles = { caller = { features = { progressive_call_invocations = true } } } }

---- peers ----

local Peer = {}
Peer.__index = Peer

function Peer:__tostring()
  return "peer " .. self.id
end

local Router = {}
Router.__index = Router

local function decode_look(look)
  local decode = core.codecs[look.codec].decode
  look.details, look.vars = decode(look.details), look.vars and decode(look.vars)
  return look
end

local function read_actions(router, raw)
  local actions = { notes = {}, left = {} }
  for _, action in ipairs(raw) do
    local peer = router.peers[action.peer]
    if action.type == "note" then
      action[1], action[2], action.session = peer, action.kind, action.key
      actions.notes[#actions.notes + 1] = action
    elseif action.type == "left" then
      local left = action.look
      left.peer, left.reason = peer, action.reason
      actions.left[#actions.left + 1] = decode_look(left)
    elseif action.type == "send" then
      actions[#actions + 1] = { peer, peer.serializer.decode(action.bytes),
        kind = action.kind, key = action.key, bytes = action.bytes }
    elseif action.type == "close" then
      actions[#actions + 1] = { peer, closed = action.close_code, words = action.words }
    elseif action.type == "joined" or action.type == "ask" or action.type == "unask" then
      actions[#actions + 1] = { peer, [action.type] = action.key }
    elseif action.type == "admin" then
      actions[#actions + 1] = { peer, admin = action.key, by = action.by }
    elseif action.type == "hold" then
      actions[#actions + 1] = { peer, hold = action.kind == 1 }
    else
      actions[#actions + 1] = { peer, released = true }
    end
  end
  return actions
end

function core.router(options)
  options = options or {}
  local router = setmetatable({ peers = {}, codec = options.codec or "json" }, Router)
  router.raw = core_module.new(options)
  return router
end

--- A peer that has not said anything yet.
function Router:open(options)
  local all = { codec = self.codec }
  for k, v in pairs(options or {}) do
    all[k] = v
  end
  local id = self.raw:open(all)
  local peer = setmetatable({
    router = self, id = id, codec = all.codec, serializer = core.codecs[all.codec],
    last_request = 0,
  }, Peer)
  self.peers[id] = peer
  return peer
end

--- A peer with a session; `details` go into HELLO, `options` are those of open.
function Router:join(details, options)
  local peer = self:open(options)
  peer:hello(details)
  if not peer.session then
    fail("HELLO was not answered by WELCOME")
  end
  return peer
end

function Router:advance(ms)
  return read_actions(self, self.raw:advance(ms))
end

function Router:close_realm(reason)
  return read_actions(self, self.raw:close_realm(reason or "wamp.close.close_realm"))
end

--- Sets the wall clock, in milliseconds since 1970; option `wall` is where it starts.
function Router:set_wall(ms)
  self.raw:set_wall(ms)
end

local function decode_message(raw)
  if not raw then
    return nil
  end
  local decode = core.codecs[raw.codec].decode
  return {
    type = raw.type, id = raw.id, text = raw.text, dict = raw.dict and decode(raw.dict),
    args = raw.args and decode(raw.args), kwargs = raw.kwargs and decode(raw.kwargs),
  }
end

--- What a question says, or nil when it is not open.
function Router:question(id)
  local raw = self.raw:question(id)
  if raw then
    raw.peer = self.peers[raw.peer]
    raw.publisher = raw.publisher and decode_look(raw.publisher)
    raw.message, raw.hello = decode_message(raw.message), decode_message(raw.hello)
  end
  return raw
end

--- Answers a question: { question = id, verdict = "accept", authid = ..., ... }, with the fields of
-- struct decision; its dicts, and what a grant replaces, are encoded in `codec`, or MessagePack.
function Router:decide(decision)
  local all = { codec = "msgpack" }
  for k, v in pairs(decision) do
    all[k] = v
  end
  local encode, grant = core.codecs[all.codec].encode, {}
  for _, key in ipairs { "extra", "attributes", "kwargs" } do
    all[key] = all[key] and encode(value.dict(all[key]))
  end
  for k, v in pairs(all.grant or {}) do
    grant[k] = k == "args" and encode(value.list(v)) or
      (k == "kwargs" or k == "options") and encode(value.dict(v)) or v
  end
  all.grant = all.grant and grant
  return read_actions(self, self.raw:decide(all))
end

--- The policy of the realm is another one: { rules = ..., expose = ..., recheck = true }.
function Router:renew(policy)
  return read_actions(self, self.raw:renew(policy))
end

--- What the session of the peer holds is judged again; of all when there is none.
function Router:recheck(peer)
  return read_actions(self, self.raw:recheck(peer and peer.session or 0))
end

--- Sets attributes; returns the actions, and words and URI when it is refused.
function Router:set(peer, attributes, codec)
  codec = codec or "msgpack"
  local raw, words, uri = self.raw:set(peer.session, codec,
    core.codecs[codec].encode(value.dict(attributes)))
  return read_actions(self, raw), words, uri
end

--- True, or false and why.
function Router:set_vars(peer, vars, codec)
  codec = codec or "msgpack"
  return self.raw:set_vars(peer.session, codec, core.codecs[codec].encode(value.dict(vars)))
end

--- What was decided for sessions with that value of an attribute is forgotten; or everything.
function Router:forget(name, wanted)
  return read_actions(self, self.raw:forget(name, wanted))
end

--- Ends a session at the will of a policy.
function Router:finish(peer, reason, words, is_abort)
  return read_actions(self, self.raw:finish(peer.session, reason, words, is_abort))
end

--- What an administrator wanted is done: `done` is { count = n } or { error = uri, words = text };
-- its session is the peer's unless it says otherwise.
function Router:admin_done(peer, request, done)
  return read_actions(self, self.raw:admin_done(peer.id, done.session or peer.session, request,
    done.count or 0, done.error, done.words))
end

--- What a policy sees of the session, or nil.
function Router:look(peer)
  local look = self.raw:look(peer.session)
  if look then
    look.peer = self.peers[look.peer]
    return decode_look(look)
  end
end

--- "sessions", { authid = "bob" }; "subscribers", topic; "callees", uri; "retained", topic.
function Router:find(what, which)
  return self.raw:find(what, which)
end

--- The question that the actions ask, or nil.
function core.asked(actions)
  for _, action in ipairs(actions) do
    if action.ask then
      return action.ask
    end
  end
end

function Router:counters()
  return self.raw:counters()
end

function Router:wakes_in()
  return self.raw:wakes_in()
end

function Peer:send_octets(octets)
  return read_actions(self.router, self.router.raw:send(self.id, octets))
end

function Peer:send(message)
  return self:send_octets(self.serializer.encode(value.list(message)))
end

--- Its connection breaks.
function Peer:drop()
  return read_actions(self.router, self.router.raw:drop(self.id))
end

--- An INVOCATION did not fit into its queue.
function Peer:unsent(invocation)
  return read_actions(self.router, self.router.raw:unsent(self.id, invocation))
end

--- So many EVENTs did not fit into its queue.
function Peer:dropped(count)
  return read_actions(self.router, self.router.raw:dropped(self.id, count))
end

--- Says HELLO; on success the peer knows its session and welcome from then on.
function Peer:hello(details, realm)
  local all = { roles = core.plain_roles }
  for k, v in pairs(details or {}) do
    all[k] = v
  end
  local actions = self:send { codes.HELLO, realm == nil and "realm1" or realm, all }
  for _, action in ipairs(actions) do
    if action[1] == self and action[2] and action[2][1] == codes.WELCOME then
      self.session, self.welcome = action[2][2], action[2][3]
    end
  end
  self.last_request = 0
  return actions
end

function Peer:next_request()
  self.last_request = self.last_request + 1
  return self.last_request
end

--- The messages of a list of actions that go to this peer.
function Peer:messages(actions)
  local messages = {}
  for _, action in ipairs(actions) do
    if action[1] == self and action[2] then
      messages[#messages + 1] = action[2]
    end
  end
  return messages
end

local function answer(peer, actions, pattern)
  local messages = peer:messages(actions)
  local is_match, captures
  if messages[1] then
    is_match, captures = matching.match(value.list(pattern), messages[1])
  end
  if not is_match then
    fail("expected %s\n  but got %s", matching.show(pattern),
      messages[1] and value.show(messages[1]) or "nothing")
  end
  return captures[1]
end

local function with_payload(message, args, kwargs)
  if args or kwargs then
    message[#message + 1] = value.list(args or {})
  end
  if kwargs then
    message[#message + 1] = value.dict(kwargs)
  end
  return message
end

--- Returns the subscription's id.
function Peer:subscribe(topic, options)
  local request = self:next_request()
  return answer(self, self:send { codes.SUBSCRIBE, request, options or {}, topic },
    { codes.SUBSCRIBED, request, matching.id })
end

--- Returns the registration's id.
function Peer:register(procedure, options)
  local request = self:next_request()
  return answer(self, self:send { codes.REGISTER, request, options or {}, procedure },
    { codes.REGISTERED, request, matching.id })
end

function Peer:unsubscribe(subscription)
  return self:send { codes.UNSUBSCRIBE, self:next_request(), subscription }
end

function Peer:unregister(registration)
  return self:send { codes.UNREGISTER, self:next_request(), registration }
end

function Peer:publish(topic, args, kwargs, options)
  return self:send(with_payload(
    { codes.PUBLISH, self:next_request(), options or {}, topic }, args, kwargs))
end

--- Sends CALL; returns the actions. The request id is peer.last_request.
function Peer:call(procedure, args, kwargs, options)
  return self:send(with_payload(
    { codes.CALL, self:next_request(), options or {}, procedure }, args, kwargs))
end

--- One more chunk of the call with this request id.
function Peer:chunk(request, procedure, args, options)
  return self:send(with_payload({ codes.CALL, request, options or {}, procedure }, args))
end

function Peer:cancel(request, mode)
  return self:send { codes.CANCEL, request, { mode = mode } }
end

function Peer:yield(invocation, args, kwargs, options)
  return self:send(with_payload({ codes.YIELD, invocation, options or {} }, args, kwargs))
end

--- Answers an invocation with ERROR.
function Peer:refuse(invocation, uri, args, kwargs, details)
  return self:send(with_payload(
    { codes.ERROR, codes.INVOCATION, invocation, details or {}, uri }, args, kwargs))
end

--- The first EVENT, INVOCATION, ... of the actions for this peer, or nil.
function Peer:first(actions, code)
  for _, message in ipairs(self:messages(actions)) do
    if message[1] == code then
      return message
    end
  end
end

---- assert.actions(expected, actions) ----

local function show_action(action, show)
  local words = tostring(action[1]) .. " "
  if action[2] then
    return words .. show(action[2])
  elseif action.closed then
    return words .. "closed with " .. (type(action.closed) == "number" and action.closed or "any")
  end
  for _, key in ipairs { "ask", "unask", "hold" } do
    if action[key] ~= nil then
      return words .. key .. " " .. tostring(action[key])
    end
  end
  return words .. (action.joined and "joined" or "released")
end

local function show_all(actions, show)
  local lines = {}
  for i, action in ipairs(actions) do
    lines[i] = "    " .. show_action(action, show)
  end
  return #lines > 0 and table.concat(lines, "\n") or "    (nothing)"
end

local function is_same(expected, action)
  if expected[1] ~= action[1] then
    return false
  elseif expected[2] then
    return action[2] ~= nil and (matching.match(value.list(expected[2]), action[2]))
  elseif action[2] then
    return false
  end
  for _, key in ipairs { "closed", "joined", "released", "ask", "unask", "hold" } do
    local wanted = expected[key]
    local is_any = wanted == matching.any and action[key] ~= nil
    if not is_any and wanted ~= action[key] then
      return false
    end
  end
  return true
end

luassert:register("assertion", "actions", function(state, arguments)
  local expected, actions = arguments[1], arguments[2]
  local same = #expected == #actions
  for i = 1, same and #expected or 0 do
    same = same and is_same(expected[i], actions[i])
  end
  state.failure_message = ("expected\n%s\n  but got\n%s"):format(
    show_all(expected, matching.show), show_all(actions, value.show))
  return same
end)

--- The answer to what is no protocol: ABORT whose text contains `words`, then the end.
function core.violation(peer, words, code)
  local details = core.any
  if words then
    details = { message = matching.text(words) }
  end
  return {
    { peer, { codes.ABORT, details, "wamp.error.protocol_violation" } },
    { peer, closed = code or 1002 },
  }
end

--- ERROR for a request: an explanation may follow.
function core.failure(request_type, request, uri)
  return { codes.ERROR, request_type, request, {}, uri, matching.rest }
end

--- The actions without the EVENTs of the router itself, which a pattern may bring in.
function core.without_meta(actions)
  local rest = {}
  for _, action in ipairs(actions) do
    local message = action[2]
    local details = message and message[1] == codes.EVENT and message[4] or {}
    if not (details.topic or ""):find "^wamp%." then
      rest[#rest + 1] = action
    end
  end
  return rest
end

--- A describe block for each serializer; `body` gets a function that makes routers.
function core.describe(name, body)
  for _, codec in ipairs(core.codec_names) do
    busted.describe(("%s (%s):"):format(name, codec), function()
      body(function(options)
        local all = { codec = codec }
        for k, v in pairs(options or {}) do
          all[k] = v
        end
        return core.router(all)
      end, codec)
    end)
  end
end

return core
