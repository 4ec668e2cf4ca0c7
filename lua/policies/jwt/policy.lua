--- jwt: the ticket is a JSON Web Token, made by somebody else.
--
--   ["com.acme"] = {
--     policy = "jwt",
--     settings = {
--       alg = "EdDSA",                    -- or a list; what the tokens are signed with
--       issuer = "https://login.acme/",   -- of the tokens; not there: any
--       audience = "com.acme",            -- default: the name of the realm
--       role_claim = "role",              -- default
--       attributes = { org = "string" },  -- claims that become attributes of the session
--       leeway = 30,                      -- seconds by which clocks may differ; default 0
--       roles = { user = { { allow = "call subscribe", uri = "com.acme.**" } } },
--     },
--     secrets = { jwt_key = { file = "/etc/nexus/jwt.pem" } },  -- PEM, or the secret of HS256
--   },
--
-- Clients log in with the method ticket; `sub` is the authid, which a client may also leave out.
-- The session ends when the token does (`exp`, which has to be there).
-- SPDX-License-Identifier: MIT
local nexus <const> = require "nexus"

local config <const> = nexus.config
local role_claim <const> = config.role_claim or "role"

for _, name in ipairs{ "alg", "roles" } do
  if config[name] == nil then
    error(('policy "jwt": settings.%s is missing'):format(name), 0)
  end
end

--- What the settings say is read-only, and a policy's tables are its own.
local function copy(from)
  if type(from) ~= "table" then return from end
  local to = {}
  for key, value in pairs(from) do to[key] = copy(value) end
  return to
end

local policy <const> = nexus.policy{
  api = 1,
  authmethods = { "ticket" },
  attributes = copy(config.attributes),
  roles = copy(config.roles),
}

local function refuse(hello, why)
  nexus.log.info("token refused", { why = why, authid = hello.authid or "" })
end

policy.authenticate.ticket = {
  verify = function(hello, ticket)
    local claims <const>, why <const> = nexus.crypto.jwt(ticket, {
      alg = copy(config.alg), key = nexus.secret "jwt_key", issuer = config.issuer,
      audience = config.audience or hello.realm, leeway = config.leeway,
    })
    if not claims then return refuse(hello, why) end
    local name <const>, role <const> = claims.sub, claims[role_claim]
    if type(name) ~= "string" or name == "" or type(claims.exp) ~= "number" then
      return refuse(hello, "the token has no sub or no exp")
    elseif hello.authid and hello.authid ~= "" and hello.authid ~= name then
      return refuse(hello, "the token is somebody else's")
    elseif not policy.roles[role] then
      return refuse(hello, ("the token's %s is none of settings.roles"):format(role_claim))
    end
    local attributes <const> = {}
    for key in pairs(policy.attributes or {}) do attributes[key] = claims[key] end
    return { authid = name, authrole = role, authprovider = "jwt", attributes = attributes,
      expires = math.floor(claims.exp) }
  end,
}

return policy
