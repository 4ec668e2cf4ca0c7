--- Logins of a test: HELLO, CHALLENGE, AUTHENTICATE, WELCOME.
-- SPDX-License-Identifier: MIT

local core <const> = require "nexus.testing_core"
local session_of <const> = require "nexus.testing.session"
local words <const> = require "nexus.testing.words"

local login <const> = {}

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

--- The answer to a words.CHALLENGE of a method: signature, extra.
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
    extra.iterations, extra.memory ~= words.null and extra.memory or nil)
  return proof, { nonce = extra.nonce, channel_binding = words.null }
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

local join_keys <const> = words.set("authid", "authrole", "authextra", "ticket", "secret",
  "password",
  "key", "tls", "method", "methods", "authenticate", "agent", "roles", "hello", "realm",
  "serializer", "peer", "cookie")

local function authextra_of(how, method)
  local extra = words.copy(how.authextra)
  if method == "cryptosign" and how.key then
    extra.pubkey = extra.pubkey or core.public_key(how.key)
    extra.channel_binding = extra.channel_binding or words.null
  elseif method == "wamp-scram" then
    how.nonce = core.random(16)
    extra.nonce = extra.nonce or how.nonce
    extra.channel_binding = extra.channel_binding or words.null
  end
  return next(extra) and words.dict(extra) or nil
end

local function hello_of(how, method)
  local details = words.copy(how.hello)
  details.roles = how.roles or roles
  details.agent = how.agent
  details.authid, details.authrole = how.authid, how.authrole
  details.authmethods = words.list(how.methods or { method })
  details.authextra = authextra_of(how, method)
  return words.dict(details)
end

local function await_greeting(session)
  session.router:await("join", function() return session.greeting or not session.open end)
  local greeting = session.greeting
  session.greeting = nil
  return greeting or { words.ABORT, {}, "wamp.close.transport_lost" }
end

local function answer_challenge(session, how, greeting)
  local prove = how.authenticate and function(_, extra)
    return how.authenticate(extra, greeting[2])
  end or proofs[greeting[2]]
  if not prove then
    words.fail("join: a challenge by \"%s\" came, and there is no authenticate = function(extra)",
      greeting[2])
  end
  local signature, extra = prove(how, greeting[3])
  session:send { words.AUTHENTICATE, signature or "", words.options_of(extra) }
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
  while greeting[1] == words.CHALLENGE do
    answer_challenge(session, how, greeting)
    greeting = await_greeting(session)
  end
  if greeting[1] == words.WELCOME then
    return welcome(session, greeting)
  end
  session_of.forget(session)
  return nil, words.error_from(session.router, greeting[3], nil, nil, greeting[2])
end

--- Logs in: the session, or nil and the error.
function login.try(router, how)
  how = words.copy(how)
  words.check_keys("join", how, join_keys)
  local method = method_of(how)
  local session = session_of.new(router, how)
  session:send { words.HELLO, how.realm or router.realm, hello_of(how, method) }
  return finish_join(session, how)
end

local identity_keys <const> = words.set("authid", "authrole", "authmethod", "authprovider",
  "trustlevel")
local connection_keys <const> = words.set("serializer", "peer", "cookie", "tls", "roles", "agent")

--- The same without a login: nobody asks the policy.
function login.give(router, identity)
  local given, how = { attributes = {}, authmethod = "testing", authid = "testing",
    authprovider = "testing" }, {}
  for key, value in pairs(identity) do
    local to = identity_keys[key] and given or connection_keys[key] and how or given.attributes
    to[key] = value
  end
  if not given.authrole then
    words.fail("session: authrole is missing")
  end
  given.attributes = words.dict(given.attributes)
  local session = session_of.new(router, how)
  local message = { words.HELLO, router.realm, hello_of(how, "testing") }
  session.sent[1] = message
  session.actor:send(message, given)
  return finish_join(session, how)
end

return login
