--- Who may receive a publication: eligible and exclude, by id, authid, authrole, any attribute.
-- SPDX-License-Identifier: MIT
local conformance = require "conformance"
local wamp = require "wamp"

-- Each row: what is tested, and the options by the three subscribers a, b, c; then who gets it.
local rows = {
  { "eligible names sessions",
    function(a, _, c) return { eligible = { a.session, c.session } } end, "ac" },
  { "eligible may name sessions that are not there",
    function(a) return { eligible = { 1, a.session, 1 << 53 } } end, "a" },
  { "an empty eligible means nobody",
    function() return { eligible = wamp.list {} } end, "" },
  { "exclude names sessions",
    function(a) return { exclude = { a.session } } end, "bc" },
  { "an empty exclude excludes nobody",
    function() return { exclude = wamp.list {} } end, "abc" },
  { "eligible and exclude hold both",
    function(a, b) return { eligible = { a.session, b.session }, exclude = { b.session } } end,
    "a" },
  { "eligible_authid names identities",
    function(a) return { eligible_authid = { a.welcome.authid, "nobody" } } end, "a" },
  { "an empty eligible_authid means nobody",
    function() return { eligible_authid = wamp.list {} } end, "" },
  { "exclude_authid names identities",
    function(a, b) return { exclude_authid = { a.welcome.authid, b.welcome.authid } } end, "c" },
  { "an empty exclude_authid excludes nobody",
    function() return { exclude_authid = wamp.list {} } end, "abc" },
  { "eligible_authrole names roles",
    function() return { eligible_authrole = { "admin", "anonymous" } } end, "abc" },
  { "eligible_authrole keeps other roles out",
    function() return { eligible_authrole = { "admin" } } end, "" },
  { "an empty eligible_authrole means nobody",
    function() return { eligible_authrole = wamp.list {} } end, "" },
  { "exclude_authrole names roles",
    function() return { exclude_authrole = { "anonymous" } } end, "" },
  { "exclude_authrole lets other roles pass",
    function() return { exclude_authrole = { "admin" } } end, "abc" },
  { "an empty exclude_authrole excludes nobody",
    function() return { exclude_authrole = wamp.list {} } end, "abc" },
  { "eligible_agent looks at the agent of HELLO",
    function() return { eligible_agent = { "red", "blue" } } end, "ab" },
  { "exclude_agent looks at the agent of HELLO",
    function() return { exclude_agent = { "red" } } end, "bc" },
  { "eligible_team looks at a key of HELLO that nobody has defined",
    function() return { eligible_team = { "one" } } end, "a" },
  { "eligible_team is for sessions that have a team",
    function() return { eligible_team = { "one", "two", "" } } end, "ab" },
  { "exclude_team lets sessions without a team pass",
    function() return { exclude_team = { "one", "two" } } end, "c" },
  { "exclude_team lets sessions with another team pass",
    function() return { exclude_team = { "one", "three" } } end, "bc" },
  { "an empty eligible_team means nobody",
    function() return { eligible_team = wamp.list {} } end, "" },
  { "an attribute that is no text is not eligible",
    function() return { eligible_level = { "5" } } end, "b" },
  { "an attribute that is no text is not excluded",
    function() return { exclude_level = { "5" } } end, "ac" },
  { "all conditions hold together",
    function(a, b)
      return { eligible = { a.session, b.session }, eligible_agent = { "blue", "green" },
        exclude_team = { "one" } }
    end, "b" },
  { "in a filter of an attribute, what is no text names nobody",
    function() return { eligible_team = { 1, "one", wamp.null }, exclude_team = { 2, true } } end,
    "a" },
}

conformance.everywhere("A publication's filter:", {}, function(peer)
  local function subscribers(topic)
    local hellos = {
      { agent = "red", team = "one", level = 5 },
      { agent = "blue", team = "two", level = "5" },
      { agent = "green" },
    }
    local all, subscription = {}, nil
    for i, details in ipairs(hellos) do
      all[i] = peer.join(details)
      subscription = all[i]:subscribe(topic)
    end
    return all, subscription
  end

  local function expect_only(all, subscription, names, args)
    for i, connection in ipairs(all) do
      if names:find(("abc"):sub(i, i), 1, true) then
        connection:expect_event(subscription, args)
      end
      connection:expect_nothing()
    end
  end

  for _, row in ipairs(rows) do
    it(row[1], function()
      local topic = peer.uri()
      local all, subscription = subscribers(topic)
      local publisher = peer.join()
      publisher:publish_surely(topic, { 1 }, nil, row[2](table.unpack(all)))
      expect_only(all, subscription, row[3], { 1 })
    end)
  end

  it("a filter of an attribute that is no list is refused, and nobody gets the event", function()
    local topic = peer.uri()
    local all, subscription = subscribers(topic)
    local publisher = peer.join()
    for i, options in ipairs { { eligible_team = "one" }, { exclude_team = 5 } } do
      options.acknowledge = true
      publisher:send { wamp.PUBLISH, i, options, topic }
      publisher:expect_error(wamp.PUBLISH, i, "wamp.error.invalid_argument")
    end
    expect_only(all, subscription, "")
  end)

  it("a publisher that is eligible still does not get its own event", function()
    local topic = peer.uri()
    local all, subscription = subscribers(topic)
    local publisher = table.remove(all, 1)
    publisher:publish_surely(topic, nil, nil, { eligible = { publisher.session, all[1].session } })
    publisher:expect_nothing()
    all[1]:expect_event(subscription)
  end)

  it("a publisher with exclude_me = false is judged like anybody", function()
    local topic = peer.uri()
    local all, subscription = subscribers(topic)
    local publisher = all[1]
    publisher:publish_surely(topic, nil, nil, { exclude_me = false, eligible = { all[2].session } })
    publisher:expect_nothing()
    publisher:publish_surely(topic, nil, nil,
      { exclude_me = false, eligible = { publisher.session } })
    publisher:expect_event(subscription)
  end)

  it("works on pattern subscriptions as on exact ones", function()
    local topic = peer.uri()
    local alice, bob, carol = peer.join(), peer.join(), peer.join()
    local subscription = alice:subscribe(topic:sub(1, -2), { match = "prefix" })
    bob:subscribe(topic:sub(1, -2), { match = "prefix" })
    carol:publish_surely(topic, nil, nil, { exclude = { bob.session } })
    alice:expect_event(subscription, nil, nil, { topic = topic })
    bob:expect_nothing()
  end)

  it("10,000 entries are enough, one more is too many", function()
    local ids = wamp.list {}
    for i = 1, 10000 do
      ids[i] = i
    end
    local alice = peer.join()
    alice:publish_surely(peer.uri(), nil, nil, { exclude = ids })
    ids[10001] = 10001
    alice:send { wamp.PUBLISH, 7, { exclude = ids, acknowledge = true }, peer.uri() }
    alice:expect_error(wamp.PUBLISH, 7, "wamp.error.option_not_allowed")
    alice:publish(peer.uri(), nil, nil, { exclude = ids })
    alice:expect_nothing()
  end)
end)
