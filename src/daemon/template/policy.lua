--- Who may come in, and who may do what.
local nexus <const> = require "nexus"

local policy <const> = nexus.policy{ api = 1, attributes = { org = "string" } }

-- What each role may do. The most specific pattern wins; what no rule matches is denied.
policy.roles.guest = {
  { allow = "subscribe", uri = "com.example.news.**" },
}
policy.roles.user = { inherit = "guest",
  { allow = "call", uri = "com.example.**" },
  { allow = "publish subscribe", uri = "com.example.org.{session.org}.**" },
  { deny = "*", uri = "com.example.admin.**" },
}

-- Anybody may come in as a guest.
function policy.authenticate.anonymous()
  return { authrole = "guest" }
end

-- What is known of users. Tickets are better kept as hashes: nexusd passwd makes them.
local users <const> = {
  alice = { authrole = "user", ticket = "wonderland", attributes = { org = "acme" } },
}

function policy.authenticate.ticket(hello)
  return users[hello.authid]
end

policy.procedures["com.example.add"] = function(call)
  return call.args[1] + call.args[2]
end

-- Before this goes live: what must be so in any case.
function policy.check(t)
  local guest <const> = t:join{ method = "anonymous" }
  assert(not t:allows(guest, "call", "com.example.admin.reset"), "guests must not reset")
end

return policy
