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
local inbox <const> = require "nexus.testing.inbox"
local login <const> = require "nexus.testing.login"
local words <const> = require "nexus.testing.words"

local values <const> = core.values

--- Seconds of the router's time that an answer may take.
local MAX_WAIT <const> = 3600

--- The same for anything that a policy may wait for.
local MAX_IDLE <const> = 2 * 86400

---@class nexus.testing
---@field null any the wire's null
---@field later any what a handler returns that answers by itself, with call:yield or call:raise
local testing <const> = {
  null = values.null, list = values.list, dict = values.dict, bytes = values.bytes,
  type = values.type,
  public_key = core.public_key, later = inbox.later,
}

--- An error for handlers of a test: `testing.raise("com.acme.error.sold_out", { 1 }, { n = 0 })`.
---@param uri string
---@param args any[]?
---@param kwargs table?
function testing.raise(uri, args, kwargs)
  error(words.new_error(uri, args, kwargs), 0)
end

--- Both kinds of results, for handlers of a test.
---@param args any[]?
---@param kwargs table?
---@return nexus.testing.Result
function testing.result(args, kwargs)
  return setmetatable({ args = args or {}, kwargs = kwargs or {} }, words.Result)
end

---- turning the router ----

---@class nexus.testing.Router
local Router <const> = {}
Router.__index = Router
Router.__name = "nexus.testing.Router"

--- Hands out what has come; true if there was anything.
local function deliver(router)
  local has_any = false
  for _, session in ipairs(words.copy(router.sessions)) do
    local message = session.actor:receive()
    while message do
      has_any = true
      session.received[#session.received + 1] = message
      inbox.take(session, message)
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

--- The same without waiting for what other threads do, such as databases.
---@return nexus.testing.Router
function Router:glance()
  repeat
    self.stage:glance()
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

--- Runs until `is_done` says so; moves the clock when nothing else can happen. Returns why that is
-- not enough, or nil.
local function turn_until(router, is_done, most)
  local gives_up <const> = router.stage:now() + most
  router:run()
  while not is_done() do
    local next_in = router.stage:next()
    if not next_in then
      return "no answer, and nothing is left that could happen"
    elseif router.stage:now() + next_in > gives_up then
      return ("no answer in %d s"):format(most)
    end
    router.stage:advance(next_in)
    router:run()
  end
end

--- Runs until `is_done` says so. Raises when that is too much to ask; `what` is for the words.
---@param what string
---@param is_done fun(): boolean
function Router:await(what, is_done)
  local trouble <const> = turn_until(self, is_done, MAX_WAIT)
  if trouble then
    words.fail("%s: %s", what, trouble)
  end
end

--- The same for code of a policy that waits, in policy.check and at the prompt.
---@param is_done fun(): boolean
function Router:idle(is_done)
  local trouble <const> = turn_until(self, is_done, MAX_IDLE)
  if trouble then
    words.fail("it waits for what does not come: %s", trouble)
  end
end

---- sessions ----

--- Logs in, or returns nil and the error { uri, message }.
---@param how table see Router:join
---@return nexus.testing.Session?, nexus.testing.Error?
function Router:try_join(how)
  return login.try(self, how)
end

--- Logs in as a client does, by messages: with ticket =, secret = (wampcra), password = (scram),
-- key = (cryptosign: the seed), tls = { subject = } or none of them (anonymous). A method of the
-- policy's own: method =, authenticate = function(extra) return signature, extra end. Besides:
-- authid, authrole, authextra, agent, roles, hello (more of HELLO), serializer ("msgpack",
-- "json", "cbor"), peer ("tcp4:192.0.2.1:4711"), cookie. Raises when it is refused.
---@param how table
---@return nexus.testing.Session
function Router:join(how)
  local session, failure = self:try_join(how)
  if not session then
    words.fail("join: %s", tostring(failure))
  end
  return session
end

--- A session without a login: authrole =, authid =, and attributes as the policy would give them.
---@param identity table
---@return nexus.testing.Session
function Router:session(identity)
  local session, failure = login.give(self, identity)
  if not session then
    words.fail("session: %s", tostring(failure))
  end
  return session
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

--- The value of a metric of the realm or the router, or nil: the series with that name and all
-- these labels, as the page /metrics has it. Of a histogram there are name_count and name_sum.
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

--- A store of the policy: :get(key), :words.set(key, value, seconds) (nil deletes), :size() and
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
        words.fail("no router:answer_http for %s %s", method, url)
      elseif type(found) == "function" then
        return found { method = method, url = url, headers = headers, body = body }
      end
      return found
    end)
  end
  self.web[request] = answer
end

---- what is allowed ----

local requests <const> = { publish = words.PUBLISH, subscribe = words.SUBSCRIBE, call = words.CALL,
  register = words.REGISTER }

local function question_of(session, action, uri, options, args, kwargs)
  local code = requests[action]
  if not code then
    words.fail("found \"%s\"; allowed: publish, subscribe, call, register", tostring(action))
  end
  local message = { code, 1, words.options_of(options), uri }
  if code == words.PUBLISH or code == words.CALL then
    words.with_payload(message, args, kwargs)
  end
  return session.id, action, uri, options and options.match, message
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

--- Ends it: no words.GOODBYE, as nobody listens any more.
function Router:close()
  self.sessions = {}
  self.stage:close()
end

Router.__close = Router.close

local router_keys <const> = words.set("policy", "settings", "secrets", "realm", "other_realms",
  "now", "patience")

--- A router with one realm. Raises what is wrong with the policy, with file and line.
--   policy     file or folder of the policy; "open" for none
--   settings   nexus.config of the policy
--   secrets    name -> value
--   realm      its name, "realm1" if not given
--   other_realms  names of more realms, for nexus.realm_named: everybody may do everything there,
--              and sessions join them by `realm`
--   now        when it begins, in seconds since 1970
--   patience   seconds of real time that anything may take, 10 if not given
---@param options table
---@return nexus.testing.Router
function testing.router(options)
  words.check_keys("router", options, router_keys)
  if type(options.policy) ~= "string" then
    words.fail("router: policy is missing: a file, a folder, or \"open\"")
  end
  local all = words.copy(options)
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
