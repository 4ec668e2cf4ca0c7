--- What the files of nexus.testing share: codes of messages, options, errors of WAMP.
-- SPDX-License-Identifier: MIT

local values <const> = require "nexus.testing_core".values

local words <const> = {
  HELLO = 1, WELCOME = 2, ABORT = 3, CHALLENGE = 4, AUTHENTICATE = 5, GOODBYE = 6, ERROR = 8,
  PUBLISH = 16, PUBLISHED = 17, SUBSCRIBE = 32, SUBSCRIBED = 33, UNSUBSCRIBE = 34,
  UNSUBSCRIBED = 35, EVENT = 36, CALL = 48, CANCEL = 49, RESULT = 50, REGISTER = 64,
  REGISTERED = 65, UNREGISTER = 66, UNREGISTERED = 67, INVOCATION = 68, INTERRUPT = 69,
  YIELD = 70,
  list = values.list, dict = values.dict, null = values.null,
}

---- small things ----

function words.fail(format, ...)
  error(format:format(...), 0)
end

function words.check_keys(what, options, allowed)
  for key in pairs(options) do
    if not allowed[key] then
      local names = {}
      for name in pairs(allowed) do
        names[#names + 1] = tostring(name)
      end
      table.sort(names)
      words.fail("%s: no such key \"%s\"; allowed: %s", what, tostring(key),
        table.concat(names, ", "))
    end
  end
end

function words.set(...)
  local all = {}
  for _, name in ipairs { ... } do
    all[name] = true
  end
  return all
end

function words.copy(from)
  local to = {}
  for key, value in pairs(from or {}) do
    to[key] = value
  end
  return to
end

--- Dicts of the protocol: an empty table is one, also when it came as a list.
function words.options_of(options)
  return words.dict(words.copy(options))
end

---- errors of WAMP ----

---@class nexus.testing.Error
---@field uri string
---@field args any[]
---@field kwargs table
---@field message string? what the router or the policy says to people
---@field cause string? what the policy raised, out of the log: clients are not told
local Error <const> = {}
words.Error = Error
Error.__index = Error
Error.__name = "nexus.testing.Error"

function Error:__tostring()
  local text <const> = self.message and ("%s: %s"):format(self.uri, self.message) or self.uri
  return self.cause and ("%s (%s)"):format(text, self.cause) or text
end

function words.new_error(uri, args, kwargs, details)
  args, kwargs, details = args or {}, kwargs or {}, details or {}
  local message = details.message or kwargs.message or args[1]
  return setmetatable({ uri = uri, args = args, kwargs = kwargs, details = details,
    message = type(message) == "string" and message or nil }, Error)
end

-- What a client gets when a policy fails.
local closed <const> = words.set("wamp.error.authentication_failed",
  "wamp.error.authorization_failed", "wamp.error.runtime_error")

--- An error that came from the router, with its cause.
function words.error_from(router, uri, args, kwargs, details)
  local err <const> = words.new_error(uri, args, kwargs, details)
  if closed[uri] then
    local failures <const> = router:log { id = "policy-failed", incident = err.kwargs.incident }
    err.cause = #failures > 0 and failures[#failures].msg or nil
  end
  return err
end

local Result <const> = {}
Result.__index = Result
words.Result = Result

---@class nexus.testing.Result
---@field args any[]
---@field kwargs table
---@field details table

--- Adds arguments to a message.
function words.with_payload(message, args, kwargs)
  if args or kwargs then
    message[#message + 1] = words.list(words.copy(args))
  end
  if kwargs then
    message[#message + 1] = words.dict(words.copy(kwargs))
  end
  return message
end

return words
