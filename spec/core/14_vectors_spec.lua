--- The single-message vectors that are published with the WAMP specification.
--
-- They are not part of this project: WAMP_VECTORS names the folder that holds singlemessage/.
-- SPDX-License-Identifier: MIT
local core = require "core"
local json = require "json"
local value = require "value"

local folder = os.getenv "WAMP_VECTORS"
if folder == "" then
  folder = nil
end

local files = {
  "basic/abort", "basic/authenticate", "basic/call", "basic/challenge", "basic/error",
  "basic/event", "basic/goodbye", "basic/hello", "basic/invocation", "basic/publish",
  "basic/published", "basic/register", "basic/registered", "basic/result", "basic/subscribe",
  "basic/subscribed", "basic/unregister", "basic/unregistered", "basic/unsubscribe",
  "basic/unsubscribed", "basic/welcome", "basic/yield", "advanced/cancel",
  "advanced/eventreceived", "advanced/interrupt",
  "advanced/publish_with_publisher_exclusion_disabled",
}

local function load(name)
  local file = assert(io.open(("%s/singlemessage/%s.json"):format(folder, name)))
  local text = file:read "a"
  file:close()
  return json.decode(text)
end

local function octets_of(variant)
  if variant.bytes_hex then
    return (variant.bytes_hex:gsub("%x%x", function(hex)
      return string.char(tonumber(hex, 16))
    end))
  end
  return variant.bytes
end

--- Every variant of every serializer is a message, its options included, that says what another.
local function check_serialized(sample)
  local message
  for _, codec in ipairs(core.codec_names) do
    assert.is_truthy(sample.serializers[codec], codec)
    for _, variant in ipairs(sample.serializers[codec]) do
      local octets = octets_of(variant)
      assert.is_true(core.check_message(codec, octets))
      message = message or core.codecs[codec].decode(octets)
      assert.equal(sample.expected_attributes.message_type, core.codecs[codec].decode(octets)[1])
      if not sample.expected_attributes.payload or codec ~= "json" then
        assert.equal(#message, #core.codecs[codec].decode(octets))
      end
    end
  end
end

local function check_validated(sample)
  for _, codec in ipairs(core.codec_names) do
    local done, words, uri = core.check_message(codec, core.codecs[codec].encode(sample.wmsg))
    local expected = sample.expected_error
    if expected then
      assert.is_nil(done)
      assert.equal("wamp.error." .. expected.type, uri)
      assert.is_truthy(words:find(expected.contains, 1, true), words)
    else
      assert.is_true(done, words)
    end
  end
end

--- Those that clients send are sent by one: refused means ABORT, and the end.
local function check_in_session(sample)
  if sample.wmsg[1] == core.EVENT then
    return
  end
  for _, codec in ipairs(core.codec_names) do
    local alice = core.router { codec = codec }:join { roles = core.all_roles }
    local actions = alice:send(sample.wmsg)
    if sample.expected_error then
      assert.actions(core.violation(alice, sample.expected_error.contains), actions)
    else
      assert.is_nil(alice:first(actions, core.ABORT))
    end
  end
end

describe("The published vector", function()
  if not folder then
    pending("SKIPPED, all of them: WAMP_VECTORS does not say where the vectors are")
    return
  end

  local counts = { serialized = 0, accepted = 0, refused = 0 }

  for _, name in ipairs(files) do
    for i, sample in ipairs(load(name).samples) do
      local kind = not sample.wmsg and "serialized" or sample.expected_error and "refused"
        or "accepted"
      counts[kind] = counts[kind] + 1

      it(("%s %d: %s"):format(name, i, sample.description), function()
        if sample.wmsg then
          check_validated(sample)
          check_in_session(sample)
        else
          check_serialized(sample)
        end
      end)
    end
  end

  it("count is as the suite says: 35 serialized, 39 accepted, 28 refused", function()
    assert.same({ serialized = 35, accepted = 39, refused = 28 }, counts)
  end)

  it("of several messages: publisher exclusion disabled", function()
    local path = folder .. "/multisession/advanced/publisher_exclusion_disabled.json"
    local file = assert(io.open(path))
    local script = json.decode(file:read "a")
    file:close()
    local roles, names = {}, {}
    for _, role in ipairs(script.sessions[1].roles) do
      roles[role] = value.dict {}
    end
    local alice = core.router():join { roles = roles }
    local actions
    for _, step in ipairs(script.sequence) do
      local m = step.message
      if m.type == "SUBSCRIBE" then
        actions = alice:send { core.SUBSCRIBE, m.request_id, m.options, m.topic }
      elseif m.type == "SUBSCRIBED" then
        assert.actions({ { alice, { core.SUBSCRIBED, m.request_id, core.id } } }, actions)
        names[m.subscription_id] = actions[1][2][3]
      elseif m.type == "PUBLISH" then
        actions = alice:send { core.PUBLISH, m.request_id, m.options, m.topic, m.args }
      else
        assert.equal("EVENT", m.type)
        assert.actions({ { alice, { core.EVENT, names[m.subscription_id], core.id, m.details,
          m.args } } }, actions)
      end
    end
    assert.equal(script.expected_outcome.event_count, #actions)
  end)
end)
