local nexus <const> = require "nexus"

local policy <const> = nexus.policy{ api = 1, attributes = { org = "string" } }

-- Rules are data: they are compiled, and no Lua runs for them.
policy.roles = {
  guest = {
    { allow = "subscribe", uri = "com.example.news.**" },
  },
  member = { inherit = "guest",
    { allow = "call register", uri = "com.example.**" },
    { allow = "publish", uri = "com.example.org.{session.org}.**" },
    { deny = "*", uri = "com.example.admin.**" },
    { ask = "call", uri = "com.example.orders.{order}.**" },
  },
}

-- What is known of a member; the router asks for the ticket, and compares.
local members <const> = {
  alice = { authrole = "member", ticket = "wonderland", attributes = { org = "acme" } },
}

function policy.authenticate.ticket(hello)
  return members[hello.authid]
end

function policy.authenticate.anonymous()
  return { authrole = "guest" }
end

-- What the rules marked "ask".
function policy.authorize(request)
  return request.session:has("org", "acme") and request.params.order ~= "0"
    or nexus.deny{ message = "orders are for acme only" }
end

return policy
