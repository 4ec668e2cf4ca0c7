--- A library: readers are in a database, anybody on this machine may look, who annoys is banned.
-- SPDX-License-Identifier: MIT
local nexus <const> = require "nexus"

local policy <const> = nexus.policy{
  api = 1,
  authmethods = { "ticket", "anonymous" },
  attributes = { branch = "string" },
}

local db <const> = nexus.sqlite "readers.db"
local bans <const> = nexus.kv("bans", { persist = true })

function policy.authenticate.ticket(hello)
  local reader <const> = db:row("SELECT card, kind, branch, ticket_hash, lapsed FROM readers"
    .. " WHERE card = ?", hello.authid)
  if not reader then return nil end
  if reader.lapsed == 1 then return nexus.deny{ message = "the card has lapsed" } end
  return { authid = reader.card, authrole = reader.kind, ticket_hash = reader.ticket_hash,
    attributes = { branch = reader.branch } }
end

function policy.authenticate.anonymous(hello)
  return hello.transport.ip == "127.0.0.1" and { authrole = "visitor" } or nil
end

function policy.admit(session)
  local why <const> = bans:get(session.authid)
  return why == nil or nexus.deny{ message = why }
end

function policy.on_join(session)
  nexus.metrics.counter("visits", { kind = session.authrole }):inc()
end

policy.roles.visitor = { { allow = "subscribe", uri = "com.library.news.**" } }
policy.roles.reader = {
  { allow = "call subscribe publish", uri = "com.library.**" },
  { deny = "*", uri = "com.library.desk.**" },
}
policy.roles.librarian = { inherit = "reader", { allow = "*", uri = "com.library.desk.**" } }

policy.procedures["com.library.desk.ban"] = function(call)
  local card <const>, why <const>, days <const> = call.args[1], call.args[2] or "banned",
    call.args[3] or 1
  bans:set(card, why, { ttl = days * 86400 })
  return nexus.realm:kill{ authid = card, reason = "com.library.close.banned", message = why }
end

return policy
