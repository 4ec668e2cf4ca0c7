--- What comes to a session of a test: answers, events, invocations.
-- SPDX-License-Identifier: MIT

local words <const> = require "nexus.testing.words"

local inbox <const> = {
  later = {}, -- what a handler returns that answers by itself
}

---- what comes ----

local on_message <const> = {}

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

on_message[words.PUBLISHED] = answer_with(words.PUBLISH)
on_message[words.REGISTERED] = answer_with(words.REGISTER)

-- Retained events may come in the same turn as this answer.
on_message[words.SUBSCRIBED] = function(session, message)
  local waiting = take(session, words.SUBSCRIBE, message[2])
  if waiting then
    waiting.answer = message
    local all = session.subscriptions[message[3]] or {}
    session.subscriptions[message[3]] = all
    all[#all + 1] = waiting.subscription
  end
end

on_message[words.UNSUBSCRIBED] = function(session, message)
  local waiting = take(session, words.UNSUBSCRIBE, message[2])
  if waiting then
    waiting.answer = message
  elseif message[3] and message[3].subscription then -- revoked
    session.subscriptions[message[3].subscription] = nil
  end
end

on_message[words.UNREGISTERED] = function(session, message)
  local waiting = take(session, words.UNREGISTER, message[2])
  if waiting then
    waiting.answer = message
  elseif message[3] and message[3].registration then
    session.registrations[message[3].registration] = nil
  end
end

on_message[words.ERROR] = function(session, message)
  local waiting = take(session, message[2], message[3])
  if waiting then
    waiting.failure = words.error_from(session.router, message[5], message[6], message[7],
      message[4])
    waiting.answer = message
  end
end

local function first_message(session, message)
  session.greeting = message
end

on_message[words.WELCOME] = first_message
on_message[words.CHALLENGE] = first_message

local function on_end(session, message)
  session.greeting = message
  session.open = false
  session.reason = message[3]
  session.farewell = message[2]
end

on_message[words.ABORT] = on_end

on_message[words.GOODBYE] = function(session, message)
  local is_answer = session.is_leaving
  on_end(session, message)
  if not is_answer then
    session:send { words.GOODBYE, words.dict {}, "wamp.close.goodbye_and_out" }
  end
end

local function event_of(subscription, message)
  local details = message[4]
  return { topic = details.topic or subscription.topic, publication = message[3],
    args = message[5] or {}, kwargs = message[6] or {}, details = details,
    publisher = details.publisher, retained = details.retained or false }
end

on_message[words.EVENT] = function(session, message)
  for _, subscription in ipairs(session.subscriptions[message[2]] or {}) do
    if subscription.fn then
      subscription.fn(event_of(subscription, message))
    end
  end
end

on_message[words.RESULT] = function(session, message)
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
  take(session, words.CALL, message[2])
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

--- Answers a call whose handler returned inbox.later.
function Invocation:yield(...)
  self.session:send(words.with_payload({ words.YIELD, self.id, words.dict {} }, { ... }))
end

--- A progressive result.
function Invocation:progress(...)
  local options = words.dict { progress = true }
  self.session:send(words.with_payload({ words.YIELD, self.id, options }, { ... }))
end

--- Answers with an error.
---@param uri string
function Invocation:raise(uri, args, kwargs)
  local message = { words.ERROR, words.INVOCATION, self.id, words.dict {}, uri }
  self.session:send(words.with_payload(message, args, kwargs))
end

local function answer_call(invocation, ok, first, ...)
  if not ok then
    if getmetatable(first) == words.Error then
      invocation:raise(first.uri, first.args, first.kwargs)
    else
      invocation:raise("wamp.error.runtime_error", { tostring(first) })
    end
  elseif getmetatable(first) == words.Result then
    local message = { words.YIELD, invocation.id, words.dict {} }
    invocation.session:send(words.with_payload(message, first.args, first.kwargs))
  elseif first ~= inbox.later then
    invocation:yield(first, ...)
  end
end

on_message[words.INVOCATION] = function(session, message)
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

on_message[words.INTERRUPT] = function(session, message)
  local invocation = session.invocations[message[2]]
  if invocation then
    invocation.interrupted = message[3].mode or "killnowait"
    if invocation.on_interrupt then
      invocation.on_interrupt(invocation)
    end
  end
end

--- Takes a message; types that a client does not know are passed over.
function inbox.take(session, message)
  local handle = on_message[message[1]]
  if handle then
    handle(session, message)
  end
end

return inbox
