--- The router in a test: real realm, broker, dealer, codecs and policy; no sockets, and a clock
-- that moves when told.
--
--   local testing <const> = require "nexus.testing"
--   local router = testing.router{ policy = "policy.lua" }
--   local alice = router:join{ authid = "alice", ticket = "wonder" }
--   assert(alice:call("com.acme.add", 1, 2) == 3)
--   router:advance(60)
--   router:close()
--
-- What asks the router something runs it until the answer is there. Time stands still meanwhile;
-- only when nothing else can happen any more it goes on, from one deadline to the next.
-- This file also runs inside of policies, so it uses nothing that they do not have.
-- SPDX-License-Identifier: MIT

local core <const> = require "nexus.testing_core"

local values <const> = core.values
local list <const>, dict <const> = values.list, values.dict

--- Seconds of the router's time that an answer may take.
local MAX_WAIT <const> = 3600
local MAX_ID <const> = 1 << 53

local HELLO <const>, WELCOME <const>, ABORT <const>, CHALLENGE <const> = 1, 2, 3, 4
local AUTHENTICATE <const>, GOODBYE <const>, ERROR <const> = 5, 6, 8
local PUBLISH <const>, PUBLISHED <const>, SUBSCRIBE <const>, SUBSCRIBED <const> = 16, 17, 32, 33
local UNSUBSCRIBE <const>, UNSUBSCRIBED <const>, EVENT <const> = 34, 35, 36
local CALL <const>, CANCEL <const>, RESULT <const> = 48, 49, 50
local REGISTER <const>, REGISTERED <const> = 64, 65
local UNREGISTER <const>, UNREGISTERED <const> = 66, 67
local INVOCATION <const>, INTERRUPT <const>, YIELD <const> = 68, 69, 70

---@class nexus.testing
---@field null any the wire's null
---@field later any what a handler returns that answers by itself, with call:yield or call:raise
local testing <const> = {
  null = values.null, list = list, dict = dict, bytes = values.bytes, type = values.type,
  public_key = core.public_key, later = {},
}

---- small things ----

local function fail(format, ...)
  error(format:format(...), 0)
end

