--- Sessions of a test: publish, subscribe, call, register.
-- SPDX-License-Identifier: MIT

local words <const> = require "nexus.testing.words"

local MAX_ID <const> = 1 << 53

---- sessions ----

---@class nexus.testing.Session
---@field id integer
---@field authid string
---@field authrole string
---@field authmethod string
---@field welcome table the details of words.WELCOME
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

local function next_request(session)
  session.last_request = session.last_request % MAX_ID + 1
  return session.last_request
end

--- What waits for the answer to a request: a table with `answer`, once it is there.
local function expect(session, code, request)
  local waiting = {}
  session.waiting[code] = session.waiting[code] or {}
  session.waiting[code][request] = waiting
  return waiting
end

--- Waits for an answer; returns it, or nil and the error.
local function answer_of(session, what, waiting)
  session.router:await(what, function() return waiting.answer or not session.open end)
  if not waiting.answer then
    return nil, words.new_error(session.reason or "wamp.close.transport_lost", nil, nil,
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
  local waiting = options and options.acknowledge and expect(self, words.PUBLISH, request)
  local message = { words.PUBLISH, request, words.options_of(options), topic }
  self:send(words.with_payload(message, args, kwargs))
  if waiting then
    return check_answer(answer_of(self, "publish " .. topic, waiting))[3]
  end
  self.router:run()
end

--- The same with `acknowledge`, and without raising: the id, or nil and the error.
---@return integer?, nexus.testing.Error?
function Session:try_publish(topic, args, kwargs, options)
  local all = words.copy(options)
  all.acknowledge = true
  local request = next_request(self)
  local waiting = expect(self, words.PUBLISH, request)
  local message = { words.PUBLISH, request, words.options_of(all), topic }
  self:send(words.with_payload(message, args, kwargs))
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
  local waiting = expect(self, words.SUBSCRIBE, request)
  local subscription = setmetatable({ session = self, topic = topic, fn = fn }, Subscription)
  waiting.subscription = subscription
  self:send { words.SUBSCRIBE, request, words.options_of(options), topic }
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
  local seen, all = {}, words.copy(options)
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
  local waiting = expect(session, words.UNSUBSCRIBE, request)
  session:send { words.UNSUBSCRIBE, request, self.id }
  check_answer(answer_of(session, "unsubscribe " .. self.topic, waiting))
end

---- calls ----

---@class nexus.testing.Pending
local Pending <const> = {}
Pending.__index = Pending

local call_keys <const> = words.set(1, "args", "kwargs", "options", "timeout", "on_progress")

--- Begins a call and waits neither for its end nor for a database:
-- `session:start_call(uri, ...)` or `start_call{ uri, args = }`.
---@return nexus.testing.Pending
function Session:start_call(uri, ...)
  local form = type(uri) == "table" and uri or { uri, args = { ... } }
  words.check_keys("call", form, call_keys)
  local options, request = words.copy(form.options), next_request(self)
  options.timeout = form.timeout and math.floor(form.timeout * 1000) or options.timeout
  options.receive_progress = form.on_progress ~= nil or options.receive_progress
  local pending = setmetatable({ session = self, request = request, uri = form[1],
    on_progress = form.on_progress, waiting = expect(self, words.CALL, request) }, Pending)
  self.calls[request] = pending
  local message = { words.CALL, request, words.dict(options), form[1] }
  self:send(words.with_payload(message, form.args, form.kwargs))
  self.router:glance()
  return pending
end

--- Cancels it: "skip", "kill" or "killnowait".
---@param mode string?
function Pending:cancel(mode)
  self.session:send { words.CANCEL, self.request, words.dict { mode = mode } }
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
    words.Result)
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
    words.fail("call %s: there is a result, and no error", self.uri)
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
  local waiting = expect(self, words.REGISTER, request)
  self:send { words.REGISTER, request, words.options_of(options), uri }
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
  local waiting = expect(session, words.UNREGISTER, request)
  session.registrations[self.id] = nil
  session:send { words.UNREGISTER, request, self.id }
  check_answer(answer_of(session, "unregister " .. self.uri, waiting))
end

---- the end of a session ----

--- Takes it away from its router, as a connection that breaks.
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

--- Says words.GOODBYE and waits for the answer.
---@param reason string?
function Session:leave(reason)
  if self.open then
    self.is_leaving = true
    self:send { words.GOODBYE, words.dict {}, reason or "wamp.close.close_realm" }
    self.router:await("leave", function() return not self.open end)
  end
  forget(self)
  self.router:run()
end

--- Its connection breaks.
function Session:drop()
  forget(self)
  self.router:run()
end

local session_of <const> = { forget = forget }

--- A session that has not said anything yet. connection: serializer, peer, cookie, tls.
function session_of.new(router, connection)
  local session = setmetatable({
    router = router, sent = {}, received = {}, last_request = 0, open = true, waiting = {},
    subscriptions = {}, registrations = {}, calls = {}, invocations = {},
  }, Session)
  session.actor = router.stage:open { serializer = connection.serializer, peer = connection.peer,
    cookie = connection.cookie, tls = connection.tls }
  router.sessions[#router.sessions + 1] = session
  return session
end

return session_of
