--- Asks the meta procedures of a core, and reads its meta events.
--
--   assert.equal(2, meta.one(alice, "wamp.session.count"))
--   meta.refused(alice, "wamp.error.invalid_argument", "wamp.session.get")
--   local watcher = meta.watch(router, { "wamp.session.on_leave" })
--   assert.like({ session = core.id }, (meta.one(alice, "wamp.session.get", { id })))
--   assert.heard({ { "wamp.session.on_leave", id, core.any, "anonymous" } }, watcher, bob:drop())
--
-- SPDX-License-Identifier: MIT
local core = require "core"
local luassert = require "luassert"
local matching = require "matching"
local value = require "value"

local meta = {}

meta.invalid_argument = "wamp.error.invalid_argument"
meta.invalid_uri = "wamp.error.invalid_uri"
meta.no_such_session = "wamp.error.no_such_session"
meta.no_such_subscription = "wamp.error.no_such_subscription"
meta.no_such_registration = "wamp.error.no_such_registration"
meta.no_such_procedure = "wamp.error.no_such_procedure"
meta.not_authorized = "wamp.error.not_authorized"

--- Values that are no id: of the wrong type, or integers outside of 1 to 2^53.
meta.no_ids = {
  core.null, true, "1", "", 1.5, 0, -1, (1 << 53) + 1, core.unsigned(-1), core.list {},
  core.list { 1 }, {}, core.binary "\1",
}

--- Values that are no text.
meta.no_texts = { core.null, false, 0, 7, 1.5, core.list {}, core.list { "com.x" }, {} }

--- Texts that are no URI in the loose grammar.
meta.no_uris = { "", "com..x", ".com", "com.", "com.a b", "com.#", "com.x\n" }

meta.topics = {
  session = { "wamp.session.on_join", "wamp.session.on_leave" },
  subscription = { "wamp.subscription.on_create", "wamp.subscription.on_subscribe",
    "wamp.subscription.on_unsubscribe", "wamp.subscription.on_delete" },
  registration = { "wamp.registration.on_create", "wamp.registration.on_register",
    "wamp.registration.on_unregister", "wamp.registration.on_delete" },
}

--- All topics of the three APIs.
meta.topics.all = {}
for _, name in ipairs { "session", "subscription", "registration" } do
  table.move(meta.topics[name], 1, #meta.topics[name], #meta.topics.all + 1, meta.topics.all)
end

local function fail(format, ...)
  error(format:format(...), 0)
end

local function shown(peer, actions)
  local words = {}
  for i, message in ipairs(peer:messages(actions)) do
    words[i] = value.show(message)
  end
  return #words > 0 and table.concat(words, "\n    ") or "nothing"
end

--- Calls; the one RESULT that answers, without details and without empty lists at its end.
-- Returns Arguments (an empty list when there are none) and all actions.
function meta.ask(peer, procedure, args, kwargs, options)
  local actions = peer:call(procedure, args, kwargs, options)
  local result = peer:first(actions, core.RESULT)
  local is_good = result ~= nil and result[2] == peer.last_request
    and value.same(result[3], value.dict {}) and #result <= 4
    and (#result == 3 or value.kind(result[4]) == "list" and #result[4] > 0)
  if not is_good or peer:first(actions, core.ERROR) then
    fail("expected a RESULT of %s\n  but got\n    %s", procedure, shown(peer, actions))
  end
  return result[4] or value.list {}, actions
end

--- The only result, and all actions.
function meta.one(peer, procedure, args, kwargs, options)
  local results, actions = meta.ask(peer, procedure, args, kwargs, options)
  if #results ~= 1 then
    fail("expected one result of %s, but got %s", procedure, value.show(results))
  end
  return results[1], actions
end

--- The only result, a list, sorted.
function meta.sorted(...)
  local all = meta.one(...)
  table.sort(all)
  return all
end

--- Calls what has no result; returns all actions.
function meta.done(peer, procedure, args, kwargs)
  local results, actions = meta.ask(peer, procedure, args, kwargs)
  if #results ~= 0 then
    fail("expected no result of %s, but got %s", procedure, value.show(results))
  end
  return actions
end

--- Calls what must be answered with this ERROR, one text as its only argument, and nothing else.
-- Returns the text.
function meta.refused(peer, uri, procedure, args, kwargs)
  local actions = peer:call(procedure, args, kwargs)
  local pattern = value.list { core.ERROR, core.CALL, peer.last_request, {}, uri,
    { core.capture(core.text ".") } }
  local is_match, captures = matching.match(pattern, actions[1] and actions[1][2] or core.null)
  if not is_match or #actions ~= 1 then
    fail("expected %s of %s with %s and %s\n  but got\n    %s", uri, procedure,
      value.show(value.list(args or {})), value.show(value.dict(kwargs or {})),
      shown(peer, actions))
  end
  return captures[1]
end

--- Every value in turn as the argument at this place, the others as in `args`, is refused.
function meta.refused_at(peer, uri, procedure, args, place, values)
  for _, wrong in ipairs(values) do
    local all = table.move(args, 1, #args, 1, {})
    all[place] = wrong
    meta.refused(peer, uri, procedure, all)
  end
end

--- Every value in turn as the keyword argument of this name is refused.
function meta.refused_key(peer, uri, procedure, args, key, values)
  for _, wrong in ipairs(values) do
    meta.refused(peer, uri, procedure, args, { [key] = wrong })
  end
end

--- The peer subscribes to these topics, and assert.heard will know them.
function meta.follow(peer, topics)
  peer.followed = peer.followed or {}
  for _, topic in ipairs(topics) do
    peer.followed[peer:subscribe(topic)] = topic
  end
  return peer
end

--- A new session that follows these topics.
function meta.watch(router, topics, details)
  return meta.follow(router:join(details), topics)
end

--- What a peer heard: { topic, its arguments... } for each EVENT, the code and the whole for
-- other messages. An EVENT of a topic that it follows has neither details nor ArgumentsKw.
function meta.heard(peer, actions)
  local all = value.list {}
  for _, message in ipairs(peer:messages(actions)) do
    local topic = message[1] == core.EVENT and (peer.followed or {})[message[2]]
    if not topic then
      all[#all + 1] = message
    elseif not value.same(message[4], value.dict {}) or #message > 5 then
      fail("expected an EVENT of %s with Arguments only, but got %s", topic, value.show(message))
    else
      all[#all + 1] = value.list { topic, table.unpack(message[5] or {}) }
    end
  end
  return all
end

luassert:register("assertion", "like", function(state, arguments)
  state.failure_message = ("expected %s\n  but got %s"):format(matching.show(arguments[1]),
    value.show(arguments[2]))
  return (matching.match(arguments[1], arguments[2]))
end)

luassert:register("assertion", "heard", function(state, arguments)
  local expected, heard = value.list(arguments[1]), meta.heard(arguments[2], arguments[3])
  local show = {}
  for i, all in ipairs { expected, heard } do
    local lines = {}
    for k, entry in ipairs(all) do
      lines[k] = "    " .. matching.show(entry)
    end
    show[i] = #lines > 0 and table.concat(lines, "\n") or "    (nothing)"
  end
  state.failure_message = ("expected to hear\n%s\n  but heard\n%s"):format(show[1], show[2])
  return (matching.match(expected, heard))
end)

return meta