local function check_keys(what, options, allowed)
  for key in pairs(options) do
    if not allowed[key] then
      local names = {}
      for name in pairs(allowed) do
        names[#names + 1] = name
      end
      table.sort(names)
      fail("%s: no such key \"%s\"; allowed: %s", what, tostring(key), table.concat(names, ", "))
    end
  end
end

local function set(...)
  local all = {}
  for _, name in ipairs { ... } do
    all[name] = true
  end
  return all
end

local function copy(from)
  local to = {}
  for key, value in pairs(from or {}) do
    to[key] = value
  end
  return to
end

--- Dicts of the protocol: an empty table is one, also when it came as a list.
local function options_of(options)
  return dict(copy(options))
end

---- errors of WAMP ----

---@class nexus.testing.Error
---@field uri string
---@field args any[]
---@field kwargs table
---@field message string? what the router or the policy says to people
local Error <const> = {}
Error.__index = Error
Error.__name = "nexus.testing.Error"

function Error:__tostring()
  return self.message and ("%s: %s"):format(self.uri, self.message) or self.uri
end

local function new_error(uri, args, kwargs, details)
  args, kwargs, details = args or {}, kwargs or {}, details or {}
  local message = details.message or kwargs.message or args[1]
  return setmetatable({ uri = uri, args = args, kwargs = kwargs, details = details,
    message = type(message) == "string" and message or nil }, Error)
end

--- An error for handlers of a test: `testing.raise("com.acme.error.sold_out", { 1 }, { n = 0 })`.
---@param uri string
---@param args any[]?
---@param kwargs table?
function testing.raise(uri, args, kwargs)
  error(new_error(uri, args, kwargs), 0)
end

local Result <const> = {}
Result.__index = Result

---@class nexus.testing.Result
---@field args any[]
---@field kwargs table
---@field details table

--- Both kinds of results, for handlers of a test.
---@param args any[]?
---@param kwargs table?
---@return nexus.testing.Result
function testing.result(args, kwargs)
  return setmetatable({ args = args or {}, kwargs = kwargs or {} }, Result)
end

---- sessions ----

---@class nexus.testing.Session
---@field id integer
---@field authid string
---@field authrole string
---@field authmethod string
---@field welcome table the details of WELCOME
---@field sent table[] the messages as they were sent
---@field received table[] the messages as they came
---@field open boolean
---@field reason string? why it is not open any more
local Session <const> = {}
Session.__index = Session

function Session:__tostring()
  return ("session %s (%s)"):format(self.id or "without id", self.authid or "nobody")
end

--- Sends a message as it is: `session:send{ 16, 1, {}, "com.acme.news" }`.
---@param message any[]
function Session:send(message)
  self.sent[#self.sent + 1] = message
  self.actor:send(message)
end

local function with_payload(message, args, kwargs)
  if args or kwargs then
    message[#message + 1] = list(copy(args))
  end
  if kwargs then
    message[#message + 1] = dict(copy(kwargs))
  end
  return message
end

local function next_request(session)
  session.last_request = session.last_request % MAX_ID + 1
  return session.last_request
end

---- what comes ----

local on_message <const> = {}

--- What waits for the answer to a request: a table with `answer`, once it is there.
local function expect(session, code, request)
  local waiting = {}
  session.waiting[code] = session.waiting[code] or {}
  session.waiting[code][request] = waiting
  return waiting
end

local function take(session, code, request)
  local of_code = session.waiting[code]
  local waiting = of_code and of_code[request]
  if waiting then
    of_code[request] = nil
  end
  return waiting
end

local function answer_with(code)
  return function(session, message)
    local waiting = take(session, code, message[2])
    if waiting then
      waiting.answer = message
    end
  end
end

on_message[PUBLISHED] = answer_with(PUBLISH)
on_message[SUBSCRIBED] = answer_with(SUBSCRIBE)
on_message[REGISTERED] = answer_with(REGISTER)

on_message[UNSUBSCRIBED] = function(session, message)
  local waiting = take(session, UNSUBSCRIBE, message[2])
  if waiting then
    waiting.answer = message
  elseif message[3] and message[3].subscription then -- revoked
    session.subscriptions[message[3].subscription] = nil
  end
end

on_message[UNREGISTERED] = function(session, message)
  local waiting = take(session, UNREGISTER, message[2])
  if waiting then
    waiting.answer = message
  elseif message[3] and message[3].registration then
    session.registrations[message[3].registration] = nil
  end
end

on_message[ERROR] = function(session, message)
  local waiting = take(session, message[2], message[3])
  if waiting then
    waiting.failure = new_error(message[5], message[6], message[7], message[4])
    waiting.answer = message
  end
end

local function first_message(session, message)
  session.greeting = message
end

on_message[WELCOME] = first_message
on_message[CHALLENGE] = first_message

local function on_end(session, message)
  session.greeting = message
  session.open = false
  session.reason = message[3]
  session.farewell = message[2]
end

on_message[ABORT] = on_end

on_message[GOODBYE] = function(session, message)
  local is_answer = session.is_leaving
  on_end(session, message)
  if not is_answer then
    session:send { GOODBYE, dict {}, "wamp.close.goodbye_and_out" }
  end
end

local function event_of(subscription, message)
  local details = message[4]
  return { topic = details.topic or subscription.topic, publication = message[3],
    args = message[5] or {}, kwargs = message[6] or {}, details = details,
    publisher = details.publisher, retained = details.retained or false }
end

on_message[EVENT] = function(session, message)
  for _, subscription in ipairs(session.subscriptions[message[2]] or {}) do
    if subscription.fn then
      subscription.fn(event_of(subscription, message))
    end
  end
end

on_message[RESULT] = function(session, message)
  local pending = session.calls[message[2]]
  if not pending then
    return
  end
  if message[3].progress then
    if pending.on_progress then
      pending.on_progress(table.unpack(message[4] or {}))
    end
    return
  end
  session.calls[message[2]] = nil
  take(session, CALL, message[2])
  pending.waiting.answer = message
end

---- handlers ----

---@class nexus.testing.Invocation
---@field args any[]
---@field kwargs table
---@field details table
---@field uri string
---@field interrupted string? the mode, when the call was canceled meanwhile
local Invocation <const> = {}
Invocation.__index = Invocation

--- Answers a call whose handler returned testing.later.
function Invocation:yield(...)
  self.session:send(with_payload({ YIELD, self.id, dict {} }, { ... }))
end

--- A progressive result.
function Invocation:progress(...)
  self.session:send(with_payload({ YIELD, self.id, dict { progress = true } }, { ... }))
end

--- Answers with an error.
---@param uri string
function Invocation:raise(uri, args, kwargs)
  self.session:send(with_payload({ ERROR, INVOCATION, self.id, dict {}, uri }, args, kwargs))
end

local function answer_call(invocation, ok, first, ...)
  if not ok then
    if getmetatable(first) == Error then
      invocation:raise(first.uri, first.args, first.kwargs)
    else
      invocation:raise("wamp.error.runtime_error", { tostring(first) })
    end
  elseif getmetatable(first) == Result then
    invocation.session:send(with_payload({ YIELD, invocation.id, dict {} }, first.args,
      first.kwargs))
  elseif first ~= testing.later then
    invocation:yield(first, ...)
  end
end

on_message[INVOCATION] = function(session, message)
  local registration = session.registrations[message[3]]
  local invocation = setmetatable({ session = session, id = message[2], details = message[4],
    args = message[5] or {}, kwargs = message[6] or {} }, Invocation)
  if not registration then -- it was removed meanwhile
    invocation:raise("wamp.error.no_such_procedure")
    return
  end
  invocation.uri = message[4].procedure or registration.uri
  session.invocations[message[2]] = invocation
  answer_call(invocation, pcall(registration.fn, invocation))
end

on_message[INTERRUPT] = function(session, message)
  local invocation = session.invocations[message[2]]
  if invocation then
    invocation.interrupted = message[3].mode or "killnowait"
    if invocation.on_interrupt then
      invocation.on_interrupt(invocation)
    end
  end
end

---- turning the router ----

---@class nexus.testing.Router
local Router <const> = {}
Router.__index = Router
Router.__name = "nexus.testing.Router"

--- Hands out what has come; true if there was anything.
local function deliver(router)
  local has_any = false
  for _, session in ipairs(copy(router.sessions)) do
    local message = session.actor:receive()
    while message do
      has_any = true
      session.received[#session.received + 1] = message
      local handle = on_message[message[1]]
      if handle then
        handle(session, message)
      end
      message = session.actor:receive()
    end
    if session.open and session.actor:is_closed() then
      session.open = false
    end
  end
  return has_any
end

--- Does everything that can be done at this time.
---@return nexus.testing.Router
function Router:run()
  repeat
    self.stage:turn()
  until not deliver(self)
  return self
end

--- Moves the clock on, and does on the way what its deadlines ask for.
---@param seconds number
---@return nexus.testing.Router
function Router:advance(seconds)
  local ends_at = self.stage:now() + seconds
  self:run()
  local next_in = self.stage:next()
  while next_in and self.stage:now() + next_in <= ends_at do
    self.stage:advance(next_in)
    self:run()
    next_in = self.stage:next()
  end
  if ends_at > self.stage:now() then
    self.stage:advance(ends_at - self.stage:now())
  end
  return self:run()
end

--- Runs until `is_done` says so; moves the clock when nothing else can happen.
local function await(router, what, is_done)
  local gives_up <const> = router.stage:now() + MAX_WAIT
  router:run()
  while not is_done() do
    local next_in = router.stage:next()
    if not next_in then
      fail("%s: no answer, and nothing is left that could happen", what)
    elseif router.stage:now() + next_in > gives_up then
      fail("%s: no answer in %d s", what, MAX_WAIT)
    end
    router.stage:advance(next_in)
    router:run()
  end
end

--- Waits for an answer; returns it, or nil and the error.
local function answer_of(session, what, waiting)
  await(session.router, what, function() return waiting.answer or not session.open end)
  if not waiting.answer then
    return nil, new_error(session.reason or "wamp.close.transport_lost", nil, nil,
      session.farewell)
  end
  if waiting.failure then
    return nil, waiting.failure
  end
  return waiting.answer
end

local function check_answer(answer, failure)
  if not answer then
    error(failure, 0)
  end
  return answer
end

---- publish and subscribe ----

--- Publishes; with `acknowledge` it waits, and returns the id or raises the error.
---@param topic string
---@param args any[]?
---@param kwargs table?
---@param options table? acknowledge, eligible_x, exclude_x, retain, ...
---@return integer?
function Session:publish(topic, args, kwargs, options)
  local request = next_request(self)
  local waiting = options and options.acknowledge and expect(self, PUBLISH, request)
  self:send(with_payload({ PUBLISH, request, options_of(options), topic }, args, kwargs))
  if waiting then
    return check_answer(answer_of(self, "publish " .. topic, waiting))[3]
  end
  self.router:run()
end

--- The same with `acknowledge`, and without raising: the id, or nil and the error.
---@return integer?, nexus.testing.Error?
function Session:try_publish(topic, args, kwargs, options)
  local all = copy(options)
  all.acknowledge = true
  local request = next_request(self)
  local waiting = expect(self, PUBLISH, request)
  self:send(with_payload({ PUBLISH, request, options_of(all), topic }, args, kwargs))
  local answer, failure = answer_of(self, "publish " .. topic, waiting)
  return answer and answer[3], failure
end

local Subscription <const> = {}
Subscription.__index = Subscription

---@class nexus.testing.Subscription
---@field id integer
---@field topic string

--- Without raising: the subscription, or nil and the error.
---@param topic string
---@param fn fun(event: table)
---@param options table? match, get_retained
function Session:try_subscribe(topic, fn, options)
  local request = next_request(self)
  local waiting = expect(self, SUBSCRIBE, request)
  local subscription = setmetatable({ session = self, topic = topic, fn = fn }, Subscription)
  -- Retained events may come in the same turn as the answer.
  on_message[SUBSCRIBED] = function(session, message)
    local mine = take(session, SUBSCRIBE, message[2])
    if mine then
      mine.answer = message
      if mine.subscription then
        local all = session.subscriptions[message[3]] or {}
        session.subscriptions[message[3]] = all
        all[#all + 1] = mine.subscription
      end
    end
  end
  waiting.subscription = subscription
  self:send { SUBSCRIBE, request, options_of(options), topic }
  local answer, failure = answer_of(self, "subscribe " .. topic, waiting)
  if not answer then
    return nil, failure
  end
  subscription.id = answer[3]
  return subscription
end

--- Calls fn with each event: { topic, publication, args, kwargs, details, publisher, retained }.
---@return nexus.testing.Subscription
function Session:subscribe(topic, fn, options)
  return check_answer(self:try_subscribe(topic, fn, options))
end

--- A list that grows with the events of a topic. `options.only = "args"` collects their arguments.
---@param topic string
---@param options table?
---@return table[]
function Session:collect(topic, options)
  local seen, all = {}, copy(options)
  local only = all.only
  all.only = nil
  self:subscribe(topic, function(event)
    seen[#seen + 1] = only and event[only] or event
  end, all)
  return seen
end

function Subscription:remove()
  local session, all = self.session, self.session.subscriptions[self.id] or {}
  for i, subscription in ipairs(all) do
    if subscription == self then
      table.remove(all, i)
    end
  end
  if #all > 0 or not session.open then
    return
  end
  session.subscriptions[self.id] = nil
  local request = next_request(session)
  local waiting = expect(session, UNSUBSCRIBE, request)
  session:send { UNSUBSCRIBE, request, self.id }
  check_answer(answer_of(session, "unsubscribe " .. self.topic, waiting))
end

---- calls ----

---@class nexus.testing.Pending
local Pending <const> = {}
Pending.__index = Pending

--- Begins a call and does not wait: `session:start_call(uri, ...)` or `start_call{ uri, args = }`.
---@return nexus.testing.Pending
function Session:start_call(uri, ...)
  local form = type(uri) == "table" and uri or { uri, args = { ... } }
  check_keys("call", form, set(1, "args", "kwargs", "options", "timeout", "on_progress"))
  local options, request = copy(form.options), next_request(self)
  options.timeout = form.timeout and math.floor(form.timeout * 1000) or options.timeout
  options.receive_progress = form.on_progress ~= nil or options.receive_progress
  local pending = setmetatable({ session = self, request = request, uri = form[1],
    on_progress = form.on_progress, waiting = expect(self, CALL, request) }, Pending)
  self.calls[request] = pending
  self:send(with_payload({ CALL, request, dict(options), form[1] }, form.args, form.kwargs))
  self.router:run()
  return pending
end

--- Cancels it: "skip", "kill" or "killnowait".
---@param mode string?
function Pending:cancel(mode)
  self.session:send { CANCEL, self.request, dict { mode = mode } }
  self.session.router:run()
end

--- True when the answer is there.
function Pending:is_done()
  return self.waiting.answer ~= nil
end

local function outcome(pending)
  local answer, failure = answer_of(pending.session, "call " .. pending.uri, pending.waiting)
  if not answer then
    return nil, failure
  end
  return setmetatable({ args = answer[4] or {}, kwargs = answer[5] or {}, details = answer[3] },
    Result)
end

--- Waits for the result; raises the error.
---@return nexus.testing.Result
function Pending:result()
  return check_answer(outcome(self))
end

--- Waits for the error; raises when there is a result instead.
---@return nexus.testing.Error
function Pending:error()
  local result, failure = outcome(self)
  if result then
    fail("call %s: there is a result, and no error", self.uri)
  end
  return failure
end

--- `session:call(uri, ...)` returns the positional results; `session:call{ uri, args = , kwargs = ,
-- timeout = , on_progress = }` a result with args and kwargs. Both raise the error of the call.
function Session:call(uri, ...)
  local result = self:start_call(uri, ...):result()
  if type(uri) == "table" then
    return result
  end
  return table.unpack(result.args)
end

--- true and the same results, or false and the error.
---@return boolean, any
function Session:try_call(uri, ...)
  local result, failure = outcome(self:start_call(uri, ...))
  if not result then
    return false, failure
  elseif type(uri) == "table" then
    return true, result
  end
  return true, table.unpack(result.args)
end

local Registration <const> = {}
Registration.__index = Registration

---@class nexus.testing.Registration
---@field id integer
---@field uri string

--- Without raising: the registration, or nil and the error.
---@param uri string
---@param fn fun(call: nexus.testing.Invocation): any
---@param options table? match, invoke, concurrency
function Session:try_register(uri, fn, options)
  local request = next_request(self)
  local waiting = expect(self, REGISTER, request)
  self:send { REGISTER, request, options_of(options), uri }
  local answer, failure = answer_of(self, "register " .. uri, waiting)
  if not answer then
    return nil, failure
  end
  local registration = setmetatable({ session = self, id = answer[3], uri = uri, fn = fn },
    Registration)
  self.registrations[answer[3]] = registration
  return registration
end

--- fn gets the call: { args, kwargs, details, uri }, with :progress(...); what it returns is the
-- result, what it raises (testing.raise) the error.
---@return nexus.testing.Registration
function Session:register(uri, fn, options)
  return check_answer(self:try_register(uri, fn, options))
end

function Registration:remove()
  local session, request = self.session, next_request(self.session)
  local waiting = expect(session, UNREGISTER, request)
  session.registrations[self.id] = nil
  session:send { UNREGISTER, request, self.id }
  check_answer(answer_of(session, "unregister " .. self.uri, waiting))
end

---- the end of a session ----

local function forget(session)
  for i, other in ipairs(session.router.sessions) do
    if other == session then
      table.remove(session.router.sessions, i)
      break
    end
  end
  session.actor:close()
  session.open = false
end

--- Says GOODBYE and waits for the answer.
---@param reason string?
function Session:leave(reason)
  if self.open then
    self.is_leaving = true
    self:send { GOODBYE, dict {}, reason or "wamp.close.close_realm" }
    await(self.router, "leave", function() return not self.open end)
  end
  forget(self)
  self.router:run()
end

--- Its connection breaks.
function Session:drop()
  forget(self)
  self.router:run()
end

---- logins ----

local function all_features(...)
  local features = {}
  for _, name in ipairs { ... } do
    features[name] = true
  end
  return { features = features }
end

local roles <const> = {
  publisher = all_features("subscriber_blackwhite_listing", "publisher_exclusion",
    "publisher_identification", "payload_passthru_mode"),
  subscriber = all_features("pattern_based_subscription", "publisher_identification",
    "publication_trustlevels", "subscription_revocation", "event_history",
    "payload_passthru_mode"),
  caller = all_features("caller_identification", "call_canceling", "call_timeout",
    "progressive_call_results", "progressive_call_invocations", "payload_passthru_mode"),
  callee = all_features("caller_identification", "call_trustlevels", "call_canceling",
    "call_timeout", "progressive_call_results", "progressive_call_invocations",
    "pattern_based_registration", "shared_registration", "registration_revocation",
    "payload_passthru_mode"),
}

--- The answer to a CHALLENGE of a method: signature, extra.
local proofs <const> = {}

function proofs.ticket(how)
  return how.ticket
end

function proofs.wampcra(how, extra)
  return core.cra(how.secret, extra.challenge, extra.salt, extra.iterations, extra.keylen)
end

function proofs.cryptosign(how, extra)
  return core.sign(how.key, extra.challenge)
end

local function escape(name)
  return (name:gsub("=", "=3D"):gsub(",", "=2C"))
end

proofs["wamp-scram"] = function(how, extra)
  local message = ("n=%s,r=%s,r=%s,s=%s,i=%d,c=biws,r=%s"):format(escape(how.authid), how.nonce,
    extra.nonce, extra.salt, extra.iterations, extra.nonce)
  local proof
  proof, how.server_signature = core.scram(how.password, message, extra.salt, extra.kdf,
    extra.iterations, extra.memory ~= testing.null and extra.memory or nil)
  return proof, { nonce = extra.nonce, channel_binding = testing.null }
end

--- What a credential is for.
local credentials <const> = {
  { "ticket", "ticket" }, { "secret", "wampcra" }, { "password", "wamp-scram" },
  { "key", "cryptosign" }, { "tls", "tls" },
}

local function method_of(how)
  if how.method then
    return how.method == "scram" and "wamp-scram" or how.method
  end
  for _, credential in ipairs(credentials) do
    if how[credential[1]] ~= nil then
      return credential[2]
    end
  end
  return "anonymous"
end

local join_keys <const> = set("authid", "authrole", "authextra", "ticket", "secret", "password",
  "key", "tls", "method", "methods", "authenticate", "agent", "roles", "hello", "realm",
  "serializer", "peer", "cookie")

local function authextra_of(how, method)
  local extra = copy(how.authextra)
  if method == "cryptosign" and how.key then
    extra.pubkey = extra.pubkey or core.public_key(how.key)
    extra.channel_binding = extra.channel_binding or testing.null
  elseif method == "wamp-scram" then
    how.nonce = core.random(16)
    extra.nonce = extra.nonce or how.nonce
    extra.channel_binding = extra.channel_binding or testing.null
  end
  return next(extra) and dict(extra) or nil
end

local function hello_of(how, method)
  local details = copy(how.hello)
  details.roles = how.roles or roles
  details.agent = how.agent
  details.authid, details.authrole = how.authid, how.authrole
  details.authmethods = list(how.methods or { method })
  details.authextra = authextra_of(how, method)
  return dict(details)
end

local function new_session(router, how)
  local session = setmetatable({
    router = router, sent = {}, received = {}, last_request = 0, open = true, waiting = {},
    subscriptions = {}, registrations = {}, calls = {}, invocations = {},
  }, Session)
  session.actor = router.stage:open { serializer = how.serializer, peer = how.peer,
    cookie = how.cookie, tls = how.tls }
  router.sessions[#router.sessions + 1] = session
  return session
end

local function await_greeting(session)
  await(session.router, "join", function() return session.greeting or not session.open end)
  local greeting = session.greeting
  session.greeting = nil
  return greeting or { ABORT, {}, "wamp.close.transport_lost" }
end

local function answer_challenge(session, how, greeting)
  local prove = how.authenticate and function(_, extra)
    return how.authenticate(extra, greeting[2])
  end or proofs[greeting[2]]
  if not prove then
    fail("join: a challenge by \"%s\" came, and there is no authenticate = function(extra)",
      greeting[2])
  end
  local signature, extra = prove(how, greeting[3])
  session:send { AUTHENTICATE, signature or "", options_of(extra) }
end

local function welcome(session, greeting)
  local details = greeting[3]
  session.id, session.welcome = greeting[2], details
  session.authid, session.authrole = details.authid, details.authrole
  session.authmethod, session.authprovider = details.authmethod, details.authprovider
  return session
end

local function finish_join(session, how)
  local greeting = await_greeting(session)
  while greeting[1] == CHALLENGE do
    answer_challenge(session, how, greeting)
    greeting = await_greeting(session)
  end
  if greeting[1] == WELCOME then
    return welcome(session, greeting)
  end
  forget(session)
  return nil, new_error(greeting[3], nil, nil, greeting[2])
end

--- Logs in, or returns nil and the error { uri, message }.
---@param how table see Router:join
---@return nexus.testing.Session?, nexus.testing.Error?
function Router:try_join(how)
  how = copy(how)
  check_keys("join", how, join_keys)
  local method = method_of(how)
  local session = new_session(self, how)
  session:send { HELLO, how.realm or self.realm, hello_of(how, method) }
  return finish_join(session, how)
end

--- Logs in as a client does, by messages: with ticket =, secret = (wampcra), password = (scram),
-- key = (cryptosign: the seed), tls = { subject = } or none of them (anonymous). A method of the
-- policy's own: method =, authenticate = function(extra) return signature, extra end. Besides:
-- authid, authrole, authextra, agent, roles, hello (more of HELLO), serializer ("msgpack", "json",
-- "cbor"), peer ("tcp4:192.0.2.1:4711"), cookie. Raises when it is refused.
---@param how table
---@return nexus.testing.Session
function Router:join(how)
  local session, failure = self:try_join(how)
  if not session then
    fail("join: %s", tostring(failure))
  end
  return session
end

local identity_keys <const> = set("authid", "authrole", "authmethod", "authprovider", "trustlevel")
local connection_keys <const> = set("serializer", "peer", "cookie", "tls", "roles", "agent")

--- A session without a login: authrole =, authid =, and attributes as the policy would give them.
---@param identity table
---@return nexus.testing.Session
function Router:session(identity)
  local given, how = { attributes = {}, authmethod = "testing", authid = "testing",
    authprovider = "testing" }, {}
  for key, value in pairs(identity) do
    local to = identity_keys[key] and given or connection_keys[key] and how or given.attributes
    to[key] = value
  end
  if not given.authrole then
    fail("session: authrole is missing")
  end
  given.attributes = dict(given.attributes)
  local session = new_session(self, how)
  local message = { HELLO, self.realm, hello_of(how, "testing") }
  session.sent[1] = message
  session.actor:send(message, given)
  local joined, failure = finish_join(session, how)
  if not joined then
    fail("session: %s", tostring(failure))
  end
  return joined
end

---- the router ----

--- The time of day that the router sees, in seconds since 1970; it begins with `now` of
-- testing.router.
---@return number
function Router:now()
  return self.stage:wall()
end

--- The seconds that the clock has gone on.
---@return number
function Router:elapsed()
  return self.stage:now() - self.began
end

--- What was logged since it began: { level = "error", id = "policy-failed", msg = , ... }.
---@param filter { level: string?, id: string?, msg: string? }? only lines that are like it
---@return table[]
function Router:log(filter)
  local lines = {}
  for _, line in ipairs(self.stage:log()) do
    local is_wanted = true
    for key, value in pairs(filter or {}) do
      local found = line[key]
      is_wanted = is_wanted and found ~= nil
        and (found == value or key == "msg" and found:find(value, 1, true) ~= nil)
    end
    if is_wanted then
      lines[#lines + 1] = line
    end
  end
  return lines
end

---- what a policy has ----

--- The value of a metric of the realm, or nil: the series with that name and all these labels.
-- Of a histogram there are name_count and name_sum.
---@param name string
---@param labels table<string, string>?
---@return number?
function Router:metric(name, labels)
  for line in self.stage:metrics():gmatch "[^\n]+" do
    local found, inside, number = line:match "^([%w_]+){?(.-)}? (%S+)$"
    local is_wanted = found == name
    for key, value in pairs(is_wanted and labels or {}) do
      is_wanted = is_wanted
        and ("," .. inside .. ","):find((",%s=\"%s\","):format(key, value), 1, true) ~= nil
    end
    if is_wanted then
      number = tonumber(number)
      return math.tointeger(number) or number
    end
  end
  return nil
end

--- A store of the policy: :get(key), :set(key, value, seconds) (nil deletes), :size() and
-- :keys(prefix).
---@param name string
function Router:kv(name)
  return self.stage:kv(name)
end

--- A database in the folder for data: :exec(sql, ...) returns how many rows changed, :row(sql, ...)
-- the first one or nil, :rows(sql, ...) a list. They do not wait.
---@param file string
function Router:sqlite(file)
  return self.stage:sqlite(file)
end

--- What nexus.http gets for a request, `"GET http://orders/17"`, until it is said again: a table
-- { status = , headers = , body = }, or a function of { method, url, headers, body } that returns
-- one. What nobody answers fails; the network is never asked.
---@param request string
---@param answer table|fun(request: table): table
function Router:answer_http(request, answer)
  if not self.web then
    local web = {}
    self.web = web
    self.stage:on_http(function(method, url, headers, body)
      local found = web[method .. " " .. url]
      if not found then
        fail("no router:answer_http for %s %s", method, url)
      elseif type(found) == "function" then
        return found { method = method, url = url, headers = headers, body = body }
      end
      return found
    end)
  end
  self.web[request] = answer
end

---- what is allowed ----

local requests <const> = { publish = PUBLISH, subscribe = SUBSCRIBE, call = CALL,
  register = REGISTER }

local function question_of(session, action, uri, options, args, kwargs)
  local code = requests[action]
  if not code then
    fail("found \"%s\"; allowed: publish, subscribe, call, register", tostring(action))
  end
  local message = { code, 1, options_of(options), uri }
  return session.id, action, uri, options and options.match,
    (code == PUBLISH or code == CALL) and with_payload(message, args, kwargs) or message
end

--- Whether a session may do something: true, or false and why. Nothing is done; where the rules
-- ask, policy.authorize is called.
---@param session nexus.testing.Session
---@param action "publish"|"subscribe"|"call"|"register"
---@param uri string
---@param options table? of the message: match, ...
---@param args any[]?
---@param kwargs table?
---@return boolean, string?
function Router:allows(session, action, uri, options, args, kwargs)
  return self.stage:allows(question_of(session, action, uri, options, args, kwargs))
end

--- The same in words: which rule decides, and which others it beats.
---@return string
function Router:explain(session, action, uri, options, args, kwargs)
  return self.stage:explain(question_of(session, action, uri, options, args, kwargs))
end

--- Reads the policy again, as the router does when its files have changed. What was wrong with it
-- is raised; the old one goes on then.
function Router:reload()
  local before <const> = #self:log()
  self.stage:reload()
  self:run()
  local lines <const> = self:log()
  for i = before + 1, #lines do
    if lines[i].id == "policy-reload-failed" then
      error(lines[i].msg, 0)
    end
  end
end

--- The folder for data that the policy has; it is removed by close.
---@return string
function Router:folder()
  return self.stage:folder()
end

--- Ends it: no GOODBYE, as nobody listens any more.
function Router:close()
  self.sessions = {}
  self.stage:close()
end

Router.__close = Router.close

local router_keys <const> = set("policy", "settings", "secrets", "realm", "now", "patience")

--- A router with one realm. Raises what is wrong with the policy, with file and line.
--   policy     file or folder of the policy; "open" for none
--   settings   nexus.config of the policy
--   secrets    name -> value
--   realm      its name, "realm1" if not given
--   now        when it begins, in seconds since 1970
--   patience   seconds of real time that anything may take, 10 if not given
---@param options table
---@return nexus.testing.Router
function testing.router(options)
  check_keys("router", options, router_keys)
  if type(options.policy) ~= "string" then
    fail("router: policy is missing: a file, a folder, or \"open\"")
  end
  local all = copy(options)
  all.now = nil
  all.wall = options.now and math.floor(options.now * 1000 + 0.5)
  return testing.adopt(core.new(all), options.realm or "realm1")
end

--- The router of policy.check, around a stage.
function testing.adopt(stage, realm)
  local router = setmetatable({ stage = stage, sessions = {}, realm = realm }, Router)
  router.began = stage:now()
  return router:run()
end

if core.capture_log then
  core.capture_log("info")
end

return testing
