-- Who may log in, and by what; the records are made by `nexusd passwd`.
-- SPDX-License-Identifier: MIT
local nexus <const> = require "nexus"
local users <const> = require "users"
local policy <const> = nexus.policy{ api = 1 }

local methods <const> = { ticket = "ticket", plain = "wampcra", salted = "wampcra", argon = "scram",
  device = "cryptosign" }

for _, method in pairs(methods) do
  policy.authenticate[method] = function(hello)
    return methods[hello.authid] == method and users[hello.authid] or nil
  end
end

function policy.authenticate.tls(hello)
  return { authrole = "user", extra = { subject = hello.transport.tls.subject } }
end

function policy.authenticate.anonymous()
  return { authrole = "guest" }
end

policy.authenticate.cookie = true

policy.roles.user = { { allow = "call", uri = "wamp.session.count" } }
policy.roles.guest = {}
return policy
